/** What most suites share: one browser for a file, one fleet and one page for each test, all ended whatever happens. */
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { openDemo } from "./demo.mjs";
import { startFleet } from "./fleet.mjs";

/** @type {import("playwright-core").Browser} */
let browser;

/** The file's browser: launched before its first test, closed after its last. */
export function useBrowser() {
  before(async () => {
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
  });
  return () => browser;
}

/**
 * Adds to what a failure says. Reporters print the stack, which has the message of when the error was made.
 *
 * @param {any} error
 * @param {string} story
 */
export function tellMore(error, story) {
  error.message += `\n\n${story}`;
  error.stack += `\n\n${story}`;
}

/**
 * A test with a fleet and the demo page on it. The page's console must hold nothing but what `expect` names.
 *
 * @param {string} name
 * @param {{ fleet?: Parameters<typeof startFleet>[0], demo?: Parameters<typeof openDemo>[2], ready?: boolean, before?: (fleet: import("./fleet.mjs").Fleet) => Promise<unknown> }} options
 *   `ready: false` starts the work at once; `before` runs when the fleet is up and the page is not
 * @param {(world: { fleet: import("./fleet.mjs").Fleet, demo: import("./demo.mjs").Demo }) => Promise<unknown>} work
 */
export function demoTest(name, options, work) {
  test(name, async () => {
    const fleet = await startFleet(options.fleet);
    let demo;
    try {
      await options.before?.(fleet);
      demo = await openDemo(browser, fleet.url, options.demo);
      if (options.ready !== false) await demo.ready();
      await work({ fleet, demo });
      demo.assertConsole();
    } catch (error) {
      if (demo) tellMore(error, `what happened in the page:\n${await demo.story()}`);
      throw error;
    } finally {
      await demo?.close();
      await fleet.stop();
    }
  });
}
