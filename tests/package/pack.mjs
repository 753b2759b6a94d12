/** The package, assembled around the sample's wasm: each call gives a fresh copy, whose modules know nothing of another. */

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

export const SAMPLE = fileURLToPath(new URL("sample/", import.meta.url));
const ASSEMBLE = fileURLToPath(new URL("../../pkg-template/assemble.mjs", import.meta.url));

export const wasmBytes = () => readFileSync(join(SAMPLE, "lightkeeper_bg.wasm"));

/** @param {import("node:test").TestContext} context removes it in the end */
export function pack(context) {
  const directory = mkdtempSync(join(tmpdir(), "lightkeeper-"));
  context.after(() => rmSync(directory, { recursive: true, force: true }));
  const out = join(directory, "pkg");
  execFileSync(process.execPath, [ASSEMBLE, "--bindgen", SAMPLE, "--out", out], { stdio: "pipe" });
  return out;
}

export const importFrom = (directory, file = "index.js") => import(pathToFileURL(join(directory, file)).href);

/** What of a page the package looks at. */
export function pretendPage(context) {
  const closed = [];
  class WebSocket {
    constructor(url) {
      this.url = url;
    }
    close() {
      closed.push(this.url);
    }
  }
  Object.assign(globalThis, { WebSocket, window: globalThis });
  context.after(() => {
    delete globalThis.WebSocket;
    delete globalThis.window;
  });
  return { closed };
}
