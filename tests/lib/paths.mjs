/** Where things lie. `tests/run` exports these; a suite that is run by hand falls back to the same places. */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));
export const TARGET_DIR = resolve(process.env.TARGET_DIR ?? process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"));
export const OUT_DIR = process.env.OUT_DIR ?? join(ROOT, "target");
export const FLEET_BIN = process.env.FLEET_BIN ?? join(TARGET_DIR, "debug/fleet");
export const REPLAY_BIN = process.env.REPLAY_BIN ?? join(TARGET_DIR, "debug/replay");
export const ZONE_BIN = process.env.ZONE_BIN ?? join(TARGET_DIR, "debug/examples/zone");
export const GO_WAKU_BIN = process.env.GO_WAKU_BIN ?? join(OUT_DIR, "interop/waku");
export const PKG_DIR = process.env.PKG_DIR ?? join(ROOT, "pkg");
export const TESTING_PKG_DIR = process.env.TESTING_PKG_DIR ?? join(OUT_DIR, "pkg-testing");
export const WWW_DIR = join(ROOT, "www");

/** @returns {string} the system's Chromium */
export function chromiumPath() {
  const candidates = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
  const found = candidates.find((path) => path && existsSync(path));
  if (!found) throw new Error("no Chromium: install your system's package, or set CHROMIUM to its path");
  return found;
}
