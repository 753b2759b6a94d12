/** Child processes that tests start: one line says that they are up, and they end by their own process id. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** Generous: the machine may be building something else at the same time. */
const START_LIMIT_MS = 60_000;
/** After this, a process that was asked to end is killed. */
const STOP_LIMIT_MS = 10_000;
/** How much of its output is kept for a failure's message. */
const KEPT_LINES = 200;

/** Everything that still runs; ended when the test process ends, however it does. */
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) {
  process.on(signal, () => process.exit(1));
}

/**
 * A started program.
 *
 * @typedef {object} Running
 * @property {number} pid
 * @property {RegExpMatchArray} ready the match of the line that was waited for
 * @property {() => string} output its last lines, both streams
 * @property {Promise<void>} ended
 * @property {(signal?: NodeJS.Signals) => Promise<void>} stop
 */

/**
 * Starts a program and waits until a line of its output matches.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ ready: RegExp, cwd?: string, env?: Record<string, string>, limitMs?: number }} options
 * @returns {Promise<Running>}
 */
export async function start(program, args, options) {
  // Standard input stays open as long as we live: programs that watch it end with us even when we are killed.
  const child = spawn(program, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ["pipe", "pipe", "pipe"] });
  running.add(child);
  /** @type {string[]} */
  const lines = [];
  const ended = new Promise((resolve) => child.once("close", () => resolve(undefined))).then(() => void running.delete(child));
  const output = () => lines.join("\n");

  const ready = await new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ what) => {
      child.kill("SIGKILL");
      reject(new Error(`${program}: ${what}\n${output()}`));
    };
    const timer = setTimeout(() => fail("did not come up in time"), options.limitMs ?? START_LIMIT_MS);
    child.once("error", (error) => fail(error.message));
    child.once("close", (code, signal) => fail(`ended early (${signal ?? code})`));
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        lines.push(line);
        if (lines.length > KEPT_LINES) lines.shift();
        const match = options.ready.exec(line);
        if (match) {
          clearTimeout(timer);
          resolve(match);
        }
      });
    }
  });

  return {
    pid: /** @type {number} */ (child.pid),
    ready,
    output,
    ended,
    async stop(signal = "SIGINT") {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill(signal);
        const timer = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
        await ended;
        clearTimeout(timer);
      }
    },
  };
}
