// Reads a Markdown page: its links, the ids that a link can open, and its blocks of commands. Pure. Knows the forms of ids of GitHub
// and of the common documentation sites. Leaves the judgement to docs.ts.
import { linesOf } from "../files.ts";

/** The facts about one page that the check of documentation uses. */
export interface Page {
  links: { target: string; line: number }[];
  /** The ids of the page, each reduced by looseAnchor. */
  anchors: ReadonlySet<string>;
  /** True when a part of the page comes from elsewhere: a component, an included file, a macro. Its ids are unknown. */
  hasForeignParts: boolean;
  /** True for a page with front matter, and for MDX: a site is built of it, and its links may lead to routes of the site. */
  isOfSite: boolean;
  /** The fenced blocks of shell commands. */
  blocks: { line: number; lines: string[] }[];
}

/** CommonMark 0.31, 4.5: the end of a fence has nothing after its marks; its start may have a language. */
const FENCE = /^\s*(?:>\s*)*(`{3,}|~{3,})\s*([^\s`{]*)(.*)$/;
const SHELL = /^(?:sh|bash|shell|zsh|console|terminal|shell-?session|shellscript)$/;
const INLINE_LINK =
  /(!?)\[((?:[^[\]]|\[[^[\]]*\])*)\]\(\s*<?([^\s()<>]+(?:\([^\s()]*\)[^\s()<>]*)*)>?(?:\s+["'(][^)]*)?\s*\)/g;
/** CommonMark 0.31, 4.7: the definition of a link has nothing after its title; the title may stand on the next line. */
const REFERENCE =
  /^\s{0,3}(?:>\s*)*\[[^\]^][^\]]*\]:\s*<?([^\s<>]+)>?(?:\s+(?:"[^"]*"|'[^']*'|\([^()]*\)))?\s*$/;
const THEMATIC_BREAK = /^\s{0,3}(?:(?:\*\s*){3,}|(?:_\s*){3,}|(?:-\s*){3,})$/;
// An attribute that a framework binds (`:href`, `v-bind:href`, `[href]`) has an expression as its value, and no link.
const HTML_LINK = /<(?:a|img|source|video)\b[^>]*?\s(?:href|src)\s*=\s*["']([^"']+)["']/gi;
const HTML_ANCHOR = /\b(?:id|name)\s*=\s*\{?["'`]?([^"'`\s>{}]+)/gi;
/** GitHub gives ids to headings in HTML as well, also to those over several lines. */
const HTML_HEADING = /<h([1-6])\b[^>]*>([\s\S]{0,500}?)<\/h\1>/gi;
/**
 * An id that the author chose: `{#id}` (VitePress, Docusaurus, Hugo), `{: #id}` (kramdown, Python-Markdown), `{#id .class}` (Pandoc),
 * `%{#id}%` and other marks around it.
 */
const CHOSEN_ID = /\{[^{}#]*#([\p{L}\p{N}_:.-]+)[^{}]*\}/gu;
const HEADING = /^(?:\s{0,3}(?:>|[-*+]|\d{1,9}[.)])\s+)*\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$/;
const UNDERLINE = /^\s{0,3}(?:=+|-+)\s*$/;
const FOOTNOTE = /^\[\^([^\]]+)\]:/;
/**
 * Parts from elsewhere: a component (`<ApiTable />`), and the directives that include a file in VitePress, Jekyll, Hugo, mdBook, MkDocs,
 * VuePress, Docsify and Sphinx.
 */
const FOREIGN =
  /(?:^|\s)<[A-Z][\w.]*(?:\s|\/?>)|<!--\s*@include|\{%-?\s*(?:include|render|import)|\{\{[<%]|\{\{#include|^\s*-{1,2}8<-{1,2}|^@\[|':include|^\s*:{3,}\s*(?:include|mkdocstrings|autodoc)|^::: [\w.]+\.[\w.]+\s*$|^```\{include\}/;
const LIST_ITEM = /^\s*(?:[-*+]|\d{1,9}[.)])(?:\s|$)/;
const INDENTED = /^(?: {4}| {0,3}\t)/;

/** Reads the text of a page. `isMdx` is true for MDX, which sites are built of. */
export function readPage(text: string, isMdx = false): Page {
  const ids = new Ids();
  const links: Page["links"] = [];
  const blocks: Page["blocks"] = [];
  const frontMatter = /^---[ \t]*\r?\n[\s\S]*?\n---[ \t]*(?:\r?\n|$)/.exec(text)?.[0] ?? "";
  const prose: string[] = [];
  let hasForeignParts = false;
  let previous = "";
  let isParagraph = false;
  for (const { line, visible, number } of proseOf(text, linesOf(frontMatter).length - 1, blocks)) {
    prose.push(visible);
    // A heading keeps its code spans.
    const heading = HEADING.exec(line)?.[1] ?? (UNDERLINE.test(line) ? previous : "");
    if (heading.trim() !== "") ids.addHeading(heading);
    for (const [, id = ""] of visible.matchAll(CHOSEN_ID)) ids.add(id);
    for (const [, id = ""] of visible.matchAll(HTML_ANCHOR)) ids.add(id);
    const note = FOOTNOTE.exec(visible)?.[1];
    if (note !== undefined) for (const id of [`fn${note}`, `fnref${note}`]) ids.add(id);
    hasForeignParts ||= FOREIGN.test(visible);
    for (const [, image, label = "", target = ""] of visible.matchAll(INLINE_LINK)) {
      // Without a text there is nothing to click: changelogs mark their entries in this way, `[](#new)`.
      if (image === "!" || label !== "") links.push({ target, line: number });
    }
    for (const [, target = ""] of visible.matchAll(HTML_LINK)) links.push({ target, line: number });
    // The definition of a link cannot interrupt a paragraph: there `[RFC 5424]: _severity` is text.
    const reference: string | undefined = isParagraph ? undefined : REFERENCE.exec(visible)?.[1];
    if (reference !== undefined) links.push({ target: reference, line: number });
    const isText = visible.trim() !== "" && heading.trim() === "" && !THEMATIC_BREAK.test(visible);
    isParagraph = isText && reference === undefined;
    previous = line;
  }
  for (const [, , heading = ""] of prose.join("\n").matchAll(HTML_HEADING)) ids.addHeading(heading);
  return { links, anchors: ids.all, hasForeignParts, isOfSite: isMdx || frontMatter !== "", blocks };
}

interface ProseLine {
  line: string;
  /** The line without code spans and comments, which contain examples of links. */
  visible: string;
  /** The number of the line, from 1. */
  number: number;
}

/** Returns the lines of a page outside front matter, comments and code, and collects the blocks of shell commands. */
function proseOf(text: string, skip: number, blocks: Page["blocks"]): ProseLine[] {
  const prose: ProseLine[] = [];
  let fence: { mark: string; block: Page["blocks"][number] | null } | null = null;
  let isComment = false;
  let isList = false;
  let before: "blank" | "code" | "text" = "blank";
  for (const [index, whole] of linesOf(text).entries()) {
    if (index < skip) continue;
    const opened = FENCE.exec(whole);
    if (fence !== null) {
      const isEnd = opened?.[1]?.startsWith(fence.mark) === true && `${opened[2]}${opened[3]}`.trim() === "";
      if (isEnd) fence = null;
      else fence.block?.lines.push(whole);
      continue;
    }
    // A comment hides the marks of fences as well.
    let line = whole;
    if (isComment) {
      const end = line.indexOf("-->");
      if (end === -1) continue;
      isComment = false;
      line = " ".repeat(end + 3) + line.slice(end + 3);
      if (line.trim() === "") continue;
    } else if (
      opened !== null &&
      !(opened[1]?.startsWith("`") === true && opened[3]?.includes("`") === true)
    ) {
      const block = SHELL.test(opened[2]?.toLowerCase() ?? "") ? { line: index + 2, lines: [] } : null;
      if (block !== null) blocks.push(block);
      fence = { mark: opened[1] ?? "```", block };
      before = "code";
      continue;
    }
    if (line.trim() === "") {
      if (before !== "code") before = "blank";
      prose.push({ line, visible: "", number: index + 1 });
      continue;
    }
    // Indented code starts after a blank line, and not in a list, whose items are indented as well.
    if (INDENTED.test(line) && before !== "text" && !isList) {
      before = "code";
      continue;
    }
    if (LIST_ITEM.test(line)) isList = true;
    else if (/^\S/.test(line) && before !== "text") isList = false;
    before = "text";
    let visible = line
      .replace(/(`+)(?:(?!\1).)*\1/g, (span) => " ".repeat(span.length))
      .replace(/<!--(?!\s*@include).*?-->/g, "");
    const start = /<!--(?!.*-->)/.exec(visible)?.index;
    if (start !== undefined) {
      isComment = true;
      visible = visible.slice(0, start);
    }
    prose.push({ line, visible, number: index + 1 });
  }
  return prose;
}

/** The ids of a page. */
class Ids {
  readonly all = new Set<string>(["", "top"]);
  readonly #counts = new Map<string, number>();

  add(id: string): void {
    this.all.add(looseAnchor(id));
  }

  /**
   * Adds the id of a heading. GitHub: lower case, without punctuation, hyphens for blanks, numbers for repeated headings. Documentation
   * sites treat hyphens, and markup in headings, in other ways. So every reading is accepted, and hyphens are not compared.
   */
  addHeading(heading: string): void {
    const text = heading.replace(/!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])/g, "$1");
    const bare = text.replace(/<[^>]+>/g, "").replace(/&(?:#?\w+);/g, "");
    const readings = [text, text.replace(/<[^>]+>/g, ""), bare, bare.replace(/:[\w+-]+:/g, "")];
    for (const slug of new Set(readings.map(looseAnchor))) {
      const count = this.#counts.get(slug) ?? 0;
      this.#counts.set(slug, count + 1);
      this.all.add(count === 0 ? slug : `${slug}${count}`);
    }
  }
}

/** Reduces an anchor or a heading to its letters and digits, for the comparison. */
export function looseAnchor(text: string): string {
  return text
    .replace(/^user-content-/, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]/gu, "");
}
