/** The local network's nodes and its resolver, with what can be done to them. */

import { errorSlot, perform } from "./actions.js";
import { byId, h, keyed, setAttribute, setAttributes, setText } from "./dom.js";
import { serviceIcon } from "./status.js";
import { clock } from "./words.js";

/**
 * @typedef {import("./fleet.js").Action} Action
 * @typedef {import("./fleet.js").FleetNode} FleetNode
 * @typedef {import("./fleet.js").ResolverMode} ResolverMode
 * @typedef {import("./session.js").Session} Session
 */

/** @type {[Action, string, string][]} */
const FAULTS = [
  ["stall", "Stall", "accepts and never answers"],
  ["busy", "Busy", "says that it is busy"],
  ["refuse", "Refuse", "refuses every request"],
  ["slow", "Slow", "answers late"],
  ["wrong-id", "Wrong id", "answers with another key, as an impostor would"],
];

/** @type {[ResolverMode, string, string][]} */
const RESOLVER = [
  ["ok", "Works", "answers as it should"],
  ["down", "Down", "answers every question with an error"],
  ["slow", "Slow", "answers late"],
  ["lie", "Lies", "answers with forged records"],
];

/** @type {Record<string, string>} */
const ROLES = {
  bootstrap: "knows the others, serves nothing else",
  all: "serves everything",
  lightpush: "takes messages",
  filter: "delivers messages",
  store: "keeps messages",
};

/** Many sightings at once cause one look at the fleet. */
const REFRESH_MS = 150;

export class FleetView {
  #session;
  #api;
  #error = errorSlot("fleet-error");
  /** The last that each node saw. @type {Map<string, import("./fleet.js").Sighting>} */
  #sightings = new Map();
  /** @type {ResolverMode} */
  #mode = "ok";
  #refreshAsked = false;

  /**
   * @param {Session} session
   * @param {import("./fleet.js").FleetApi} api
   */
  constructor(session, api) {
    this.#session = session;
    this.#api = api;
    byId("fleet").hidden = false;
    byId("fleet-error").append(this.#error);
    for (const action of /** @type {const} */ (["stop", "start"])) {
      const button = byId(`${action}-all`, HTMLButtonElement);
      button.addEventListener("click", () => perform(button, this.#error, () => this.all(action)));
    }
    api.watch((sighting) => {
      this.#sightings.set(sighting.node, sighting);
      session.changed();
      this.#refreshSoon();
    });
  }

  #refreshSoon() {
    if (this.#refreshAsked) return;
    this.#refreshAsked = true;
    setTimeout(() => {
      this.#refreshAsked = false;
      this.refresh().catch(() => {}); // The next sighting, or the next press of a button, will tell.
    }, REFRESH_MS);
  }

  async refresh() {
    this.#session.fleet = await this.#api.fleet();
    this.#session.changed();
  }

  /**
   * @param {string} name
   * @param {Action} action
   */
  async act(name, action) {
    await this.#api.act(name, action);
    await this.refresh();
  }

  /** @param {"stop" | "start"} action */
  async all(action) {
    const from = action === "stop" ? "running" : "stopped";
    const nodes = this.#session.fleet?.nodes.filter(({ state }) => state === from) ?? [];
    await Promise.all(nodes.map(({ name }) => this.#api.act(name, action)));
    await this.refresh();
  }

  render() {
    const { fleet } = this.#session;
    if (!fleet) return;
    keyed(byId("nodes"), fleet.nodes, ({ name }) => name, (first) => this.#node(first));
    const current = fleet.resolverMode ?? this.#mode;
    keyed(byId("resolver"), RESOLVER, ([mode]) => mode, ([mode, label, about]) => {
      const button = h("button", { type: "button", "data-testid": `resolver-${mode}`, title: `The resolver ${about}` }, label);
      button.addEventListener("click", () =>
        perform(button, this.#error, async () => {
          await this.#api.resolver(mode);
          this.#mode = mode;
          await this.refresh();
        }));
      return { root: button, update: () => setAttribute(button, "aria-pressed", String(mode === (this.#session.fleet?.resolverMode ?? this.#mode))) };
    });
    setAttribute(byId("resolver"), "data-mode", current);
  }

  /** @param {FleetNode} first */
  #node({ name, role, services }) {
    const state = h("span", { class: "state" });
    const seen = h("p", { class: "quiet seen" });
    const error = errorSlot(`node-${name}-error`);
    /** @type {FleetNode | undefined} */
    let current;
    /**
     * @param {string} label
     * @param {string} title
     * @param {() => Action} action
     */
    const button = (label, title, action) => {
      const element = h("button", { type: "button", title, "aria-label": `${label} ${name}` }, label);
      element.addEventListener("click", () => perform(element, error, () => this.act(name, action())));
      return element;
    };
    const power = button("Stop", "", () => (current?.state === "stopped" ? "start" : "stop"));
    const faults = FAULTS.map(([action, label, about]) => {
      const element = button(label, `Make ${name} a node that ${about}`, () => action);
      element.dataset.testid = `node-${name}-${action}`;
      return element;
    });
    const heal = button("Heal", `End what is wrong with ${name}`, () => "heal");
    heal.dataset.testid = `node-${name}-heal`;

    const root = h("li", { "data-testid": `node-${name}`, "data-role": role },
      h("div", { class: "title" },
        h("span", { class: "dot", "aria-hidden": "true" }),
        h("strong", {}, name),
        h("span", { class: "icons", "aria-hidden": "true" }, ...services.map((service) => h("span", { class: "badge solid", "data-service": service }, serviceIcon(service)))),
        h("span", { class: "quiet" }, ROLES[role] ?? role),
        state),
      seen,
      h("div", { class: "group", role: "group", "aria-label": `What ${name} does` }, power, ...faults, heal),
      error);
    return {
      root,
      /** @param {FleetNode} node */
      update: (node) => {
        current = node;
        const stopped = node.state === "stopped";
        setAttributes(root, { "data-state": node.state, "data-fault": node.fault, "data-connections": node.connections });
        const fault = FAULTS.find(([action]) => action === node.fault);
        const connections = `${node.connections} connection${node.connections === 1 ? "" : "s"}`;
        setText(state, stopped ? "stopped" : fault ? fault[2] : connections);
        setText(power, stopped ? "Start" : "Stop");
        setAttributes(power, { "data-testid": `node-${name}-${stopped ? "start" : "stop"}`, "aria-label": `${power.textContent} ${name}`, title: stopped ? "" : "Closes at once, without a goodbye" });
        faults.forEach((element, index) => setAttribute(element, "aria-pressed", String(FAULTS[index][0] === node.fault)));
        setText(seen, sighted(this.#sightings.get(name)));
      },
    };
  }
}

/** @param {import("./fleet.js").Sighting | undefined} sighting */
function sighted(sighting) {
  if (!sighting) return "nothing seen yet";
  const { at, kind, protocol, detail } = sighting;
  return `${clock(at)} ${[kind, protocol, detail].filter(Boolean).join(" · ")}`;
}
