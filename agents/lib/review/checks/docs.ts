// Checks documentation: local links and anchors without a target, and commands that cannot be run as written. It reads the
// repository only and fetches nothing.
import { realpath, stat } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { Analysis, RawFinding, ReviewInput, Unjudged } from "../contract.ts";
import { anchorOf, isInside, isMissing, oneLine, readInside, readReviewed, targetOf } from "../files.ts";
import { KINDS } from "../kinds.ts";
import { IgnoreList, parseIgnore } from "../patterns/ignore.ts";
import { looseAnchor, type Page, readPage } from "./markdown.ts";

/** Checks the Markdown files of the input. */
export const docs: Analysis = async (input, tools) => {
  const findings: RawFinding[] = [];
  const unjudged: Unjudged[] = [];
  const repository = new Repository(input);
  for (const [at, file] of input.files.entries()) {
    tools.signal.throwIfAborted();
    const read = await readReviewed(input.directory, file);
    if (!("text" in read)) {
      unjudged.push(read.unjudged);
      continue;
    }
    const page = readPage(read.text, isMdx(file));
    findings.push(...(await brokenLinks(repository, file, page)));
    if (/(?:^|\/)(?:readme|contributing|development)\b/i.test(file)) {
      findings.push(...(await unknownCommands(repository, file, page)));
    }
    tools.progress((100 * (at + 1)) / input.files.length, file);
  }
  return { findings, unsure: [], unjudged };
};

/** Answers questions about the repository, and caches each answer. */
class Repository {
  readonly directory: string;
  readonly #pages = new Map<string, Page | null>();
  readonly #scripts = new Map<string, Promise<ReadonlySet<string> | null>>();
  readonly #ignored = new Map<string, Promise<IgnoreList>>();
  readonly #sites = new Map<string, Promise<boolean>>();

  constructor({ directory }: ReviewInput) {
    this.directory = directory;
  }

