/** The health line, the requirements and the counters. */

import { perform, errorSlot } from "./actions.js";
import { byId, h, icon, keyed, setAttribute, setAttributes, setText } from "./dom.js";
import { capital, duration, healthWords, SERVICES, serviceTitle } from "./words.js";

/**
 * @typedef {import("lightkeeper").RequirementStatus} RequirementStatus
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./session.js").Snapshot} Snapshot
 */

/** More slots than this are not drawn; the number beside them is exact. */
const MAX_SLOTS = 8;

/** @type {Record<string, string>} */
const STATE_WORDS = { met: "complete", minimal: "enough to work with", unmet: "too few" };

const NO_NODE = { title: "No node", text: "None could be made: see above." };
const CRASHED = { title: "Crashed", text: "Below is the last that the node said." };

/** @param {string} service */
export const serviceIcon = (service) => icon(service in SERVICES ? service : "peerExchange");

export class StatusView {
  #session;
  #error = errorSlot("requirement-error");

  /** @param {Session} session */
  constructor(session) {
    this.#session = session;
    byId("requirement-error").append(this.#error);
  }

  /** @param {Snapshot} snapshot */
  render({ health, peers, stats, running }) {
    const gone = !this.#session.hasNode ? NO_NODE : this.#session.crash !== undefined ? CRASHED : undefined;
    const words = gone ?? healthWords(health);
    setAttributes(byId("health"), { "data-state": gone ? "unmet" : health.state, "data-reason": gone ? undefined : health.reason });
    setText(byId("health-title"), words.title);
    setText(byId("health-text"), words.text);
    const after = this.#session.readyAfterMs;
    setText(byId("ready-after"), running && after !== undefined ? `complete after ${duration(after)}` : "");

    keyed(byId("requirements"), health.requirements, ({ name }) => name, (first) => this.#requirement(first));

    const connected = peers.filter(({ state }) => state === "connected").length;
    this.#counters(connected, peers.length, stats);
  }

  /**
   * @param {number} connected
   * @param {number} known
   * @param {Snapshot["stats"]} stats
   */
  #counters(connected, known, stats) {
    const all = { connections: connected, known, dials: stats.dials, dialFailures: stats.dialFailures, replacements: stats.replacements };
    const titles = { connections: "connections", known: "peers known", dials: "calls made", dialFailures: "calls failed", replacements: "takeovers" };
    const shown = /** @type {[keyof typeof titles, number | undefined][]} */ (Object.entries(all)).filter(([, value]) => value !== undefined);
    keyed(byId("stats"), shown, ([name]) => name, ([name]) => {
      const value = h("dd", { class: "number" });
      const root = h("div", {}, h("dt", {}, titles[name]), value);
      return { root, update: ([, count]) => setText(value, String(count)) };
    });
    for (const [name, value] of shown) setAttribute(byId("stats"), `data-${name.toLowerCase()}`, value);
  }

  /** @param {RequirementStatus} first */
  #requirement({ name }) {
    const slots = h("span", { class: "slots", "aria-hidden": "true" });
    const count = h("span");
    const word = h("span", { class: "hidden" });
    let current = { min: 0, target: 0 };
    /** @param {number} step */
    const button = (step) => {
      const label = `${step < 0 ? "Fewer" : "More"} peers for “${serviceTitle(name)}”`;
      const element = h("button", { type: "button", class: "step", "aria-label": label, title: label, "data-testid": `req-${name}-${step < 0 ? "less" : "more"}` }, step < 0 ? "−" : "+");
      element.addEventListener("click", () =>
        perform(element, this.#error, () => {
          const target = Math.max(0, current.target + step);
          this.#session.node.setRequirement(name, { min: Math.min(current.min, target), target });
          this.#session.changed();
        }));
      return element;
    };
    const root = h("li", { "data-testid": `req-${name}`, "data-service": name },
      h("span", { class: "badge solid" }, serviceIcon(name)),
      h("span", { class: "name" }, h("strong", {}, serviceTitle(name)), h("code", { class: "quiet" }, name)),
      slots, h("span", { class: "count number" }, count, word),
      h("span", { class: "steps" }, button(-1), button(1)));
    return {
      root,
      /** @param {RequirementStatus} row */
      update: (row) => {
        current = row;
        setAttributes(root, { "data-have": row.have, "data-min": row.min, "data-target": row.target, "data-state": row.state });
        setText(count, `${row.have} of ${row.target}`);
        setText(word, `: ${STATE_WORDS[row.state] ?? row.state}; minimum ${row.min}`);
        setAttribute(root, "title", `${capital(SERVICES[name]?.about ?? name)}: ${row.have} of ${row.target}, minimum ${row.min}`);
        const drawn = Array.from({ length: Math.min(MAX_SLOTS, Math.max(row.have, row.target)) }, (_, index) => ({
          index,
          look: [index < row.have && "full", index >= row.target && "extra"].filter(Boolean).join(" "),
        }));
        keyed(slots, drawn, ({ index }) => String(index), () => {
          const slot = h("i");
          return { root: slot, update: ({ look }) => setAttribute(slot, "class", look) };
        });
      },
    };
  }
}
