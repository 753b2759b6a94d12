/** “Three things to try”: each a button that does it, and a tick when it has been seen to work. */

import { errorSlot, perform } from "./actions.js";
import { byId, h, icon, setAttribute, setText } from "./dom.js";

/**
 * @typedef {import("./session.js").Session} Session
 * @typedef {import("./messages.js").MessagesView} MessagesView
 * @typedef {import("./fleet-view.js").FleetView} FleetView
 * @typedef {import("./session.js").Snapshot} Snapshot
 */

export class TriesView {
  #session;
  #messages;
  #fleet;
  #nameOf;
  /** What was sent, and not heard yet. @type {string | undefined} */
  #sent;
  /** Who was taken away, and not replaced yet. @type {string | undefined} */
  #lost;
  /** Everything is off, by the third try. */
  #dark = false;
  /** It has been, at least once. */
  #wasDark = false;
  #rows;

  /**
   * @param {Session} session
   * @param {MessagesView} messages
   * @param {FleetView | undefined} fleet without it the tries act on the page's own node
   * @param {import("./words.js").NameOf} nameOf
   */
  constructor(session, messages, fleet, nameOf) {
    this.#session = session;
    this.#messages = messages;
    this.#fleet = fleet;
    this.#nameOf = nameOf;
    this.#rows = [
      this.#row("try-message", "Say something.", "It goes out through two peers, and you hear it back.", () => this.#say()),
      this.#row("try-lose", "Lose a peer.", fleet ? "One goes off; another takes over." : "Hang up on one; another takes over.", () => this.#lose()),
      this.#row("try-dark", fleet ? "Lose them all." : "Stop the node.", fleet ? "Then bring the network back." : "Then start it again.", () => this.#toggle()),
    ];
    byId("tries").append(...this.#rows.map(({ root }) => root));
    session.addEventListener("node-event", (event) => this.#observe(/** @type {CustomEvent} */ (event).detail));
  }

  /**
   * @param {string} testid
   * @param {string} title
   * @param {string} text
   * @param {() => Promise<void>} work
   */
  #row(testid, title, text, work) {
    const button = h("button", { type: "button", "data-testid": testid });
    const error = errorSlot(`${testid}-error`);
    const done = h("span", { class: "tick" });
    button.addEventListener("click", () => perform(button, error, work));
    const root = h("li", {}, done, h("p", {}, h("strong", {}, title), ` ${text}`), button, error);
    return {
      root,
      button,
      tick: () => {
        if (root.dataset.done) return;
        root.dataset.done = "true";
        done.append(icon("check"), h("span", { class: "hidden" }, "Done: "));
      },
    };
  }

  async #say() {
    if (!this.#messages.subscribed) await this.#messages.subscribe();
    this.#sent = await this.#messages.send();
  }

  /** A peer in use: one that serves the most, so that its loss is felt. */
  #victim() {
    const nodes = this.#session.fleet?.nodes;
    return this.#session.snapshot().peers
      .filter(({ peerId, state, serving }) => state === "connected" && serving.length > 0 &&
        (!this.#fleet || nodes?.some((node) => node.peerId === peerId && node.state === "running")))
      .sort((a, b) => b.serving.length - a.serving.length || a.peerId.localeCompare(b.peerId))[0]?.peerId;
  }

  async #lose() {
    const peerId = this.#victim();
    if (peerId === undefined) throw new Error("No peer serves the page at the moment.");
    this.#lost = peerId;
    const node = this.#session.fleet?.nodes.find((one) => one.peerId === peerId);
    if (this.#fleet && node) await this.#fleet.act(node.name, "stop");
    else await this.#session.node.hangUp(peerId);
  }

  async #toggle() {
    const dark = this.#dark;
    if (this.#fleet) await this.#fleet.all(dark ? "start" : "stop");
    else if (dark) await this.#session.start();
    else await this.#session.stop();
    this.#dark = !dark;
    this.#wasDark ||= this.#dark;
    this.#session.changed();
  }

  /** @param {import("./session.js").LoggedEvent} event */
  #observe({ type, detail }) {
    if (type === "peer:replace" && detail.lost === this.#lost) this.#rows[1].tick();
    if (type === "health:change" && detail.new === "met" && this.#wasDark && !this.#dark) this.#rows[2].tick();
  }

  render() {
    const [say, lose, dark] = this.#rows;
    if (this.#sent !== undefined && this.#messages.heard(this.#sent)) say.tick();
    setText(say.button, "Say hello");

    const victim = this.#victim();
    setText(lose.button, `${this.#fleet ? "Switch off" : "Hang up on"} ${victim === undefined ? "a peer" : this.#nameOf(victim)}`);
    setAttribute(lose.button, "aria-disabled", victim === undefined ? "true" : undefined);

    if (this.#fleet) this.#dark = this.#session.fleet?.nodes.every(({ state }) => state === "stopped") ?? false;
    const what = this.#fleet ? "network" : "node";
    setText(dark.button, this.#dark ? `Bring the ${what} back` : this.#fleet ? "Switch everything off" : "Stop the node");
  }
}
