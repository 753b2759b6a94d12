/** The table of peers. */

import { errorSlot, perform } from "./actions.js";
import { byId, h, keyed, setAttribute, setAttributes, setText } from "./dom.js";
import { serviceIcon } from "./status.js";
import { clock, duration, REASONS, SERVICES, STATES } from "./words.js";

/**
 * @typedef {import("lightkeeper").PeerInfo} PeerInfo
 * @typedef {import("./session.js").Session} Session
 */

/** Rows at most; a public network has thousands. */
const MAX_ROWS = 100;
const ORDER = ["connected", "closing", "dialing", "known", "cooling", "parked", "banned"];
/** Services, in the order of their badges. */
const BADGES = /** @type {const} */ (["lightPush", "filter", "store"]);

export class PeersView {
  #session;
  #nameOf;
  #explain;
  #error = errorSlot("dial-error");

  /**
   * @param {Session} session
   * @param {import("./words.js").NameOf} nameOf
   * @param {(peerId: string) => void} explain
   */
  constructor(session, nameOf, explain) {
    this.#session = session;
    this.#nameOf = nameOf;
    this.#explain = explain;
    byId("dial-error").append(this.#error);
    const form = byId("dial", HTMLFormElement);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const target = byId("dial-target", HTMLInputElement);
      perform(/** @type {Element} */ (form.querySelector("button")), this.#error, async () => {
        await session.node.dial(target.value.trim());
        target.value = "";
        session.changed();
      });
    });
  }

  /** @param {import("./session.js").Snapshot} snapshot */
  render({ peers }) {
    const rank = (/** @type {PeerInfo} */ peer) => ORDER.indexOf(peer.state);
    const rows = [...peers]
      .sort((a, b) => rank(a) - rank(b) || this.#nameOf(a.peerId).localeCompare(this.#nameOf(b.peerId)))
      .slice(0, MAX_ROWS);
    keyed(byId("peers"), rows, ({ peerId }) => peerId, (first) => this.#row(first));
    const more = peers.length - rows.length;
    setText(byId("peers-count"), more > 0 ? `${rows.length} of ${peers.length} known` : `${peers.length} known`);
    setAttribute(byId("peers-empty"), "hidden", rows.length > 0);
  }

  /** @param {PeerInfo} first */
  #row({ peerId }) {
    const name = this.#nameOf(peerId);
    const address = h("code", { class: "address quiet" });
    const services = h("ul", { class: "badges" });
    const cells = /** @type {Record<string, HTMLTableCellElement>} */ ({});
    const cell = (/** @type {string} */ key, /** @type {string} */ label, className = "") =>
      (cells[key] = h("td", { role: "cell", "data-label": label, class: className }));
    const connection = h("button", { type: "button" });
    const ban = h("button", { type: "button", class: "danger" });
    const why = h("button", { type: "button", "data-testid": `peer-${peerId}-why`, "aria-label": `Why ${name} is where it is`, onclick: () => this.#explain(peerId) }, "Why");
    const error = errorSlot(`peer-${peerId}-error`);
    const state = h("span", { class: "state" });
    /** @type {PeerInfo["state"]} */
    let current = "known";

    connection.addEventListener("click", () =>
      perform(connection, error, async () => {
        if (current === "connected") await this.#session.node.hangUp(peerId);
        else await this.#session.node.dial(peerId);
        this.#session.changed();
      }));
    ban.addEventListener("click", () =>
      perform(ban, error, () => {
        this.#session.node.setPriority(peerId, current === "banned" ? "medium" : "banned");
        this.#session.changed();
      }));

    const root = h("tr", { role: "row", "data-testid": `peer-${peerId}` },
      h("th", { role: "rowheader", scope: "row" }, h("span", { class: "name", title: peerId }, name), address),
      cell("services", "Services"),
      cell("state", "State"),
      cell("age", "For", "number"),
      cell("rtt", "RTT", "number"),
      cell("score", "Score", "number"),
      cell("reason", "Last reason"),
      cell("actions", "", "actions"));
    cells.services.append(services);
    cells.state.append(state);
    cells.actions.append(why, connection, ban, error);

    return {
      root,
      /** @param {PeerInfo} peer */
      update: (peer) => {
        current = peer.state;
        setAttributes(root, {
          "data-state": peer.state,
          "data-serving": peer.serving.join(" "),
          "data-services": peer.services.join(" "),
          "data-reason": peer.lastReason,
          "data-source": peer.source,
        });
        setText(address, peer.address ?? "no address known");
        setAttribute(address, "title", peer.address);
        setText(state, STATES[peer.state] ?? peer.state);
        setText(cells.age, peer.connectedAt !== undefined && peer.state === "connected" ? duration(Math.max(0, Date.now() - peer.connectedAt)) : "");
        setText(cells.rtt, peer.rttMs === undefined ? "" : duration(peer.rttMs));
        setText(cells.score, String(peer.score));
        setText(cells.reason, lastReason(peer));
        const offered = BADGES.filter((service) => peer.services.includes(service) || peer.serving.includes(service));
        const marks = offered.map((service) => ({ service, serves: peer.serving.includes(service) }));
        keyed(services, marks, ({ service }) => service, badge);

        const connected = peer.state === "connected";
        setText(connection, connected ? "Hang up" : "Connect");
        setAttributes(connection, { "data-testid": `peer-${peerId}-${connected ? "hangup" : "dial"}`, "aria-label": `${connected ? "Hang up on" : "Connect to"} ${name}` });
        const banned = peer.state === "banned";
        setText(ban, banned ? "Unban" : "Ban");
        setAttributes(ban, { "data-testid": `peer-${peerId}-${banned ? "unban" : "ban"}`, "aria-label": `${banned ? "Unban" : "Ban"} ${name}` });
      },
    };
  }
}

/**
 * A service of a peer: solid while it serves this page, hollow while it is only said to.
 * @param {{ service: string, serves: boolean }} first
 */
function badge({ service }) {
  const root = h("li", { class: "badge", "data-service": service }, serviceIcon(service), h("span", {}, SERVICES[service]?.badge ?? service));
  const note = h("span", { class: "hidden" });
  root.append(note);
  return {
    root,
    /** @param {{ service: string, serves: boolean }} mark */
    update: ({ serves }) => {
      root.classList.toggle("solid", serves);
      setAttribute(root, "title", serves ? "serves this page" : "offers it, not in use");
      setText(note, serves ? " (serving)" : " (offered)");
    },
  };
}

/** @param {PeerInfo} peer */
function lastReason({ lastReason, nextTryAt }) {
  const reason = lastReason ? (REASONS[lastReason] ?? lastReason) : "";
  return nextTryAt !== undefined && nextTryAt > Date.now() ? `${reason}${reason ? "; " : ""}again at ${clock(nextTryAt)}` : reason;
}
