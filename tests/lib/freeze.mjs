/**
 * A page that is stopped as a whole, as browsers do with one that nobody looks at, or a machine with all of them: its
 * scripts, timers and sockets' handlers stand still, and the far side goes on writing. The browser's own command for it
 * has no effect on a page that is driven by a test, which counts as looked at.
 */

/** The processes that run the pages of a browser. */
async function renderers(/** @type {import("playwright-core").Browser} */ browser) {
  const session = await browser.newBrowserCDPSession();
  try {
    const { processInfo } = await session.send("SystemInfo.getProcessInfo");
    const pids = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => id);
    if (pids.length === 0) throw new Error("no page runs in this browser");
    return pids;
  } finally {
    await session.detach();
  }
}

/**
 * Stops every page of a browser, which is best one of the test's own.
 *
 * @param {import("playwright-core").Browser} browser
 * @returns {Promise<() => void>} lets them go on
 */
export async function freeze(browser) {
  const pids = await renderers(browser);
  for (const pid of pids) process.kill(pid, "SIGSTOP");
  return () => {
    for (const pid of pids) process.kill(pid, "SIGCONT");
  };
}
