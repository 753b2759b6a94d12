/** How many sources are read at the same time before the first item is given out. */
const AT_ONCE = 8;

/**
 * Several sorted sources as one, each read no further than is asked for. When one fails, or the reader leaves, the others
 * are told to end.
 *
 * @template Part, Item
 * @param {Part[]} parts
 * @param {(part: Part, signal: AbortSignal | undefined) => AsyncGenerator<Item, void, undefined>} open
 * @param {(a: Item, b: Item) => number} order
 * @param {AbortSignal | undefined} signal
 * @returns {AsyncGenerator<Item, void, undefined>}
 */
export async function* merge(parts, open, order, signal) {
  if (parts.length === 1) return yield* open(/** @type {Part} */ (parts[0]), signal);
  signal?.throwIfAborted();
  const all = new AbortController();
  const onAbort = () => all.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    /** The next item of each source that has one. @type {{ item: Item, source: AsyncGenerator<Item, void, undefined> }[]} */
    const heads = [];
    /** @param {AsyncGenerator<Item, void, undefined>} source */
    const advance = async (source) => {
      const { done, value } = await source.next();
      if (!done) heads.push({ item: value, source });
    };
    const waiting = parts.map((part) => open(part, all.signal));
    const work = async () => {
      for (let source = waiting.shift(); source; source = waiting.shift()) await advance(source);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    while (heads.length > 0) {
      const first = heads.reduce((best, head) => (order(head.item, best.item) < 0 ? head : best));
      heads.splice(heads.indexOf(first), 1);
      yield first.item;
      signal?.throwIfAborted();
      await advance(first.source);
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    all.abort();
  }
}
