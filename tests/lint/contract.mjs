/**
 * The pages of the contract, and what cites them.
 *
 * Code and tests cite rules ("4.14"), invariants ("S18"), failures elsewhere ("F8") and sections of pages ("filter.md,
 * section 7"). A reader must find each of them in the tree; each rule must name the invariants that would catch its
 * removal; and each of these must be cited by a test. This reads the texts, as purity.mjs does.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { codeOnly } from "./purity.mjs";

/** Where pages may stand. */
const PAGES = /^src\/(.*\/)?[a-z0-9-]+\.md$|^src\/(.*\/)?README\.md$|^(pkg-template\/)?README\.md$/;
/** What is read for citations. */
const CITING = /^(src|tests|pkg-template|www)\/.*\.(rs|mjs|js|ts|md|toml|txt|sh|patch|html)$|^(README\.md|Cargo\.toml|tests\/run)$/;
/** Generated, or of others. */
const LEFT_OUT = /node_modules|vectors\.json|package-lock|tests\/lint\/contract\.test\.mjs/;

const CODE = /\.(rs|mjs|js|ts)$/;

/**
 * Only comments and string contents, everything else blanked; line breaks inside a comment become spaces of equal length, so
 * that a citation may go on in the next line and every place stays where it was.
 *
 * @param {string} source
 * @returns {string}
 */
export function proseOnly(source) {
  const code = codeOnly(source);
  let prose = "";
  for (let at = 0; at < source.length; at += 1) {
    const kept = source[at] === code[at] && source[at] !== "\n" ? " " : source[at];
    prose += kept;
  }
  return joined(prose);
}

