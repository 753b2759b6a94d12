/**
 * The demo: a dapp like any other, which imports the package and shows what its node does.
 *
 * It draws at most once per frame: when the node says something, when the local network does, when a button was pressed,
 * and each second for the ages. `window.demo` is for the console and for tests.
 */

import { errorSlot, perform, showError } from "./actions.js";
import { byId, oncePerFrame, setAttribute, setText } from "./dom.js";
import { FleetApi } from "./fleet.js";
import { FleetView } from "./fleet-view.js";
import { LogView } from "./log.js";
import { MessagesView } from "./messages.js";
import { PeersView } from "./peers.js";
import { Session } from "./session.js";
import { readSettings } from "./settings.js";
import { StatusView } from "./status.js";
import { Topology } from "./topology.js";
import { TriesView } from "./tries.js";
import { WhyView } from "./why.js";
import { shortId } from "./words.js";

/** How often ages are brought up to date. */
const TICK_MS = 1000;

const settings = readSettings(location.search);
const api = settings.fleet ? new FleetApi() : undefined;
const session = new Session(settings, api);

Object.assign(window, {
  demo: {
    /** The node, once there is one. */
    get node() {
      return session.hasNode ? session.node : undefined;
    },
    /** The last 5,000 events, oldest first: `{ type, detail, at, seq }`. */
    events: session.events,
    /** Client of the control API. */
    api,
    session,
  },
});

const nodeError = errorSlot("node-error");
byId("node-error").append(nodeError);

/** Names of the fleet's nodes; strangers have the end of their id. @param {string} peerId */
const nameOf = (peerId) => session.fleet?.nodes.find((node) => node.peerId === peerId)?.name ?? shortId(peerId);

/** A node could not be made. */
let failed = false;

/** Makes the first node; what is wrong with its options is shown, with a button to try again. */
async function create() {
  try {
    await session.create();
  } catch (error) {
    failed = true;
    showError(nodeError, error);
    session.changed();
  }
}

async function main() {
  try {
    session.fleet = await api?.fleet();
  } catch (error) {
    showError(nodeError, error);
  }
  const fleet = api && session.fleet ? new FleetView(session, api) : undefined;
  const status = new StatusView(session);
  const why = new WhyView(session, nameOf);
  const topology = new Topology(nameOf, () => session.changed(), (peerId) => why.explain(peerId));
  const peers = new PeersView(session, nameOf, (peerId) => why.explain(peerId));
  const log = new LogView(session, nameOf);
  const messages = new MessagesView(session, nameOf, (...travel) => topology.pulse(...travel));
  const tries = new TriesView(session, messages, fleet, nameOf);
  messages.offerShards();

  const toggle = byId("node-toggle", HTMLButtonElement);
  toggle.addEventListener("click", () =>
    perform(toggle, nodeError, () => {
      if (!session.hasNode) return session.create();
      return session.snapshot().running ? session.stop() : session.start();
    }));
  const renew = byId("new-node", HTMLButtonElement);
  renew.addEventListener("click", async () => {
    if (await perform(renew, nodeError, () => session.create())) toggle.focus();
  });

  const render = oncePerFrame(() => {
    const snapshot = session.snapshot();
    const { running } = snapshot;
    setText(byId("self"), session.peerId ? shortId(session.peerId) : "nobody yet");
    setAttribute(byId("self"), "title", session.peerId);
    setText(toggle, !session.hasNode ? "Make a node" : running ? "Stop the node" : "Start the node");
    setAttribute(toggle, "data-running", running);
    toggle.hidden = session.crash !== undefined;
    byId("crash").hidden = session.crash === undefined;
    setText(byId("crash-text"), session.crash === undefined ? "" : `The node crashed and is gone: ${session.crash}`);
    document.body.classList.toggle("crashed", session.crash !== undefined);
    if (session.hasNode || failed) status.render(snapshot);
    topology.render(snapshot);
    peers.render(snapshot);
    why.render(snapshot);
    messages.render();
    log.render();
    fleet?.render();
    tries.render();
  });
  session.addEventListener("change", render);
  setInterval(render, TICK_MS);
  await create();
}

await main();
