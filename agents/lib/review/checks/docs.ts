// Checks documentation: local links and anchors without a target, and commands that cannot be run as written. It reads the
// repository only and fetches nothing.
import { realpath, stat } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import type { Analysis, RawFinding, ReviewInput, Unjudged } from "../contract.ts";
import { anchorOf, isInside, isMissing, oneLine, readInside, readReviewed } from "../files.ts";
import { KINDS } from "../kinds.ts";

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
    const page = readPage(read.text);
    findings.push(...(await brokenLinks(repository, file, page)));
    if (/(?:^|\/)(?:readme|contributing|development)\b/i.test(file)) {
      findings.push(...(await unknownCommands(repository, file, page)));
    }
    tools.progress((100 * (at + 1)) / input.files.length, file);
  }
  return { findings, unsure: [], unjudged };
};

interface Page {
  links: { target: string; line: number }[];
  anchors: ReadonlySet<string>;
  /** The fenced blocks of shell commands. */
  blocks: { line: number; lines: string[] }[];
}

const FENCE = /^\s*(?:>\s*)?(`{3,}|~{3,})\s*([\w-]*)/;
const SHELL = /^(?:sh|bash|shell|zsh|console|terminal|shell-?session|shellscript)$/;
const INLINE_LINK =
  /!?\[(?:[^[\]]|\[[^[\]]*\])*\]\(\s*<?([^\s()<>]+(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+["'(][^)]*)?\s*\)/g;
const REFERENCE = /^\s{0,3}\[[^\]^][^\]]*\]:\s*<?(\S+?)>?(?:\s|$)/;
// An attribute that a framework binds (`:href`, `v-bind:href`, `[href]`) has an expression as its value, and no link.
const HTML_LINK = /<(?:a|img|source|video)\b[^>]*?\s(?:href|src)\s*=\s*["']([^"']+)["']/gi;
const HTML_ANCHOR = /\b(?:id|name)\s*=\s*["']?([^"'\s>]+)/gi;

function readPage(text: string): Page {
  const links: Page["links"] = [];
  const anchors = new Set<string>(["", "top"]);
  const slugs = new Map<string, number>();
  const blocks: Page["blocks"] = [];
  let fence: { mark: string; block: Page["blocks"][number] | null } | null = null;
  let isComment = false;
  let previous = "";
  for (const [index, line] of text.split("\n").entries()) {
    const opened = FENCE.exec(line);
    if (fence !== null) {
      if (opened?.[1]?.startsWith(fence.mark) === true && opened[2] === "") fence = null;
      else fence.block?.lines.push(line);
      continue;
    }
    if (opened !== null) {
      const block = SHELL.test(opened[2]?.toLowerCase() ?? "") ? { line: index + 2, lines: [] } : null;
      if (block !== null) blocks.push(block);
      fence = { mark: opened[1] ?? "```", block };
      continue;
    }
    // Code spans and comments contain examples of links.
    const visible = line
      .replace(/(`+)(?:(?!\1).)*\1/g, (span) => " ".repeat(span.length))
      .replace(/<!--.*?-->/g, "");
    if (visible.includes("<!--")) isComment = true;
    if (isComment) {
      isComment = !visible.includes("-->");
      continue;
    }
    const heading =
      /^\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$/.exec(line)?.[1] ?? (/^(?:=+|-+)\s*$/.test(line) ? previous : "");
    if (heading.trim() !== "") addSlug(anchors, slugs, heading);
    for (const found of visible.matchAll(INLINE_LINK))
      links.push({ target: found[1] ?? "", line: index + 1 });
    for (const found of visible.matchAll(HTML_LINK)) links.push({ target: found[1] ?? "", line: index + 1 });
    for (const found of visible.matchAll(HTML_ANCHOR)) anchors.add(looseAnchor(found[1] ?? ""));
    const reference = REFERENCE.exec(visible)?.[1];
    if (reference !== undefined) links.push({ target: reference, line: index + 1 });
    previous = line;
  }
  return { links, anchors, blocks };
}

/**
 * GitHub's heading ids: lower case, without punctuation, hyphens for blanks, numbers for repeated headings. Documentation sites
 * treat hyphens, and markup in headings, in other ways. So both readings are accepted, and hyphens are not compared.
 */
function addSlug(anchors: Set<string>, slugs: Map<string, number>, heading: string): void {
  const custom = /\{#([\w-]+)\}\s*$/.exec(heading);
  if (custom?.[1] !== undefined) anchors.add(looseAnchor(custom[1]));
  const text = heading.replace(/!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])/g, "$1");
  for (const slug of new Set([looseAnchor(text), looseAnchor(text.replace(/<[^>]+>/g, ""))])) {
    const count = slugs.get(slug) ?? 0;
    slugs.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}${count}`);
  }
}

/** Reduces an anchor or a heading to its letters and digits, for the comparison. */
function looseAnchor(text: string): string {
  return text.toLowerCase().replace(/[^\p{L}\p{M}\p{N}]/gu, "");
}

/** Answers questions about the repository, and caches each answer. */
class Repository {
  readonly directory: string;
  readonly #pages = new Map<string, Page | null>();
  #scripts: Promise<ReadonlySet<string> | null> | undefined;

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
    const page = text === null ? null : readPage(text);
    this.#pages.set(path, page);
    return page;
  }

  /** Returns the npm scripts of the root package; null without a readable package.json. */
  scripts(): Promise<ReadonlySet<string> | null> {
    this.#scripts ??= readInside(this.directory, "package.json").then((text) => {
      try {
        const manifest = JSON.parse(text ?? "null") as { scripts?: Record<string, string> } | null;
        return manifest === null ? null : new Set(Object.keys(manifest.scripts ?? {}));
      } catch {
        return null;
      }
    });
    return this.#scripts;
  }
}

async function brokenLinks(repository: Repository, file: string, page: Page): Promise<RawFinding[]> {
  const findings: RawFinding[] = [];
  for (const { target, line } of page.links) {
    const [path = "", anchor = ""] = target.split("#", 2);
    if (/^[a-z][a-z0-9+.-]*:|^\/|^\?|[{}$<>*]/i.test(target)) continue;
    const place = path === "" ? file : normalize(join(dirname(file), decode(path.replace(/\?.*$/, ""))));
    const there = path === "" ? place : await findPage(repository, place);
    if (there === undefined) continue;
    if (there === null) {
      const message = `The target of the link ${target} is missing: there is no ${place}. Correct the path, or remove the link.`;
      findings.push(finding("broken-link", "missing-file", file, line, message, target));
    } else if (anchor !== "" && /\.(?:md|markdown)$/i.test(there) && !/^L\d|^:~:/.test(anchor)) {
      const other = there === file ? page : await repository.page(there);
      if (other === null || other.anchors.has(looseAnchor(decode(anchor)))) continue;
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
  const scripts = await repository.scripts();
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
