/**
 * Makes the npm package: `node pkg-template/assemble.mjs --bindgen DIR --out DIR`
 *
 * `--bindgen` has what `wasm-bindgen --target web --out-name lightkeeper` wrote; `--out` is made anew. Only files are read
 * and written, nothing is run.
 */

import { cpSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { wrapGlue } from "./glue.mjs";
import { TYPE_FILES, publicUnions } from "./unions.mjs";

const TEMPLATE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = join(TEMPLATE, "..");
const FACADE = [
  "index.js", "index.d.ts", "arguments.js", "check.js", "connections.js", "enrollment.js", "enrollments.js", "errors.js", "history.js", "instance.js", "lifecycle.js",
  "loader.js", "mailbox.js", "merge.js", "node.js", "options.js", "policy.js", "policy.d.ts", "services.js", "streams.js", "subscription.js", "turn.js",
  ...TYPE_FILES.map((file) => `types/${file}`),
];
const LICENSES = ["LICENSE-APACHE", "LICENSE-MIT"];

const { values } = parseArgs({ options: { bindgen: { type: "string" }, out: { type: "string" } } });
if (!values.bindgen || !values.out) {
  console.error("usage: node pkg-template/assemble.mjs --bindgen DIR --out DIR");
  process.exit(2);
}
assemble(values.bindgen, values.out);

/**
 * @param {string} bindgen
 * @param {string} out
 */
function assemble(bindgen, out) {
  const glue = wrapGlue(readFileSync(join(bindgen, "lightkeeper.js"), "utf8"), readFileSync(join(TEMPLATE, "glue-tail.js"), "utf8"));
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, "types"), { recursive: true });
  writeFileSync(join(out, "glue.js"), glue.source);
  copyFileSync(join(bindgen, "lightkeeper_bg.wasm"), join(out, "lightkeeper_bg.wasm"));
  if (existsSync(join(bindgen, "snippets"))) cpSync(join(bindgen, "snippets"), join(out, "snippets"), { recursive: true });
  // What only tests may call is there only when the wasm has it.
  for (const file of glue.names.includes("test_panic") ? [...FACADE, "testing.js"] : FACADE) copyFileSync(join(TEMPLATE, file), join(out, file));
  for (const file of LICENSES) copyFileSync(join(ROOT, file), join(out, file));
  writeFileSync(join(out, "package.json"), packageJson());
  writeFileSync(join(out, "README.md"), readme());
}

/** The version and the like stand in Cargo.toml alone. */
function packageJson() {
  const cargo = readFileSync(join(ROOT, "Cargo.toml"), "utf8");
  const template = JSON.parse(readFileSync(join(TEMPLATE, "package.json"), "utf8"));
  const field = (/** @type {string} */ name) => {
    const value = cargo.match(new RegExp(`^${name} = "(.*)"$`, "m"))?.[1];
    if (!value) throw new Error(`Cargo.toml has no ${name}`);
    return value;
  };
  const { name, type, ...rest } = template;
  const json = { name, version: field("version"), description: field("description"), license: `(${field("license")})`, type, ...rest };
  return `${JSON.stringify(json, undefined, 2)}\n`;
}

/** The tables of reasons are the doc comments of the types, so that the two cannot differ. */
function readme() {
  const unions = publicUnions();
  return readFileSync(join(TEMPLATE, "README.md"), "utf8").replace(/^<!-- table of (\w+) -->$/gm, (_, name) => {
    const members = unions.get(name);
    if (!members) throw new Error(`README.md wants a table of ${name}, which no type is`);
    return ["| text | meaning, and what to do |", "|---|---|", ...members.map(({ text, doc }) => `| \`${text}\` | ${doc} |`)].join("\n");
  });
}