  /** True when a path (relative to the directory) exists; undefined when it is outside the directory. */
  async has(path: string): Promise<boolean | undefined> {
    if (path === ".." || path.startsWith("../")) return undefined;
    try {
      const real = await realpath(join(this.directory, path));
      if (!isInside(await realpath(this.directory), real)) return undefined;
      await stat(real);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  async page(path: string): Promise<Page | null> {
    const known = this.#pages.get(path);
    if (known !== undefined) return known;
    const text = await readInside(this.directory, path);
    const page = text === null ? null : readPage(text, isMdx(path));
    this.#pages.set(path, page);
    return page;
  }

  /**
   * True when a `.gitignore` ignores the path, so a checkout does not have it: the build makes it, or each developer has their own.
   * It is judged as a folder as well, because nothing tells the kind of a missing path.
   */
  async isMade(path: string): Promise<boolean> {
    const lists = await Promise.all(foldersAbove(path).map((folder) => this.#ignoreList(folder)));
    return lists.some((list) => list.ignores(path) || list.ignores(join(path, "file")));
  }

  #ignoreList(folder: string): Promise<IgnoreList> {
    return remembered(this.#ignored, folder, async () => {
      const text = await readInside(this.directory, join(folder, ".gitignore"));
      return new IgnoreList(parseIgnore(text ?? "", folder));
    });
  }

  /**
   * True for a page in the source of a documentation site: a folder above it has the generator's configuration. At the root that
   * configuration may be for the folder of the documentation alone.
   */
  async isOfSite(file: string): Promise<boolean> {
    const answers = await Promise.all(foldersAbove(file).map((folder) => this.#isSite(folder)));
    return answers.slice(1).includes(true) || (answers[0] === true && /^(?:docs?|content)\//.test(file));
  }

  #isSite(folder: string): Promise<boolean> {
    return remembered(this.#sites, folder, async () => {
      const answers = await Promise.all(SITE_FILES.map((name) => this.has(join(folder, name))));
      return answers.includes(true);
    });
  }

  /**
   * Returns the npm scripts that a command of the page can name: of every package from the page's folder up to the root, nearest
   * first. Null when one of them cannot be read, or when there is none.
   */
  async scripts(file: string): Promise<ReadonlySet<string> | null> {
    const folders = foldersAbove(file).toReversed();
    const found: string[] = [];
    let packages = 0;
    for (const folder of folders) {
      const path = join(folder, "package.json");
      if ((await this.has(path)) !== true) continue;
      const scripts = await remembered(this.#scripts, path, () => this.#scriptsOf(path));
      if (scripts === null) return null;
      packages++;
      found.push(...scripts);
    }
    return packages === 0 ? null : new Set(found);
  }

  async #scriptsOf(path: string): Promise<ReadonlySet<string> | null> {
    try {
      const text = (await readInside(this.directory, path)) ?? "null";
      const manifest = JSON.parse(text) as { scripts?: Record<string, string> } | null;
      return manifest === null ? null : new Set(Object.keys(manifest.scripts ?? {}));
    } catch {
      return null;
    }
  }
}

/** The configuration files and folders of the common generators of documentation sites. */
const SITE_FILES = [
  ".vitepress",
  ".vuepress",
  ...["docusaurus", "astro", "svelte", "nuxt", "next", "gatsby"].flatMap((name) =>
    ["js", "ts", "mjs"].map((end) => `${name}.config.${end}`),
  ),
  "gatsby-config.js",
  "mkdocs.yml",
  "_config.yml",
  "book.toml",
  "antora.yml",
  "conf.py",
  "hugo.toml",
  "mint.json",
  "docs.json",
  "SUMMARY.md",
  "_sidebar.md",
] as const;

/** Returns the folders of a path, from the root ("") down to its own folder. */
function foldersAbove(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return ["", ...parts.map((_, at) => parts.slice(0, at + 1).join("/"))];
}

/** Returns the value of a key, and makes it at the first question. */
function remembered<Value>(
  values: Map<string, Promise<Value>>,
  key: string,
  make: () => Promise<Value>,
): Promise<Value> {
  const known = values.get(key) ?? make();
  values.set(key, known);
  return known;
}

function isMdx(file: string): boolean {
  return file.endsWith(".mdx");
}

/** A form for issues and pull requests. Its links are examples, or are relative to the page of the issue. */
const FORM = /(?:^|\/)(?:pull_request_template|issue_template)(?:\/|\.md$)/i;
/** A route of a site: a path without a file's extension, or the page that the build makes of another one. */
const ROUTE = /(?:^|\/)[^/.]+\/?$|\/$|\.html?$/;
/** A page that JSDoc and TypeDoc make, by their fixed names: readmes and tutorials become pages beside it. */
const MADE_PAGE =
  /(?:^|\/)(?:global|modules|hierarchy|list_class|(?:module|external|namespace|mixin|tutorial)-[\w.-]+)\.html$/;
/** Anchors without a heading: lines of a file, a text fragment (WICG), and routes of a site in one page (`#/guide`, `#!/guide`). */
const NO_HEADING = /^(?:L\d|:~:|!?\/)/;

async function brokenLinks(repository: Repository, file: string, page: Page): Promise<RawFinding[]> {
  const findings: RawFinding[] = [];
  if (FORM.test(file)) return findings;
  const isOfSite = page.isOfSite || (await repository.isOfSite(file));
  for (const { target, line } of page.links) {
    const [path = "", anchor = ""] = target.split("#", 2);
    if (/^[a-z][a-z0-9+.-]*:|^\/|^\?|[{}$<>*]/i.test(target)) continue;
    const place = path === "" ? file : normalize(join(dirname(file), decode(path.replace(/\?.*$/, ""))));
    const there = path === "" ? place : await findPage(repository, place);
    if (there === undefined) continue;
    if (there === null) {
      const isPage = (isOfSite && ROUTE.test(path.replace(/\?.*$/, ""))) || MADE_PAGE.test(path);
      if (isPage || (await repository.isMade(place))) continue;
      const message = `The target of the link ${target} is missing: there is no ${place}. Correct the path, or remove the link.`;
      findings.push({
        ...finding("broken-link", "missing-file", file, line, message, target),
        ...targetOf(place),
      });
    } else if (anchor !== "" && /\.(?:md|markdown)$/i.test(there) && !NO_HEADING.test(anchor)) {
      const other = there === file ? page : await repository.page(there);
      if (other === null || other.hasForeignParts || other.anchors.has(looseAnchor(decode(anchor)))) continue;
      // GitHub shows a readme below the list of files, under this id.
      if (anchor === "readme" && /(?:^|\/)readme\.md$/i.test(there)) continue;
      const message = `The link to ${target} opens the top of the page: ${there} has no heading "#${anchor}".`;
      findings.push(finding("broken-anchor", "missing-heading", file, line, message, target));
    }
  }
  return findings;
}

/** Finds the file of a link as GitHub or a documentation site does; null when it is missing, undefined when unknown. */
async function findPage(repository: Repository, place: string): Promise<string | null | undefined> {
  const bare = place.replace(/\.html?$/, "").replace(/\/$/, "");
  for (const path of [place, `${bare}.md`, `${bare}.mdx`, `${bare}/index.md`]) {
    const there = await repository.has(path);
    if (there === undefined) return undefined;
    if (there) return path;
  }
  return null;
}

/** Finds npm scripts that package.json does not have, and programs that the repository does not have. */
async function unknownCommands(repository: Repository, file: string, page: Page): Promise<RawFinding[]> {
  const scripts = await repository.scripts(file);
  const findings: RawFinding[] = [];
  // A page about a new project made with this one describes the commands of the new project.
  if (/readme/i.test(file) && page.blocks.some(({ lines }) => lines.some(isAboutAnother))) return [];
  for (const { line, lines } of page.blocks) {
    if (lines.some(isAboutAnother) || lines.some((text) => /\bclone\b|\bcd\s|<\w+>/.test(text))) continue;
    for (const [at, text] of lines.entries()) {
      const command = text.trim().replace(/^[$>%#]\s+/, "");
      const script = /^npm (?:run(?:-script)? |(?=(?:test|start)\b))([\w:.-]+)/.exec(command)?.[1];
      if (script !== undefined && scripts !== null && !scripts.has(script)) {
        const message = `\`npm run ${script}\` fails: package.json has no script "${script}"${known(scripts)}.`;
        findings.push(finding("unknown-command", "npm-script", file, line + at, message, script));
      }
      const program = /^(?:(?:node|sh|bash)\s+)?\.\/([\w./-]+)/.exec(command)?.[1];
      if (program === undefined || /^(?:dist|build|out|target|bin|node_modules)\//.test(program)) continue;
      const places = [program, normalize(join(dirname(file), program))];
      const answers = await Promise.all(places.map((place) => repository.has(place)));
      if (answers.every((there) => there === false)) {
        const message = `The program \`./${program}\` is missing. Correct the command, or commit the program.`;
        findings.push(finding("unknown-command", "program", file, line + at, message, program));
      }
    }
  }
  return findings;
}

/** Matches commands that make a project, or install packages into a project. */
function isAboutAnother(command: string): boolean {
  return /\b(?:npx|degit|dlx|bunx)\b|\b(?:npm|pnpm|yarn|bun)\s+(?:create|init|add|i|install)\s+\S/.test(
    command,
  );
}

function known(scripts: ReadonlySet<string>): string {
  const names = [...scripts].slice(0, 6).join(", ");
  return names === "" ? "; it has none" : ` (it has ${names}${scripts.size > 6 ? ", …" : ""})`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function finding(
  kind: string,
  rule: string,
  file: string,
  line: number,
  message: string,
  anchor: string,
): RawFinding {
  const severity = KINDS[kind]?.severity ?? "low";
  return { kind, rule, severity, file, line, message: oneLine(message), anchor: anchorOf(anchor) };
}
