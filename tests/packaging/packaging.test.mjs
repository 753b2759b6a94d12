// The packed package in fresh projects of five kinds, and in Node.
import assert from "node:assert/strict";
import { copyFileSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { newPage } from "../lib/browser.mjs";
import { startFleet } from "../lib/fleet.mjs";
import { PKG_DIR } from "../lib/paths.mjs";
import { serveStatic } from "../lib/static.mjs";
import { useBrowser } from "../lib/suite.mjs";
import { pack, project } from "./project.mjs";

const browser = useBrowser();
/** @type {Awaited<ReturnType<typeof pack>>} */
let packed;
/** @type {import("../lib/fleet.mjs").Fleet} */
let fleet;
before(async () => {
  packed = await pack();
  fleet = await startFleet();
});
after(async () => {
  packed?.remove();
  await fleet?.stop();
});

/** The dapp: what it needs to know of the local network stands in its address. */
const APP = `
import { createLightNode } from "lightkeeper";

const options = JSON.parse(new URLSearchParams(location.search).get("options"));
globalThis.outcome = (async () => {
  const node = await createLightNode(options);
  await node.ready({ timeoutMs: 60_000 });
  const { state } = node.health();
  const { accepted } = await node.lightPush.send({ contentTopic: "/lightkeeper/1/packaging/proto", payload: new Uint8Array([1]) });
  await node.close();
  return { state, accepted: accepted.length >= 1 };
})();
`;

const html = (/** @type {string} */ script, head = "") =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>A dapp</title><link rel="icon" href="data:,">${head}</head><body>${script}</body></html>\n`;

/** Serves what was built and opens it: the node reaches ready on the local network, and sends. */
async function opens(/** @type {string} */ folder) {
  const server = await serveStatic({ folders: { "/": folder } });
  const watched = await newPage(browser());
  try {
    const { enrtree, resolver, network } = await fleet.info();
    const url = new URL(server.url);
    url.searchParams.set("options", JSON.stringify({ network, bootstrap: [enrtree], resolvers: [resolver] }));
    await watched.page.goto(url.href);
    await watched.page.waitForFunction(() => globalThis.outcome !== undefined).catch((error) => {
      throw new Error(`the dapp did not run: ${error.message}\n${JSON.stringify(watched.console)}`);
    });
    const outcome = await watched.page.evaluate(() => globalThis.outcome);
    assert.deepEqual(outcome, { state: "met", accepted: true });
    assert.deepEqual(watched.unexpectedOnConsole(), []);
  } finally {
    await watched.close();
    await server.stop();
  }
}

test("the package holds what it needs and nothing of tests, tools or Rust", () => {
  const must = ["LICENSE-APACHE", "LICENSE-MIT", "README.md", "index.d.ts", "index.js", "lightkeeper_bg.wasm", "package.json", "policy.d.ts", "types/reasons.d.ts"];
  assert.deepEqual(must.filter((file) => !packed.files.includes(file)), []);
  const strange = packed.files.filter((file) => !must.includes(file) && !/^([\w-]+\.js|types\/\w+\.d\.ts)$/.test(file) && !file.startsWith("snippets/"));
  assert.deepEqual(strange, []);
  assert.deepEqual(packed.files.filter((file) => /test|bench|\.rs$|Cargo|node_modules/i.test(file)), []);
});

test("package.json leads everywhere that it says, and asks for nothing", () => {
  const json = JSON.parse(readFileSync(`${PKG_DIR}/package.json`, "utf8"));
  assert.equal(json.name, "lightkeeper");
  assert.equal(json.type, "module");
  assert.deepEqual(Object.keys({ ...json.dependencies, ...json.peerDependencies, ...json.scripts }), []);
  const targets = (/** @type {any} */ value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(targets));
  for (const target of targets(json.exports)) assert.ok(packed.files.includes(target.replace("./", "")), target);
});

test("Vite builds it without configuration, and the page gets ready", async () => {
  const dapp = await project(packed.tarball, {
    "index.html": html(`<script type="module" src="/main.js"></script>`),
    "main.js": APP,
  });
  try {
    await dapp.tool("vite", ["build", "--logLevel", "warn"]);
    assert.ok(dapp.list("dist").some((file) => file.endsWith(".wasm")));
    await opens(dapp.path("dist"));
  } finally {
    dapp.remove();
  }
});

test("webpack builds it without configuration, and the page gets ready", async () => {
  const dapp = await project(packed.tarball, {
    "dist/index.html": html(`<script src="main.js"></script>`),
    "src/index.js": APP,
  });
  try {
    await dapp.tool("webpack-cli", ["--mode", "production"]);
    assert.ok(dapp.list("dist").some((file) => file.endsWith(".wasm")));
    await opens(dapp.path("dist"));
  } finally {
    dapp.remove();
  }
});

test("esbuild builds it with the wasm put beside the bundle, as its README says, and the page gets ready", async () => {
  const dapp = await project(packed.tarball, {
    "dist/index.html": html(`<script type="module" src="main.js"></script>`),
    "main.js": APP,
  });
  try {
    await dapp.tool("esbuild", ["main.js", "--bundle", "--minify", "--format=esm", "--outdir=dist", "--log-level=error"]);
    copyFileSync(dapp.path("node_modules/lightkeeper/lightkeeper_bg.wasm"), dapp.path("dist/lightkeeper_bg.wasm"));
    await opens(dapp.path("dist"));
  } finally {
    dapp.remove();
  }
});

test("a plain page loads it with an import map, and gets ready", async () => {
  const dapp = await project(packed.tarball, {
    "index.html": html(
      `<script type="module">${APP}</script>`,
      `<script type="importmap">{ "imports": { "lightkeeper": "./node_modules/lightkeeper/index.js" } }</script>`,
    ),
  });
  try {
    await opens(dapp.folder);
  } finally {
    dapp.remove();
  }
});

const TYPED = `
import { createLightNode, LightNodeError, type LightNode, type Message, type PeerInfo } from "lightkeeper";

export async function main(payload: Uint8Array): Promise<string[]> {
  const node: LightNode = await createLightNode({ bootstrap: ["enrtree://…"], require: { lightPush: 1, filter: { target: 2 } } });
  node.addEventListener("peer:disconnect", (event) => console.log(event.detail.peerId, event.detail.cause));
  try {
    await node.ready({ timeoutMs: 10_000 });
    const seen: Message[] = [];
    await node.filter.subscribe(["/app/1/chat/proto"], (message) => { seen.push(message); });
    const report = await node.lightPush.send({ contentTopic: "/app/1/chat/proto", payload });
    for await (const message of node.store.query({ contentTopics: ["/app/1/chat/proto"] })) seen.push(message);
    return [report.hash, ...node.peers().map((peer: PeerInfo) => peer.peerId), ...seen.map(({ hash }) => hash)];
  } catch (error) {
    if (error instanceof LightNodeError && error.code === "no-peer") return [];
    throw error;
  }
}
`;

for (const [module, resolution] of [["esnext", "bundler"], ["nodenext", "nodenext"]]) {
  test(`tsc --strict takes it (${resolution}), and finds what is wrong`, async () => {
    const dapp = await project(packed.tarball, { "main.ts": TYPED, "wrong.ts": `import { createLightNode } from "lightkeeper";\ncreateLightNode({ bootstraps: [] });\n` });
    const flags = ["--strict", "--noEmit", "--target", "es2022", "--lib", "es2022,dom,esnext.disposable", "--types", "", "--module", module, "--moduleResolution", resolution];
    try {
      await dapp.tool("tsc", [...flags, "main.ts"]);
      await assert.rejects(dapp.tool("tsc", [...flags, "wrong.ts"]), /bootstraps/);
    } finally {
      dapp.remove();
    }
  });
}

test("importing it in Node works, and making a node there says why it cannot", async () => {
  const dapp = await project(packed.tarball, {
    "main.mjs": `
      import { createLightNode, LightNodeError } from "lightkeeper";
      const error = await createLightNode().catch((error) => error);
      console.log(JSON.stringify({ ours: error instanceof LightNodeError, code: error.code, message: error.message }));
    `,
  });
  try {
    const { stdout } = await dapp.run(process.execPath, ["main.mjs"]);
    const error = JSON.parse(stdout);
    assert.equal(error.ours, true);
    assert.equal(error.code, "unsupported");
    assert.match(error.message, /browser/);
  } finally {
    dapp.remove();
  }
});
