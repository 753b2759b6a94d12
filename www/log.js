/** The event log: newest first, narrowed by kind and by a search. */

import { byId, h, keyed, setAttribute } from "./dom.js";
import { clock, describe, EVENT_GROUPS, EVENT_TYPES } from "./words.js";

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./session.js").LoggedEvent} LoggedEvent
 */

/** Rows in the document at once; older ones are found by narrowing. */
const MAX_ROWS = 200;

/** Events that should catch the eye. @type {Record<string, string>} */
const TONES = {
  "peer:connect": "good",
  "peer:reconnect": "good",
  "peer:replace": "good",
  "peer:fail": "bad",
  "peer:ban": "bad",
  "filter:gap": "bad",
  "node:crash": "bad",
};

/**
 * What ended well, or is held against nobody, catches no eye.
 * @param {LoggedEvent} event
 */
function toneOf({ type, detail }) {
  if (type === "peer:disconnect") return detail.deliberate ? undefined : "bad";
  if ((type === "peer:fail" && detail.charged === false) || (type === "filter:gap" && detail.filled)) return undefined;
  return TONES[type];
}

export class LogView {
  #session;
  #nameOf;
  #stale = true;
  /** Sentences by event: made once, with the name that the peer had then. @type {WeakMap<LoggedEvent, string>} */
  #sentences = new WeakMap();
  #filter = byId("log-filter", HTMLSelectElement);
  #search = byId("log-search", HTMLInputElement);

  /**
   * @param {Session} session
   * @param {import("./words.js").NameOf} nameOf
   */
  constructor(session, nameOf) {
    this.#session = session;
    this.#nameOf = nameOf;
    const groups = Object.entries(EVENT_GROUPS).map(([key, { title }]) => h("option", { value: key }, title));
    const types = EVENT_TYPES.map((type) => h("option", { value: type }, type));
    this.#filter.append(h("option", { value: "" }, "Everything"), ...groups, h("optgroup", { label: "One kind" }, ...types));
    const refresh = () => {
      this.#stale = true;
      session.changed();
    };
    this.#filter.addEventListener("change", refresh);
    this.#search.addEventListener("input", refresh);
    session.addEventListener("node-event", () => (this.#stale = true));
  }

  /** @param {LoggedEvent} event */
  #sentence(event) {
    let sentence = this.#sentences.get(event);
    if (sentence === undefined) this.#sentences.set(event, (sentence = describe(event, this.#nameOf)));
    return sentence;
  }

  render() {
    if (!this.#stale) return;
    this.#stale = false;
    const kind = this.#filter.value;
    const types = kind && (EVENT_GROUPS[kind]?.types ?? [kind]);
    const words = this.#search.value.trim().toLowerCase();
    const shown = [];
    const { events } = this.#session;
    for (let index = events.length - 1; index >= 0 && shown.length < MAX_ROWS; index--) {
      const event = events[index];
      if (types && !types.includes(event.type)) continue;
      if (words && !`${event.type} ${this.#sentence(event)} ${JSON.stringify(event.detail)}`.toLowerCase().includes(words)) continue;
      shown.push(event);
    }
    keyed(byId("log"), shown, ({ seq }) => String(seq), (event) => this.#row(event));
    setAttribute(byId("log-empty"), "hidden", shown.length > 0);
  }

  /** @param {LoggedEvent} event */
  #row(event) {
    const { type, detail, at } = event;
    const charged = type === "peer:fail" ? String(detail.charged) : undefined;
    const root = h("li",
      { "data-testid": "event", "data-type": type, "data-peer": detail?.peerId ?? detail?.gained, "data-reason": detail?.reason ?? detail?.kind, "data-charged": charged, "data-tone": toneOf(event) },
      h("time", { class: "number quiet", datetime: new Date(at).toISOString() }, `${clock(at)}.${String(at % 1000).padStart(3, "0")}`),
      h("code", {}, type),
      h("span", {}, this.#sentence(event)));
    return { root, update() {} };
  }
}
