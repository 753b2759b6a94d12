/** Why: what every protocol may use and uses, what was decided last, and one peer explained. */

import { byId, h, keyed, setAttribute, setAttributes, setText } from "./dom.js";
import { clock, serviceTitle } from "./words.js";
import { CLASSES, counted, decisionWords, explanationWords } from "./why-words.js";

/**
 * @typedef {import("lightkeeper").Decision} Decision
 * @typedef {import("lightkeeper").ProtocolInfo} ProtocolInfo
 * @typedef {import("./session.js").Session} Session
 */

/** Parts of a connection are shown to a tenth. */
const SHARE = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export class WhyView {
  #session;
  #nameOf;

  /**
   * @param {Session} session
   * @param {import("./words.js").NameOf} nameOf
   */
  constructor(session, nameOf) {
    this.#session = session;
    this.#nameOf = nameOf;
  }

  /**
   * Shows why a peer stands where it stands, and goes there.
   * @param {string} peerId
   */
  explain(peerId) {
    this.#session.picked = peerId;
    this.#session.changed();
    const title = byId("explain-title");
    title.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    title.focus({ preventScroll: true });
  }

  /** @param {import("./session.js").Snapshot} snapshot */
  render({ stats, explanation }) {
    const { protocols = [], decisions = [], open = 0, soft, hard } = stats;
    setText(byId("why-limits"), soft === undefined ? "" : `${counted(open, "connection")}; at most ${soft} are wanted, ${hard} for a moment`);
    keyed(byId("shares"), protocols, ({ name }) => name, shareRow);
    this.#decisions(byId("decisions"), decisions);
    setAttribute(byId("decisions-empty"), "hidden", decisions.length > 0);

    const { picked } = this.#session;
    setText(byId("explain-title"), picked === undefined ? "One peer" : `Why ${this.#nameOf(picked)} is ${explanation ? "where it is" : "not here"}`);
    setText(byId("explain-empty"), picked === undefined ? "Press “Why” beside a peer, or press it in the picture." : "Nobody is known by that id any more.");
    setAttribute(byId("explain-empty"), "hidden", explanation !== undefined);
    setAttributes(byId("explain"), { "data-peer": explanation?.peer.peerId, hidden: explanation === undefined });
    const facts = explanation ? explanationWords(explanation) : [];
    keyed(byId("explain"), facts, ({ term, text }) => `${term}\n${text}`, ({ term, text }) => ({ root: h("div", {}, h("dt", {}, term), h("dd", {}, text)), update() {} }));
    this.#decisions(byId("explain-decisions"), explanation?.decisions ?? []);
  }

  /**
   * Newest first.
   * @param {Element} list
   * @param {readonly Decision[]} decisions
   */
  #decisions(list, decisions) {
    // Two alike may fall into one millisecond.
    const seen = new Map();
    const rows = decisions.map((decision) => {
      const words = decisionWords(decision, this.#nameOf);
      const key = `${decision.at} ${words}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
      return { key: `${key} ${seen.get(key)}`, decision, words };
    });
    keyed(list, rows.reverse(), ({ key }) => key, ({ decision, words }) => ({
      root: h("li", { "data-what": decision.what, "data-peer": "peer" in decision ? decision.peer : undefined },
        h("time", { class: "number quiet", datetime: new Date(decision.at).toISOString() }, clock(decision.at)), h("span", {}, words)),
      update() {},
    }));
  }
}

/** @param {ProtocolInfo} first */
function shareRow({ name }) {
  const used = h("i");
  const bar = h("span", { class: "bar", "aria-hidden": "true" }, used);
  const text = h("span", { class: "number" });
  const note = h("span", { class: "quiet" });
  const root = h("li", { "data-testid": `share-${name}`, "data-service": name }, h("strong", {}, serviceTitle(name)), bar, text, note);
  return {
    root,
    /** @param {ProtocolInfo} protocol */
    update: ({ class: kind, granted, offered, share, connections, locked }) => {
      const high = granted?.high ?? offered?.high ?? 0;
      setAttributes(root, { "data-share": share, "data-high": high, "data-over": share > high });
      used.style.width = `${high > 0 ? Math.min(100, (100 * share) / high) : 0}%`;
      setText(text, `${SHARE.format(share)} of ${high}`);
      const parts = [
        `${counted(connections, "connection")} in use`,
        ...(granted ? [] : ["an offer waits for an answer"]),
        ...(granted && granted.low > 0 ? [`${granted.low} for sure`] : []),
        CLASSES[kind] ?? kind,
        ...(locked > 0 ? [`${locked} locked`] : []),
      ];
      setText(note, parts.join(" · "));
    },
  };
}
