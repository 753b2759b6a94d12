// The command that serves the demo, as someone runs it who has just cloned the repository.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { openDemo } from "../lib/demo.mjs";
import { ROOT } from "../lib/paths.mjs";
import { start } from "../lib/process.mjs";
import { useBrowser } from "../lib/suite.mjs";

const browser = useBrowser();
const SERVE = join(ROOT, "www/serve");
/** It looks whether anything must be built, which takes cargo a while even when nothing must. */
const START_MS = 15 * 60_000;

test("www/serve prints an address where the page gets ready, and Ctrl-C ends everything", { timeout: START_MS }, async () => {
  const serve = await start(SERVE, ["--port", "0", "--nodes", "8", "--seed", "3"], { ready: /(http:\/\/127\.0\.0\.1:\d+\/)/, limitMs: START_MS, cwd: "/" });
  const url = serve.ready[1];
  let sockets;
  try {
    const demo = await openDemo(browser(), url);
    await demo.ready();
    demo.assertConsole();
    sockets = demo.watched.sockets.map((socket) => socket.url.replace("ws:", "http:"));
    await demo.close();
  } finally {
    await serve.stop("SIGINT");
  }
  for (const each of [url, ...sockets]) await assert.rejects(fetch(each), `${each} still answers`);
});

test("www/serve says in one line what is wrong with an argument", () => {
  for (const args of [["--prot", "1"], ["--port", "eighty"]]) {
    const { status, stderr, stdout } = spawnSync(SERVE, args, { encoding: "utf8" });
    assert.notEqual(status, 0);
    assert.equal(stdout, "");
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.ok(stderr.includes(args[0]), stderr);
  }
});
