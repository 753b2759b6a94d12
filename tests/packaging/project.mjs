/** Fresh projects that install the packed package, as a dapp's author would make them. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { PKG_DIR, ROOT } from "../lib/paths.mjs";

const run = promisify(execFile);
/** The bundlers are the tests' own; a fresh project would install the same from the registry. */
const TOOLS = join(ROOT, "tests/node_modules/.bin");

/**
 * What `npm pack` makes of the package.
 *
 * @returns {Promise<{ tarball: string, files: string[], remove: () => void }>}
 */
export async function pack() {
  const folder = mkdtempSync(join(tmpdir(), "lightkeeper-pack-"));
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: PKG_DIR });
  // Versions of npm differ in whether they list the packages in an array or by name.
  const report = JSON.parse(stdout);
  const [{ filename, files }] = Array.isArray(report) ? report : Object.values(report);
  return {
    tarball: join(folder, filename),
    files: files.map((/** @type {{ path: string }} */ { path }) => path).sort(),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export class Project {
  folder = mkdtempSync(join(tmpdir(), "lightkeeper-project-"));

  /** @param {Record<string, string>} files path to text */
  write(files) {
    for (const [path, text] of Object.entries(files)) {
      const file = join(this.folder, path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
    }
  }

  /**
   * Runs a program in the project; its output is part of a failure's message.
   *
   * @param {string} program
   * @param {string[]} args
   */
  async run(program, args) {
    try {
      return await run(program, args, { cwd: this.folder, maxBuffer: 1 << 26 });
    } catch (error) {
      const { stdout, stderr } = /** @type {any} */ (error);
      throw new Error(`${program} ${args.join(" ")} failed\n${stdout}\n${stderr}`);
    }
  }

  /**
   * @param {"vite" | "webpack-cli" | "esbuild" | "tsc"} name
   * @param {string[]} args
   */
  tool(name, args) {
    return this.run(join(TOOLS, name), args);
  }

  /** @param {string} tarball */
  async install(tarball) {
    // The package has no dependencies: nothing has to be asked of a registry, and `--offline` proves it.
    await this.run("npm", ["install", "--offline", "--no-audit", "--no-fund", tarball]);
  }

  /** @param {string} path */
  path(path) {
    return join(this.folder, path);
  }

  /** @param {string} path */
  list(path) {
    return readdirSync(this.path(path), { recursive: true }).map(String);
  }

  remove() {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * @param {string} tarball
 * @param {Record<string, string>} files
 * @returns {Promise<Project>}
 */
export async function project(tarball, files) {
  const made = new Project();
  made.write({ "package.json": JSON.stringify({ name: "a-dapp", private: true, type: "module" }), ...files });
  await made.install(tarball);
  return made;
}