/** Line breaks with the comment leader of the next line, as spaces. */
function joined(/** @type {string} */ text) {
  return text.replace(/\n[ \t]*(?:\/\/[/!]?|\*(?!\/)|#)?/g, (gap) => " ".repeat(gap.length));
}

/**
 * @typedef {{ at: number, page?: string, section?: string, id?: string }} Citation
 */

/**
 * What a text cites.
 *
 * @param {string} text
 * @param {{ numbers?: boolean }} [options] `numbers`: whether a bare "4.14" is a citation there
 * @returns {Citation[]}
 */
export function citations(text, { numbers = true } = {}) {
  /** @type {Citation[]} */
  const found = [];
  let rest = text;
  const take = (/** @type {RegExp} */ pattern, /** @type {(match: RegExpMatchArray) => void} */ cite) => {
    for (const match of rest.matchAll(pattern)) cite(match);
    rest = rest.replace(pattern, (all) => " ".repeat(all.length));
  };
  // Other documents' numbers are not ours: "RFC 8484, section 4.1", "waku-org/specs:standards/core/enr.md".
  take(/\bRFC \d+(?:, sections? [\d.]+)?/g, () => {});
  take(/[\w-]+\/[\w-]+:[\w./{},*-]+/g, () => {});
  take(/`[^`\s]*\/\*?\.md`/g, () => {});
  const LIST = String.raw`\d+(?:\.\d+)?(?:(?:,| and|, and| to) \d+(?:\.\d+)?)*`;
  take(new RegExp(String.raw`\b([A-Za-z0-9-]+\.md)(?:\s*\]\([^)]*\))?,?\s+(?:sections?\s+)?(${LIST})(?![\d.]*\d)`, "g"), (match) => {
    for (const section of match[2].match(/\d+(?:\.\d+)?/g) ?? []) found.push({ at: match.index ?? 0, page: match[1], section });
  });
  take(/\b([A-Za-z0-9-]+\.md)\b/g, (match) => found.push({ at: match.index ?? 0, page: match[1] }));
  if (numbers) {
    take(/(?<![\d.,$€]|[\d.] )\b4\.\d{1,2}\b(?!\.?\d| ?%| ?(?:KB|ms|s|µs|MB|KiB)\b)/g, (match) => found.push({ at: match.index ?? 0, id: match[0] }));
  }
  take(/(?<![\w.-])[SLEADRF]\d{1,2}\b(?![.\w])/g, (match) => found.push({ at: match.index ?? 0, id: match[0] }));
  return found;
}

/**
 * The names of tests say whose invariant they show: `…_l3`.
 *
 * @param {string} source
 * @returns {Citation[]}
 */
export function citedByNames(source) {
  const names = source.matchAll(/\bfn (?:\w+_)?([sleadr]\d{1,2})(?:_\w+)?\(/g);
  return [...names].map((match) => ({ at: match.index ?? 0, id: match[1].toUpperCase() }));
}

/**
 * What a page has: the numbers of its sections, and the ids that stand first in the rows of its tables.
 *
 * @param {string} text
 * @returns {{ sections: Set<string>, ids: Set<string> }}
 */
export function contents(text) {
  const sections = new Set([...text.matchAll(/^#{2,4} (\d+(?:\.\d+)?)\.? /gm)].map((match) => match[1]));
  // Numbered rules of a section: "metadata.md, 5.6".
  let section = "";
  for (const line of text.split("\n")) {
    const heading = line.match(/^## (\d+)\. /);
    if (line.startsWith("#")) section = heading ? heading[1] : "";
    const rule = line.match(/^(\d+)\. /);
    if (section && rule) sections.add(`${section}.${rule[1]}`);
  }
  const ids = new Set([...text.matchAll(/^\| ([SLEADRF]\d{1,2}) \|/gm)].map((match) => match[1]));
  return { sections, ids };
}

/**
 * The rules of section 4: every list item directly below a heading "### 4.x", with the invariants in its last brackets.
 *
 * @param {string} text
 * @returns {{ line: number, number: string, text: string, holds: string[] | undefined }[]}
 */
export function rules(text) {
  const found = [];
  let number = "";
  const lines = text.split("\n");
  for (let line = 0; line < lines.length; line += 1) {
    const heading = lines[line].match(/^#+ (4\.\d+)? ?/);
    if (heading) number = heading[1] ?? "";
    if (number === "" || !lines[line].startsWith("- ")) continue;
    let end = line + 1;
    while (end < lines.length && !/^(- |#)/.test(lines[end]) && !(lines[end] === "" && !/^ /.test(lines[end + 1] ?? ""))) end += 1;
    const rule = lines.slice(line, end).join(" ").trim();
    const holds = rule.match(/\[((?:[SLEADR]\d{1,2}(?:, )?)+)\]$/);
    found.push({ line: line + 1, number, text: rule.slice(0, 80), holds: holds ? holds[1].split(", ") : undefined });
  }
  return found;
}

/** Sections whose items are no rules: a summary, what there must be, and trade-offs. */
const NO_RULES = new Set(["4.0", "4.12", "4.21", "4.22"]);

/**
 * Every fault of a tree of pages and files that cite them.
 *
 * @param {Map<string, string>} files path → text
 * @returns {string[]}
 */
export function check(files) {
  const faults = [];
  /** @type {Map<string, { sections: Set<string>, ids: Set<string> }>} */
  const pages = new Map();
  for (const [path, text] of files) {
    if (!PAGES.test(path)) continue;
    const name = basename(path);
    const known = pages.get(name) ?? { sections: new Set(), ids: new Set() };
    const has = contents(text);
    for (const section of has.sections) known.sections.add(section);
    pages.set(name, known);
  }
  // The contract is one page in several files.
  const inContract = [...files].filter(([path]) => path.startsWith("src/manager/contract"));
  const contract = { sections: new Set(), ids: new Set() };
  for (const [, text] of inContract) {
    for (const section of contents(text).sections) contract.sections.add(section);
    for (const id of contents(text).ids) contract.ids.add(id);
  }
  pages.set("contract.md", contract);
  const inTests = new Set();

  for (const [path, text] of files) {
    if (!CITING.test(path) || LEFT_OUT.test(path)) continue;
    const prose = CODE.test(path) ? proseOnly(text) : joined(text);
    const cited = citations(prose, { numbers: !/README\.md$|\.html$/.test(path) });
    if (path.endsWith(".rs")) cited.push(...citedByNames(text));
    for (const { at, page, section, id } of cited) {
      const line = text.slice(0, at).split("\n").length;
      const where = `${path}:${line}`;
      if (page !== undefined) {
        const there = pages.get(page);
        if (!there) faults.push(`${where}: there is no page ${page}`);
        else if (section !== undefined && !there.sections.has(section)) faults.push(`${where}: ${page} has no section ${section}`);
      } else if (id !== undefined) {
        if (!contract.sections.has(id) && !contract.ids.has(id)) faults.push(`${where}: the contract has no ${id}`);
        // A fault names the check that must see it, and is none.
        const ofTests = /^tests\/.*(?<!\.patch)$|\/tests(\/|\.rs$)/.test(path);
        if (ofTests || (path.endsWith(".rs") && text.slice(0, at).includes("#[cfg(test)]"))) inTests.add(id);
      }
    }
  }

  // A fault names the story that must fail with it.
  for (const [path, text] of files) {
    for (const match of path.endsWith(".patch") ? text.matchAll(/^Test: manager (\w+)::(\w+)$/gm) : []) {
      const stories = files.get(`tests/manager/${match[1]}.rs`) ?? "";
      if (!stories.includes(`fn ${match[2]}(`)) faults.push(`${path}: there is no story ${match[1]}::${match[2]}`);
    }
  }

  // What the pages say of the code is there: `room/file.rs` and `function()`.
  const manager = [...files].filter(([path]) => /^src\/manager\/.*\.rs$/.test(path));
  for (const [path, text] of inContract) {
    for (const match of text.matchAll(/`([a-z_]+(?:\/[a-z_]+)*\.rs)`|`([a-z_]+)\(\)`/g)) {
      const line = text.slice(0, match.index).split("\n").length;
      const [, file, name] = match;
      const whole = file?.startsWith("src/") ? file : `src/manager/${file}`;
      if (file !== undefined && !files.has(whole)) faults.push(`${path}:${line}: there is no ${whole}`);
      const defined = new RegExp(`\\bfn ${name}\\b`);
      if (name !== undefined && !manager.some(([, source]) => defined.test(source))) faults.push(`${path}:${line}: the manager has no ${name}()`);
    }
  }

  const named = new Set();
  for (const [path, text] of inContract) {
    for (const rule of rules(text)) {
      if (NO_RULES.has(rule.number)) continue;
      if (!rule.holds) faults.push(`${path}:${rule.line}: no invariant would catch the removal of: ${rule.text}`);
      for (const id of rule.holds ?? []) named.add(id);
    }
    for (const row of text.matchAll(/^\| ([SLEADR]\d{1,2}) \| (.*) \|$/gm)) {
      const later = row[2].includes("*Not built");
      if (!later && !inTests.has(row[1])) faults.push(`${path}: no test cites ${row[1]}`);
    }
  }
  for (const id of contract.ids) {
    if (!id.startsWith("F") && !named.has(id) && !inContract.some(([, text]) => new RegExp(`^\\| ${id} \\|.*\\*Not built`, "m").test(text))) {
      faults.push(`src/manager/contract: no rule names ${id}`);
    }
  }
  return faults;
}

/**
 * The files of the tree that are committed or about to be.
 *
 * @param {string} root
 * @returns {Map<string, string>}
 */
export function tree(root) {
  const names = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" });
  const wanted = names.split("\n").filter((path) => PAGES.test(path) || (CITING.test(path) && !LEFT_OUT.test(path)));
  /** @type {Map<string, string>} */
  const files = new Map();
  for (const path of wanted) {
    try {
      files.set(path, readFileSync(join(root, path), "utf8"));
    } catch {
      // Removed and not committed yet.
    }
  }
  return files;
}
