/** Sending, subscribing, history; and the messages that came of it. */

import { errorSlot, perform } from "./actions.js";
import { byId, h, keyed, setAttribute, setAttributes, setText } from "./dom.js";
import { clock, duration, REASONS, shortId } from "./words.js";

/**
 * @typedef {import("lightkeeper").Message} Message
 * @typedef {import("lightkeeper").Subscription} Subscription
 * @typedef {import("./session.js").Session} Session
 *
 * @typedef {object} Item one line of the list
 * @property {"sent" | "filter" | "store"} origin
 * @property {Message["via"]} [via] how it came; what a subscription had to catch up on comes from a store
 * @property {string} hash
 * @property {string} contentTopic
 * @property {string} text
 * @property {number} timestamp epoch milliseconds
 * @property {string[]} peers who took it, delivered it or had it
 * @property {string} [note]
 *
 * @typedef {{ id: number, topic: string, subscription: Subscription, ended?: string }} Entry a subscription; `ended`: why
 */

/** Lines kept; the oldest go first. */
const MAX_ITEMS = 200;
/** Characters shown of one message. */
const MAX_TEXT = 500;
/** Messages fetched by one press of “Load history”. */
const HISTORY = 50;
const ORIGINS = { sent: "sent", filter: "received", store: "history" };
const SERVICE = { sent: "lightPush", filter: "filter", store: "store" };

/** @param {Uint8Array} payload text, or else its bytes in hexadecimal */
function readPayload(payload) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    text = Array.from(payload.subarray(0, MAX_TEXT), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  }
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

export class MessagesView {
  #session;
  #nameOf;
  #onTravel;
  /** By origin and hash: the same message once for each way that it came. @type {Map<string, Item>} */
  #items = new Map();
  /** @type {Set<Entry>} */
  #subscriptions = new Set();
  #nextId = 0;
  #error = errorSlot("message-error");
  #text = byId("message-text", HTMLInputElement);
  #topic = byId("content-topic", HTMLInputElement);
  #shard = byId("shard", HTMLSelectElement);

