/**
 * The picture: this page in the middle, its peers around it.
 *
 * Each peer has an angle, by the order in which it was met, and a distance, by how close it is to being of use. Both are
 * CSS transforms of the same form on the peer and on its line, so that they stay together while they move; where the
 * visitor prefers no motion, the style sheet leaves the transitions out.
 */

import { byId, keyed, s, setAttribute, setAttributes, setText } from "./dom.js";
import { SERVICES, STATES } from "./words.js";

/** @typedef {import("lightkeeper").PeerInfo} PeerInfo */

/** Peers that are drawn; the table below has more. */
const MAX_PEERS = 32;
/** With more peers than this, only those in use are named. */
const MAX_NAMED = 14;
/** Travelling dots at once. */
const MAX_PULSES = 24;
const PULSE_MS = 700;
/** Of the distance to the edge, for peers of each state. @type {Record<string, number>} */
const DISTANCE = { connected: 0.68, closing: 0.8, dialing: 0.86 };
/** Radius of a service's disc and the step from one to the next. */
const DISC = 9;
const DISC_STEP = 21;
/** Width of a letter of a label: enough for any system font, since an SVG text cannot size the pill around it. */
const LETTER = 7.1;
/** Room for a peer's label at the edge. */
const MARGIN = { x: 52, y: 50 };
/** Closer than this, a peer's label would lie on the page's own; on a narrow screen the distances shrink towards it. */
const CLEARANCE = 94;

/** @param {number} angle degrees @param {number} radius */
const polar = (angle, radius) => `rotate(${angle}deg) translateX(${radius}px)`;

/** Services, in the order of their discs. */
const DRAWN = /** @type {const} */ (["lightPush", "filter", "store"]);

/**
 * A service of a peer: filled while it serves this page.
 * @param {{ service: string, serves: boolean, x: number }} first
 */
function disc({ service }) {
  const root = s("g", { class: "disc", "data-service": service },
    s("title", {}, SERVICES[service].title),
    s("circle", { r: DISC }),
    s("use", { href: `#icon-${service}`, x: -6.5, y: -6.5, width: 13, height: 13 }));
  return {
    root,
    /** @param {{ service: string, serves: boolean, x: number }} look */
    update: ({ serves, x }) => setAttributes(root, { transform: `translate(${x} -23)`, "data-serving": serves }),
  };
}

export class Topology {
  #svg = byId("topology");
  #links = s("g", { class: "links" });
  #pulses = s("g", { class: "pulses" });
  #peers = s("g", { class: "peers" });
  #nameOf;
  #explain;
  /** Order in which peers were first seen. @type {Map<string, number>} */
  #order = new Map();
  /** Where each drawn peer is. @type {Map<string, { angle: number, radius: number }>} */
  #places = new Map();
  #size = { width: 640, height: 420 };

  /**
   * @param {import("./words.js").NameOf} nameOf
   * @param {() => void} changed asks for a render
   * @param {(peerId: string) => void} explain
   */
  constructor(nameOf, changed, explain) {
    this.#nameOf = nameOf;
    this.#explain = explain;
    this.#svg.append(
      s("circle", { class: "orbit", r: "1" }),
      this.#links,
      this.#pulses,
      s("g", { class: "center" },
        s("circle", { class: "glow", r: 40 }),
        s("circle", { class: "lamp", r: 20 }),
        s("text", { y: 37 }, "this page")),
      this.#peers);
    new ResizeObserver(([{ contentRect }]) => {
      this.#size = { width: Math.max(280, contentRect.width), height: Math.max(280, contentRect.height) };
      changed();
    }).observe(this.#svg);
  }

  /**
   * How far the edge is in a direction: an ellipse that fills the picture.
   * @param {number} angle degrees
   */
  #edge(angle) {
    const a = this.#size.width / 2 - MARGIN.x;
    const b = this.#size.height / 2 - MARGIN.y;
    const radians = (angle * Math.PI) / 180;
    return (a * b) / Math.hypot(b * Math.cos(radians), a * Math.sin(radians));
  }

