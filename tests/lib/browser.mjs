/** Chromium for the tests: one launch list, pages that watch their sockets and their console. */
import { chromium } from "playwright-core";
import { chromiumPath } from "./paths.mjs";

/** The same list as in webdriver.json: no sandbox for root, and nothing that speaks to the outside. */
export const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** How long a test waits for something that must come. Never a measure: the machine may be busy. */
export const LIMIT_MS = 60_000;

/**
 * @param {{ args?: string[] }} [options]
 * @returns {Promise<import("playwright-core").Browser>} with a fresh profile
 */
export function launch({ args = [] } = {}) {
  return chromium.launch({ executablePath: chromiumPath(), headless: true, args: [...CHROMIUM_ARGS, ...args] });
}

/**
 * One WebSocket that the page opened. `playwright`'s own event does not report attempts that were refused; the
 * DevTools protocol does.
 *
 * @typedef {{ id: string, url: string, accepted: boolean, open: boolean }} Socket
 */

/** A page and what was seen of it. */
export class WatchedPage {
  /** @type {Socket[]} every attempt, in order */
  sockets = [];
  /** @type {{ type: string, text: string }[]} everything on the console, and errors that nobody caught */
  console = [];
  /** @type {RegExp[]} */
  #expected = [];

  /**
   * @param {import("playwright-core").BrowserContext} context
   * @param {import("playwright-core").Page} page
   * @param {import("playwright-core").CDPSession} cdp
   */
  constructor(context, page, cdp) {
    this.context = context;
    this.page = page;
    this.cdp = cdp;
    page.on("console", (message) => this.console.push({ type: message.type(), text: message.text() }));
    page.on("pageerror", (error) => this.console.push({ type: "uncaught", text: String(error.stack ?? error) }));
    page.on("crash", () => this.console.push({ type: "crash", text: "the page crashed" }));
    cdp.on("Network.webSocketCreated", ({ requestId, url }) => {
      this.sockets.push({ id: requestId, url, accepted: false, open: true });
    });
    cdp.on("Network.webSocketHandshakeResponseReceived", ({ requestId }) => this.#socket(requestId, { accepted: true }));
    cdp.on("Network.webSocketClosed", ({ requestId }) => this.#socket(requestId, { open: false }));
  }

  #socket(id, change) {
    const socket = this.sockets.find((each) => each.id === id);
    if (socket) Object.assign(socket, change);
  }

  /** @returns {Socket[]} accepted by the server and not closed since */
  openSockets() {
    return this.sockets.filter((socket) => socket.open);
  }

  /**
   * Says what the browser itself will print in this test: it logs each refused WebSocket and each failed request,
   * and no page can keep it from that.
   */
  expectOnConsole(/** @type {RegExp[]} */ ...patterns) {
    this.#expected.push(...patterns);
  }

  /** @returns {string[]} what stands on the console and was not expected */
  unexpectedOnConsole() {
    return this.console.filter(({ text }) => !this.#expected.some((pattern) => pattern.test(text))).map(({ type, text }) => `${type}: ${text}`);
  }

  async close() {
    await this.context.close();
  }
}

/** What Chromium prints when nobody answers at a WebSocket's address, or the server goes away while it connects. */
export const REFUSED_SOCKET = /WebSocket connection to 'ws:\/\/127\.0\.0\.1:\d+\/?' failed/;
/** What Chromium prints when a resolver answers with an error or not at all. */
export const FAILED_LOOKUP = /Failed to load resource: (the server responded with a status of|net::ERR_)/;

/**
 * A page in a context of its own, watched before anything loads.
 *
 * @param {import("playwright-core").Browser} browser
 * @param {import("playwright-core").BrowserContextOptions} [options]
 * @returns {Promise<WatchedPage>}
 */
export async function newPage(browser, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(LIMIT_MS);
  const cdp = await context.newCDPSession(page);
  const watched = new WatchedPage(context, page, cdp);
  await cdp.send("Network.enable");
  return watched;
}