  /**
   * @param {Session} session
   * @param {import("./words.js").NameOf} nameOf
   * @param {(peerId: string, direction: "out" | "in", service: string) => void} onTravel a message went to or came from a peer
   */
  constructor(session, nameOf, onTravel) {
    this.#session = session;
    this.#nameOf = nameOf;
    this.#onTravel = onTravel;
    byId("message-error").append(this.#error);
    const form = byId("compose", HTMLFormElement);
    const send = /** @type {Element} */ (form.querySelector("[data-testid=send]"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      perform(send, this.#error, () => this.send());
    });
    this.#button("subscribe", () => this.subscribe());
    this.#button("history", () => this.history());
    this.#button("publish", () => this.publish());
    session.addEventListener("replaced", () => this.#subscriptions.clear());
  }

  /**
   * @param {string} id
   * @param {() => Promise<void>} work
   */
  #button(id, work) {
    const button = byId(id, HTMLButtonElement);
    button.addEventListener("click", () => perform(button, this.#error, work));
  }

  get topic() {
    return this.#topic.value.trim();
  }

  /** Whether messages of the topic in the field are being received. */
  get subscribed() {
    return [...this.#subscriptions].some(({ topic, ended }) => topic === this.topic && ended === undefined);
  }

  /** Offers a choice of shards where the network leaves one: with several static shards. */
  offerShards() {
    const { network } = this.#session.options;
    const shards = network && "shards" in network ? network.shards : [];
    this.#shard.replaceChildren(...shards.map((shard) => h("option", { value: String(shard) }, String(shard))));
    byId("shard-field").hidden = shards.length < 2;
    byId("publish").hidden = !this.#session.api;
  }

  /** @returns {{ shard?: number }} */
  get #shardOption() {
    return this.#shard.options.length > 1 ? { shard: Number(this.#shard.value) } : {};
  }

  /** @param {string} text */
  #note(text) {
    setText(byId("message-note"), text);
  }

  /**
   * Sends the text of the form.
   * @returns {Promise<string>} its hash
   */
  async send() {
    const contentTopic = this.topic;
    const text = this.#text.value;
    const timestamp = Date.now();
    const report = await this.#session.node.lightPush.send({ contentTopic, payload: new TextEncoder().encode(text), timestamp, ...this.#shardOption });
    const failed = report.failed.length ? `, ${report.failed.length} did not take it` : "";
    this.#add({ origin: "sent", hash: report.hash, contentTopic, text, timestamp, peers: report.accepted, note: `in ${duration(report.ms)}${failed}` });
    for (const peer of report.accepted) this.#onTravel(peer, "out", "lightPush");
    return report.hash;
  }

  /** Subscribes to the topic of the form. */
  async subscribe() {
    const { topic } = this;
    if (this.subscribed) {
      this.#note(`Already receiving ${topic}.`);
      return;
    }
    const subscription = await this.#session.node.filter.subscribe([topic], (message) => this.#received("filter", message), this.#shardOption);
    /** @type {Entry} */
    const entry = { id: this.#nextId++, topic, subscription };
    this.#subscriptions.add(entry);
    this.#session.changed();
    /** @param {string} reason */
    const end = (reason) => {
      entry.ended = reason;
      this.#session.changed();
    };
    subscription.closed.then(end, () => end("crashed"));
  }

  /** Fetches messages of the topic from a store peer. */
  async history() {
    let count = 0;
    const query = { contentTopics: [this.topic], order: /** @type {const} */ ("descending"), limit: HISTORY, ...this.#shardOption };
    for await (const message of this.#session.node.store.query(query)) {
      this.#received("store", message);
      count++;
    }
    this.#note(count ? `${count} from the history.` : "The history has nothing of this topic.");
  }

  /** Lets the local network publish a message, as another participant would. */
  async publish() {
    const payload = new TextEncoder().encode(`A word from elsewhere, at ${clock(Date.now())}`);
    await this.#session.api?.publish({ contentTopic: this.topic, payload });
    this.#note(this.subscribed ? "" : "Somebody spoke. Subscribe to hear it, or load the history.");
  }

  /**
   * @param {"filter" | "store"} origin
   * @param {Message} message
   */
  #received(origin, { hash, contentTopic, payload, timestamp, peer, via }) {
    this.#add({ origin, via, hash, contentTopic, text: readPayload(payload), timestamp, peers: [peer] });
    this.#onTravel(peer, "in", SERVICE[via] ?? SERVICE[origin]);
  }

  /** @param {Item} item */
  #add(item) {
    const key = `${item.origin}:${item.hash}`;
    const known = this.#items.get(key);
    // Several peers may deliver the same message.
    if (known) item.peers = [...new Set([...known.peers, ...item.peers])];
    this.#items.set(key, item);
    if (this.#items.size > MAX_ITEMS) this.#items.delete(/** @type {string} */ (this.#items.keys().next().value));
    this.#session.changed();
  }

  /**
   * Whether a message that went out came back from a peer: the whole way round.
   * @param {string} hash
   */
  heard(hash) {
    return this.#items.has(`filter:${hash}`);
  }

  render() {
    const order = Object.keys(ORIGINS);
    const rank = (/** @type {Item} */ item) => order.indexOf(item.origin);
    const items = [...this.#items.values()].sort((a, b) => b.timestamp - a.timestamp || a.hash.localeCompare(b.hash) || rank(b) - rank(a));
    keyed(byId("message-list"), items, ({ origin, hash }) => `${origin}:${hash}`, (item) => this.#row(item));
    setAttribute(byId("message-list"), "hidden", items.length === 0);
    setAttribute(byId("message-empty"), "hidden", items.length > 0);
    keyed(byId("subscriptions"), [...this.#subscriptions], ({ id }) => String(id), (entry) => this.#subscription(entry));
  }

  /** @param {Item} first */
  #row({ origin, via, hash, contentTopic, text, timestamp }) {
    const by = h("span");
    const late = origin === "filter" && via === "store";
    const root = h("li", { "data-testid": "message", "data-origin": origin, "data-via": via, "data-hash": hash, "data-topic": contentTopic },
      h("span", { class: "badge solid", "data-service": SERVICE[late ? "store" : origin] }, late ? "caught up" : ORIGINS[origin]),
      h("p", { class: "text" }, text),
      h("p", { class: "quiet meta" }, h("time", { class: "number", datetime: new Date(timestamp).toISOString() }, clock(timestamp)), by, h("code", { title: hash }, shortId(hash))));
    return {
      root,
      /** @param {Item} item */
      update: ({ peers, note }) => {
        setAttribute(root, "data-peers", peers.join(" "));
        const names = peers.map(this.#nameOf).join(", ");
        setText(by, origin === "sent" ? `taken by ${names || "nobody"}${note ? ` ${note}` : ""}` : `from ${names}`);
      },
    };
  }

  /** @param {Entry} entry */
  #subscription(entry) {
    const text = h("span");
    const end = h("button", { type: "button", "data-testid": "unsubscribe" });
    const error = errorSlot("subscription-error");
    const root = h("li", { "data-testid": "subscription", "data-topic": entry.topic }, h("span", { class: "dot", "aria-hidden": "true" }), text, end, error);
    end.addEventListener("click", async () => {
      const done = await perform(end, error, async () => {
        if (entry.ended === undefined) await entry.subscription.unsubscribe();
        this.#subscriptions.delete(entry);
        this.#session.changed();
      });
      if (done) byId("subscribe", HTMLButtonElement).focus();
    });
    return {
      root,
      update: () => {
        const { ended, subscription } = entry;
        const state = ended === undefined ? subscription.state : "closed";
        const names = subscription.peers.map(this.#nameOf).join(", ");
        setAttributes(root, { "data-state": state, "data-peers": subscription.peers.join(" ") });
        setText(end, state === "closed" ? "Dismiss" : "Unsubscribe");
        setAttribute(end, "aria-label", `${end.textContent} ${entry.topic}`);
        setText(text, state === "active" ? `Receiving ${entry.topic} from ${names}`
          : state === "moving" ? `Looking for another peer to receive ${entry.topic} from`
            : `${entry.topic} has ended${ended ? `: ${REASONS[ended] ?? ended}` : ""}`);
      },
    };
  }
}