  /** @param {import("./session.js").Snapshot} snapshot */
  render({ peers, running }) {
    const { width, height } = this.#size;
    setAttribute(this.#svg, "viewBox", `${-width / 2} ${-height / 2} ${width} ${height}`);
    setAttribute(this.#svg, "data-running", running);

    const drawn = this.#choose(peers);
    this.#places.clear();
    drawn.forEach(({ peerId, state }, index) => {
      const angle = -90 + (360 * index) / drawn.length;
      const edge = this.#edge(angle);
      this.#places.set(peerId, { angle, radius: Math.max(edge * (DISTANCE[state] ?? 1), Math.min(edge, CLEARANCE)) });
    });
    const named = drawn.length <= MAX_NAMED;
    keyed(this.#links, drawn, ({ peerId }) => peerId, () => this.#link());
    keyed(this.#peers, drawn, ({ peerId }) => peerId, (first) => this.#peer(first));
    setAttribute(this.#peers, "data-named", named ? "all" : "used");

    const connected = drawn.filter(({ state }) => state === "connected").map(({ peerId }) => this.#nameOf(peerId));
    setText(byId("topology-title"), connected.length ? `This page is connected to ${connected.join(", ")}.` : "This page is connected to nobody.");
  }

  /**
   * The peers to draw, in the order of their angles: all of them, or the most useful ones when there are too many.
   * @param {PeerInfo[]} peers
   */
  #choose(peers) {
    const present = new Set(peers.map(({ peerId }) => peerId));
    for (const peerId of this.#order.keys()) if (!present.has(peerId)) this.#order.delete(peerId);
    let next = Math.max(-1, ...this.#order.values()) + 1;
    for (const { peerId } of peers) if (!this.#order.has(peerId)) this.#order.set(peerId, next++);
    const order = (/** @type {PeerInfo} */ peer) => this.#order.get(peer.peerId) ?? 0;
    const use = (/** @type {PeerInfo} */ peer) => DISTANCE[peer.state] ?? 1;
    return [...peers].sort((a, b) => use(a) - use(b) || order(a) - order(b)).slice(0, MAX_PEERS).sort((a, b) => order(a) - order(b));
  }

  #link() {
    const root = s("path", { class: "link", d: "M0 0H1" });
    return {
      root,
      /** @param {PeerInfo} peer */
      update: ({ peerId, state, serving }) => {
        const { angle, radius } = this.#place(peerId);
        root.style.transform = `rotate(${angle}deg) scaleX(${radius})`;
        setAttributes(root, { "data-state": state, "data-serving": serving.length > 0 });
      },
    };
  }

  /** @param {PeerInfo} first */
  #peer({ peerId }) {
    const name = this.#nameOf(peerId);
    const width = name.length * LETTER + 20;
    const services = s("g", { class: "discs" });
    const state = s("text", { class: "state", y: 26 });
    const title = s("title");
    const body = s("g", { class: "body" },
      title,
      s("rect", { class: "pill", x: -width / 2, y: -12, width, height: 24, rx: 12 }),
      s("text", { class: "name", y: 4 }, name),
      services,
      state);
    // A shortcut: the table has a button for each peer, also for the keyboard.
    const root = s("g", { class: "peer", onclick: () => this.#explain(peerId) }, body);
    return {
      root,
      /** @param {PeerInfo} peer */
      update: (peer) => {
        const { angle, radius } = this.#place(peer.peerId);
        root.style.transform = polar(angle, radius);
        body.style.transform = `rotate(${-angle}deg)`;
        setAttributes(root, { "data-state": peer.state, "data-serving": peer.serving.join(" ") });
        setText(title, `${name}: ${STATES[peer.state] ?? peer.state}`);
        setText(state, peer.state === "connected" ? "" : (STATES[peer.state] ?? peer.state));
        const offered = DRAWN.filter((service) => peer.services.includes(service) || peer.serving.includes(service));
        const discs = offered.map((service, index) => ({
          service,
          serves: peer.serving.includes(service),
          x: (index - (offered.length - 1) / 2) * DISC_STEP,
        }));
        keyed(services, discs, ({ service }) => service, disc);
      },
    };
  }

  /** @param {string} peerId */
  #place(peerId) {
    return this.#places.get(peerId) ?? { angle: 0, radius: 0 };
  }

  /**
   * Lets a dot travel between the page and a peer: a message.
   * @param {string} peerId
   * @param {"out" | "in"} direction
   * @param {string} service gives the colour
   */
  pulse(peerId, direction, service) {
    const place = this.#places.get(peerId);
    if (!place || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    if (this.#pulses.childElementCount >= MAX_PULSES || document.hidden) return;
    const dot = s("circle", { r: 5, class: "pulse", "data-service": service });
    this.#pulses.append(dot);
    const path = [polar(place.angle, 0), polar(place.angle, place.radius)];
    if (direction === "in") path.reverse();
    const frames = path.map((transform) => ({ transform }));
    dot.animate(frames, { duration: PULSE_MS, easing: "ease-in-out", fill: "both" }).finished.finally(() => dot.remove());
  }
}
