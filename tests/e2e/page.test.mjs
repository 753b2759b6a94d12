import assert from "node:assert/strict";
import { FAILED_LOOKUP, REFUSED_SOCKET } from "../lib/browser.mjs";
import { demoTest, useBrowser } from "../lib/suite.mjs";

useBrowser();

demoTest("the page fits a phone's width, ready and with a message", { demo: { context: { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true } } }, async ({ demo }) => {
  await demo.at("subscribe").click();
  await demo.at("message-text").fill("a".repeat(200));
  await demo.at("send").click();
  await demo.at("messages").locator("> *").first().waitFor();
  await demo.at(`peer-${(await demo.connected())[0].peerId}-why`).click();
  await demo.at("explain").waitFor();
  const { scroll, width, wide } = await demo.page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    // A table or a log may scroll within itself; nothing may stick out of the page.
    const scrolls = (/** @type {Element | null} */ element) => {
      for (let up = element?.parentElement; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== "visible") return true;
      return false;
    };
    const wide = [...document.body.querySelectorAll("*")].filter((element) => element.getBoundingClientRect().right > width + 1 && !scrolls(element));
    return { scroll: document.documentElement.scrollWidth, width, wide: wide.map(({ outerHTML }) => outerHTML.slice(0, 120)) };
  });
  assert.deepEqual(wide, []);
  assert.equal(width, 360);
  assert.ok(scroll <= width, `${scroll} > ${width}`);
});

demoTest("everything is done by keyboard, and what has the focus shows it", {}, async ({ demo }) => {
  const { page } = demo;
  const focused = () =>
    page.evaluate(() => {
      const element = /** @type {HTMLElement} */ (document.activeElement);
      const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(element);
      return { testid: element.dataset.testid, tag: element.tagName, shown: (outlineStyle !== "none" && outlineWidth !== "0px") || boxShadow !== "none" };
    });
  const tabTo = async (/** @type {string} */ testid) => {
    for (let press = 0; press < 200; press++) {
      await page.keyboard.press("Tab");
      const at = await focused();
      if (at.tag !== "BODY") assert.ok(at.shown, `the focus does not show on ${at.testid ?? at.tag}`);
      if (at.testid === testid) return;
    }
    assert.fail(`${testid} is not reached by Tab`);
  };
  await tabTo("message-text");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("typed");
  await tabTo("subscribe");
  await page.keyboard.press("Space");
  await page.locator("#subscriptions > *").first().waitFor();
  await page.evaluate(() => /** @type {HTMLElement} */ (document.querySelector('[data-testid="message-text"]')).focus());
  await page.keyboard.press("Enter");
  await demo.at("messages").getByText("typed").first().waitFor();
});

for (const [scheme, darker] of /** @type {const} */ ([["light", false], ["dark", true]])) {
  demoTest(`in ${scheme} the page is ${darker ? "dark with light" : "light with dark"} text`, { ready: false, demo: { context: { colorScheme: scheme } } }, async ({ demo }) => {
    const [text, ground] = await demo.page.evaluate(() => {
      // A canvas turns any spelling of a colour into bytes.
      const context = /** @type {CanvasRenderingContext2D} */ (document.createElement("canvas").getContext("2d", { willReadFrequently: true }));
      const style = getComputedStyle(document.body);
      const root = getComputedStyle(document.documentElement);
      const opaque = (/** @type {string} */ colour) => colour !== "rgba(0, 0, 0, 0)";
      return [style.color, opaque(style.backgroundColor) ? style.backgroundColor : root.backgroundColor].map((colour) => {
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
      });
    });
    assert.equal(ground < text, darker, `text ${text} on ${ground}`);
    assert.ok(Math.abs(ground - text) > 100, `text ${text} on ${ground}`);
  });
}

demoTest("the page's buttons stop, stall and start a node of the local network", { demo: { expect: [REFUSED_SOCKET] } }, async ({ fleet, demo }) => {
  const nodes = await fleet.nodes();
  const serving = (await demo.serving()).lightPush;
  const { name, peerId } = /** @type {any} */ (nodes.find((node) => node.peerId === serving[0]));
  await demo.at(`node-${name}-stop`).click();
  await demo.event("peer:disconnect", { peerId });
  await demo.page.locator(`[data-testid="node-${name}"][data-state="stopped"]`).waitFor();
  await demo.until("every target is met again", (node) => node.health().state === "met");
  await demo.page.locator(`[data-testid="event"][data-type="peer:disconnect"][data-peer="${peerId}"]`).waitFor();
  await demo.at(`node-${name}-start`).click();
  await demo.page.locator(`[data-testid="node-${name}"][data-state="running"]`).waitFor();
  await demo.at(`node-${name}-stall`).click();
  await demo.page.locator(`[data-testid="node-${name}"][data-fault="stall"]`).waitFor();
  await demo.at(`node-${name}-heal`).click();
  await demo.page.locator(`[data-testid="node-${name}"][data-fault="none"]`).waitFor();
  assert.equal((await fleet.byPeerId(peerId)).fault, "none");
});

demoTest("a page that goes offline, and comes back, says so", { demo: { expect: [REFUSED_SOCKET, FAILED_LOOKUP] } }, async ({ demo }) => {
  await demo.page.context().setOffline(true);
  await demo.event("network:change", { state: "offline" });
  const from = await demo.mark();
  await demo.page.context().setOffline(false);
  await demo.event("network:change", { state: "online" }, { from });
  await demo.ready();
});

demoTest("the panel Why shows each protocol's share, the last decisions, and why a peer that is pressed stands where it stands", {}, async ({ demo }) => {
  for (const name of ["lightPush", "filter", "store"]) await demo.at(`share-${name}`).filter({ hasText: "in use" }).waitFor();
  const [{ peerId }] = await demo.connected();
  await demo.at("decisions").locator(`[data-what="dialed"][data-peer="${peerId}"]`).first().waitFor();
  await demo.at(`peer-${peerId}-why`).click();
  await demo.page.locator(`[data-testid="explain"][data-peer="${peerId}"]`).filter({ hasText: "Used by" }).waitFor();
  await demo.page.locator(`#explain-decisions [data-peer="${peerId}"]`).first().waitFor();
  await demo.at(`peer-${peerId}-ban`).click();
  await demo.at("explain").filter({ hasText: "you banned it" }).waitFor();
  await demo.at("decisions").locator(`[data-peer="${peerId}"]`).filter({ hasText: "you banned it" }).first().waitFor();
  // In the picture a peer is pressed just as well.
  const [other] = (await demo.connected()).filter((peer) => peer.peerId !== peerId);
  const { name } = await demo.page.evaluate((id) => ({ name: globalThis.demo.session.fleet.nodes.find((node) => node.peerId === id).name }), other.peerId);
  await demo.at("topology").locator(".peer", { hasText: name }).first().click();
  await demo.page.locator(`[data-testid="explain"][data-peer="${other.peerId}"]`).waitFor();
});

demoTest("options from the address bar that are wrong are shown, with the option's name", { ready: false, demo: { query: { autostart: "0" } } }, async ({ fleet, demo }) => {
  await demo.page.goto(`${fleet.url}?bootstrap=/ip4/127.0.0.1/tcp/1/ws`);
  await demo.at("node-error").filter({ hasText: "bootstrap" }).waitFor();
});
