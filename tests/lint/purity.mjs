/**
 * The directions of dependencies between the modules of the crate, as rules over the text of their sources.
 *
 * The pure modules (`manager`, `discovery`, `protocols`) have no clock, no entropy source, no swarm, no browser and no
 * runtime, and do not know one another; nor has `shards`, which two of them share. The two shells (`browser`, `fleet`)
 * never meet, and nothing below a shell names one. A compiler would accept every violation, so this reads the sources.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";

const BY_PLATFORM = "differs by platform";

/** What no pure module may name, with the reason that a failure prints. */
const IMPURE = [
  [/\bstd::time::(?:\{[^}]*\b)?(Instant|SystemTime)\b/, "reads a clock: time is an argument"],
  [/\b(Instant|SystemTime)::now\b/, "reads a clock: time is an argument"],
  [/\bweb_time\b/, "reads a clock: time is an argument"],
  [/\bfutures_timer\b|\bgloo_timers\b/, "has a timer: deadlines are returned"],
  [/\btokio\b/, "needs a runtime"],
  [/\b(web_sys|js_sys|wasm_bindgen\w*|serde_wasm_bindgen|send_wrapper)\b/, "needs a browser"],
  [/\blibp2p(_swarm)?::/, "knows the swarm: of libp2p only libp2p_identity and multiaddr are allowed"],
  [/\bthread_rng\b|\bgetrandom\b|\bOsRng\b|\bSysRng\b|\bfrom_os_rng\b|\brand::(rng|random)\b/, "draws entropy: seeds are arguments"],
  [/\bstd::(net::(Tcp|Udp)|thread|fs|process|env::)/, "touches the system"],
  [/\bcfg\((?:not\()?target_arch\b/, BY_PLATFORM],
];

/** Which of the crate's modules each module may not name. */
const FORBIDDEN_MODULES = {
  shards: ["manager", "discovery", "protocols", "node", "transport", "browser", "fleet"],
  manager: ["discovery", "protocols", "node", "transport", "browser", "fleet"],
  discovery: ["manager", "protocols", "node", "transport", "browser", "fleet"],
  protocols: ["manager", "discovery", "node", "transport", "browser", "fleet"],
  // It reads addresses with the discovery's own reader: what is dialable and what is dialed must not differ.
  transport: ["manager", "protocols", "node", "browser", "fleet"],
  node: ["browser", "fleet"],
  browser: ["fleet"],
  fleet: ["browser"],
};

const PURE = ["manager", "discovery", "protocols", "shards"];

/**
 * The source with comments and string contents blanked, line by line as before: prose may name anything.
 *
 * @param {string} source
 * @returns {string}
 */
export function codeOnly(source) {
  const blank = (/** @type {string} */ text) => text.replace(/[^\n]/g, " ");
  const token =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|\bb?r(#*)"[\s\S]*?"\1|\bb?"(?:[^"\\]|\\[\s\S])*"|"(?:[^"\\]|\\[\s\S])*"|'(?:[^'\\\n]|\\[^\n]{1,8}?)'/g;
  return source.replace(token, blank);
}

/**
 * The violations in one file's text.
 *
 * @param {string} module the top-level module that the file belongs to
 * @param {string} source
 * @returns {{ line: number, text: string, why: string }[]}
 */
export function violations(module, source) {
  const found = [];
  const lines = codeOnly(source).split("\n");
  const shown = source.split("\n");
  lines.forEach((line, index) => {
    const report = (/** @type {string} */ why) => found.push({ line: index + 1, text: shown[index].trim(), why });
    if (PURE.includes(module)) {
      for (const [pattern, why] of IMPURE) if (pattern.test(line)) report(why);
    }
    for (const other of FORBIDDEN_MODULES[module] ?? []) {
      // `crate::other`, `crate::{…, other::…}`, and the way up and down again from a module's own file.
      const named = new RegExp(`\\b(crate|lightkeeper|super::super)::(?:\\{[^}]*\\b)?${other}\\b`);
      if (named.test(line)) report(`${module} does not know ${other}`);
    }
  });
  return found;
}

/**
 * Every violation under `src`, as lines that an editor can follow.
 *
 * @param {string} src
 * @returns {string[]}
 */
export function check(src) {
  const result = [];
  const names = readdirSync(src, { recursive: true }).map(String).filter((name) => name.endsWith(".rs"));
  for (const module of Object.keys(FORBIDDEN_MODULES)) {
    const ofModule = (/** @type {string} */ name) => name === `${module}.rs` || name.startsWith(`${module}${sep}`);
    const files = names.filter(ofModule);
    if (files.length === 0) result.push(`${relative(process.cwd(), src)}: no Rust file of ${module}: moved, or misspelt here`);
    for (const name of files) {
      const path = join(src, name);
      for (const { line, text, why } of violations(module, readFileSync(path, "utf8"))) {
        // What a module's tests are made with may be there natively alone: the module itself is the same everywhere.
        if (why === BY_PLATFORM && name.includes(`${sep}tests${sep}`)) continue;
        result.push(`${relative(process.cwd(), path)}:${line}: ${why}: ${text}`);
      }
    }
  }
  return result;
}
