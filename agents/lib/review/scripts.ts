// Finds the scripts of Vue, Svelte and Astro files. Pure. Every search runs forward only, so a hostile file costs time linear in its
// size.

/** True for a file with a template and scripts: Vue, Svelte and Astro. */
export function isComponent(file: string): boolean {
  return /\.(?:vue|svelte|astro)$/.test(file);
}

/** The scripts of a component as one program. */
export interface Script {
  /**
   * The component's text with blanks for everything that is not script, so that offsets and lines stay the same. A script of
   * another file (`<script src="./a.ts">`) is an import in the place of its tag.
   */
  text: string;
  lang: "jsx" | "ts" | "tsx";
}

/** The most characters of a script tag that are searched for attributes. */
const MAX_TAG_CHARACTERS = 2_000;
const JAVASCRIPT_TYPE = /^(?:module|(?:text|application)\/(?:javascript|typescript|ecmascript))$/i;

/** A page that mdsvex or a plugin like it compiles: `post.md.svelte`. It shows code between fences. */
const MARKDOWN_COMPONENT = /\.(?:mdx?|markdown|svx)\.(?:vue|svelte|astro)$/;
const FENCE = /^[ \t]{0,20}(`{3,20}|~{3,20})/;

/** Blanks the code between the fences of a page, which shows it and does not run it. Offsets and lines stay the same. */
function withoutFences(text: string): string {
  let fence = "";
  const lines = text.split("\n").map((line) => {
    const mark = FENCE.exec(line)?.[1] ?? "";
    const isInside = fence !== "" || mark !== "";
    if (fence === "") fence = mark;
    else if (mark.startsWith(fence)) fence = "";
    return isInside ? line.replace(/[^\r]/g, " ") : line;
  });
  return fence === "" ? lines.join("\n") : text;
}

/** Returns the scripts of a component: the code between its script tags, and the code above the template of an Astro file. */
export function scriptOf(file: string, whole: string): Script {
  const text = MARKDOWN_COMPONENT.test(file) ? withoutFences(whole) : whole;
  const isAstro = file.endsWith(".astro");
  const parts: string[] = [];
  const langs = new Set<string>(isAstro ? ["ts"] : []);
  let at = 0;
  const blankUntil = (end: number) => {
    parts.push(text.slice(at, end).replace(/[^\r\n]/g, " "));
    at = end;
  };
  const takeUntil = (end: number) => {
    parts.push(text.slice(at, end));
    at = end;
  };
  /** Ends the last statement of a script, so that the next script does not continue it. */
  const endStatement = () => {
    parts.push(";");
    at += 1;
  };

  const frontmatter = isAstro ? frontmatterOf(text) : null;
  if (frontmatter !== null) {
    blankUntil(frontmatter.start);
    takeUntil(frontmatter.end);
    endStatement();
    blankUntil(frontmatter.end + "---".length);
  }
  const opening = /<!--|<script(?=[\s>])/gi;
  const closing = /<\/script(?=[\s>])/gi;
  for (;;) {
    opening.lastIndex = at;
    const found = opening.exec(text);
    if (found === null) break;
    if (found[0] === "<!--") {
      const end = text.indexOf("-->", found.index);
      if (end === -1) break;
      blankUntil(end + 3);
      continue;
    }
    const start = endOfTag(text, found.index + found[0].length);
    if (start === null) break;
    closing.lastIndex = start;
    const isEmpty = text.endsWith("/>", start);
    const end = isEmpty ? start : closing.exec(text)?.index;
    if (end === undefined) break;
    const { lang, src, type } = attributesOf(text.slice(found.index, start));
    blankUntil(found.index);
    const imported = src?.startsWith(".") === true ? `import ${JSON.stringify(src)};` : "";
    if (imported !== "" && imported.length <= end - at) {
      at += imported.length;
      parts.push(imported);
    }
    blankUntil(start);
    if (!isEmpty && (type === undefined || JAVASCRIPT_TYPE.test(type))) {
      if (lang !== undefined) langs.add(lang);
      takeUntil(end);
      endStatement();
    }
  }
  blankUntil(text.length);
  const lang = langs.has("tsx") ? "tsx" : langs.has("ts") || langs.has("typescript") ? "ts" : "jsx";
  return { text: parts.join(""), lang };
}

/** Finds the code between the two lines `---` at the start of an Astro file. */
function frontmatterOf(text: string): { start: number; end: number } | null {
  const start = /^\s*---[^\S\r\n]*\r?\n/.exec(text)?.[0].length;
  if (start === undefined) return null;
  const line = /^---/gm;
  line.lastIndex = start;
  const end = line.exec(text)?.index;
  return end === undefined ? null : { start, end };
}

/** Returns the offset after the `>` of a tag; a `>` in quotes is part of an attribute. */
function endOfTag(text: string, from: number): number | null {
  let quote = "";
  for (let at = from; at < text.length; at++) {
    const character = text.charAt(at);
    if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === ">") return at + 1;
    else if (character === '"' || character === "'") quote = character;
  }
  return null;
}

function attributesOf(tag: string): { lang?: string; src?: string; type?: string } {
  const attributes: Record<string, string> = {};
  const pairs = tag
    .slice(0, MAX_TAG_CHARACTERS)
    .matchAll(/\b(lang|src|type)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))/g);
  for (const [, name = "", double, single, bare] of pairs)
    attributes[name] ??= double ?? single ?? bare ?? "";
  return attributes;
}
