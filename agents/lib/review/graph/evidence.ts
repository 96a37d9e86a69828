// Finds the files that others name without an import: pages, workflows and configurations that start a script, strings with a
// path, patterns of bundlers, folders that are read. Each hint only says that a file may be in use, never that one is missing. Pure.
import { posix } from "node:path";
import { compileGlob, expandBraces, matchesGlob } from "../patterns/glob.ts";
import { findFile, findSource, findSourceFolders, type Listing, stemOf } from "./listing.ts";

/** Files besides code and manifests that name code: pages, templates, workflows, containers, configurations. */
export function isEvidence(file: string): boolean {
  const name = file.slice(file.lastIndexOf("/") + 1);
  return (
    /\.(?:html?|xhtml|ejs|hbs|handlebars|mustache|pug|jade|twig|njk|liquid|erb|php|jsp|cshtml|razor|vue|svelte|astro|mdx|ya?ml|toml|ini|sh|bash|webmanifest|jsonc?|json5|properties|gradle|rb|py|xml|plist|cfg|conf|service)$/i.test(
      name,
    ) ||
    /^(?:Dockerfile|Containerfile|Makefile|Procfile|Justfile|Jakefile|Rakefile|\.[\w.-]+rc)\b/i.test(name)
  );
}

/** The largest evidence that is read: larger JSON files are data. */
export const MAX_EVIDENCE_BYTES = 128 * 1024;
/** The most patterns that are compared with all files: 20,000 files take 5 ms each. Further patterns say nothing. */
const MAX_PATTERNS = 2_000;
/** The most answers that are remembered: a large repository has as many different paths. */
const MAX_ANSWERS = 50_000;
/** The longest string that may name a file. */
const MAX_PATH_CHARACTERS = 200;

// Each pattern takes linear time, because the texts may be hostile: no quantifier is followed by a text that it may contain.
const WORD = /[\w@~$.\\/+-]+/g;
const CODE_EXTENSION = /\.(?:[cm]?[jt]s|[jt]sx|vue|svelte|astro)$/;
const QUOTED = /(["'`])((?:(?!\1)[^\\\n]){1,200})\1/g;

/** Returns the texts in a file that may be paths: words with an extension of code, and quoted strings with a slash. */
export function pathsIn(text: string): Set<string> {
  const found = new Set<string>();
  for (const [word] of text.matchAll(WORD)) {
    if (word.length <= MAX_PATH_CHARACTERS && CODE_EXTENSION.test(word)) found.add(word);
  }
  for (const [, , quoted = ""] of text.matchAll(QUOTED)) {
    if (/[/*]/.test(quoted) && !/[\s<>|]/.test(quoted)) found.add(quoted);
    // A program that writes a program: `source += 'const a = require("./a");'`.
    else if (/["'`]/.test(quoted)) for (const specifier of looseImports(quoted)) found.add(specifier);
  }
  return found;
}

/** Imports and requires as a pattern sees them, for files without a syntax tree: pages, MDX, code that does not parse. */
export function looseImports(text: string): string[] {
  const pattern =
    /\b(?:import|export)\b[^"'`;()]{0,500}?["']([^"'\n]{1,200})["']|\b(?:import|require)\s{0,20}\(\s{0,20}["']([^"'\n]{1,200})["']/g;
  return [...text.matchAll(pattern)].map(([, first, second]) => first ?? second ?? "");
}

/** Resolves paths as people write them outside imports. */
export class Hints {
  readonly #listing: Listing;
  readonly #files: readonly string[];
  readonly #patterns = new Map<string, readonly string[]>();
  readonly #answers = new Map<string, readonly string[]>();

  constructor(listing: Listing, files: readonly string[]) {
    this.#listing = listing;
    this.#files = files;
  }

  /**
   * The files that a text may mean: relative to the naming file, to its package, to the root; the source of a build's output; else
   * every file whose path ends so. `bases` are folders, the nearest first.
   */
  filesOf(named: string, bases: readonly string[]): readonly string[] {
    const path = named.replace(/[?#].*$/, "").replace(/\\/g, "/");
    if (path === "" || path.length > MAX_PATH_CHARACTERS || /^[a-z][a-z0-9+.-]*:/i.test(path)) return [];
    if (path.includes("*")) return this.#matches(path, bases);
    const key = `${path}\n${bases.join("\n")}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const found = this.#search(path, bases);
    if (this.#answers.size < MAX_ANSWERS) this.#answers.set(key, found);
    return found;
  }

  #search(path: string, bases: readonly string[]): readonly string[] {
    const bare = path.replace(/^[/~@$]+\/?/, "");
    // Most strings with a slash are no paths: only the last name decides whether a file can be meant.
    const last = stemOf(bare.replace(/\/+$/, ""));
    if (bare === "" || bare === "." || bare === ".." || !this.#mayName(last)) return [];
    const found: string[] = [];
    for (const base of new Set(bases)) {
      for (const at of [
        posix.join(base, path.replace(/^\/+/, "")),
        posix.join(base, "src", bare),
        posix.join(base, "public", bare),
      ]) {
        const file = findFile(this.#listing, at);
        if (file !== null) found.push(file);
      }
      const source = /\.\w+$/.test(bare) ? findSource(this.#listing, base, bare) : null;
      if (source !== null) found.push(source);
    }
    const tail = bare.replace(/^(?:\.{1,2}\/)+/, "").replace(/\.[^./]+$/, "");
    // Without an extension, two folders and a name must agree.
    if (found.length > 0 || (!/\.\w+$/.test(bare) && !/[^/]\/[^/]+\/[^/]/.test(tail))) return found;
    return this.#listing
      .byStem(stemOf(tail))
      .filter((file) => `/${file.replace(/\.[^./]+$/, "")}`.endsWith(`/${tail}`));
  }

  #mayName(name: string): boolean {
    return this.#listing.byStem(name).length > 0 || this.#listing.hasFolderNamed(name);
  }

  /** The files of a pattern such as `./modules/*.ts` or `src/**\/*.entity{.ts,.js}`. */
  #matches(pattern: string, bases: readonly string[]): string[] {
    // A star alone, a pattern without a path (`text/*`, `*.example.com`) and an exclusion say nothing.
    if (!/^(?:[./@~$]|src|lib|app)|\*\*|\.\w+\}?$/.test(pattern) || pattern.startsWith("!")) return [];
    const tail = pattern.replace(/^[/@~$]+\/?/, "");
    if (!/\w/.test(tail.replace(/\*/g, "").replace(/\.\w+$/, "")) && !/^\.{1,2}\//.test(tail)) return [];
    return [...new Set(bases)].flatMap((base) => {
      const at = posix.join(base, tail).replace(/\.js$/, ".[jt]s");
      return at.startsWith("../") ? [] : this.#filesMatching(at);
    });
  }

  #filesMatching(pattern: string): readonly string[] {
    const known = this.#patterns.get(pattern);
    if (known !== undefined) return known;
    if (this.#patterns.size >= MAX_PATTERNS) return [];
    const globs = expandBraces(pattern).flatMap((one) => {
      const glob = compileGlob(one);
      return glob === null ? [] : [glob];
    });
    const found = this.#files.filter((file) => globs.some((glob) => matchesGlob(glob, file)));
    this.#patterns.set(pattern, found);
    return found;
  }

  /** The files in a folder that a program reads, and below it; of a folder of the build's output, its sources. */
  filesInFolder(named: string, bases: readonly string[]): string[] {
    for (const base of bases) {
      const at = posix.join(base, named.replace(/^\/+/, ""));
      if (at !== "." && this.#listing.hasFolder(at)) return [...this.#listing.filesBelow(at)];
      const sources = findSourceFolders(this.#listing, base, named.replace(/^\/+/, ""));
      if (sources.length > 0) return sources.flatMap((source) => [...this.#listing.filesBelow(source)]);
    }
    return [];
  }
}

/**
 * A configuration of webpack names its entries relative to this folder: `context: __dirname + "/lib"`, `context: path.resolve(__dirname, "lib")`
 * (https://webpack.js.org/configuration/entry-context/).
 */
const CONTEXT = /\bcontext\s{0,20}:\s{0,20}[\w.,( +]{0,80}["'`]([\w./-]{1,200})["'`]/g;

/** The folders that a configuration names as its context, relative to it. */
export function contextsIn(text: string): string[] {
  return [...text.matchAll(CONTEXT)].map(([, folder = ""]) => folder.replace(/^\/+/, ""));
}

/** Calls that load the files of a folder. */
export const READS_FOLDERS =
  /\b(?:readdir(?:Sync)?|opendir(?:Sync)?|require\.context|import\.meta\.glob(?:Eager)?|fast-?glob|globby?(?:Sync)?|walk(?:Sync)?|requireDir|require-dir(?:ectory)?|require-all|autoload|auto-?load|importAll|loadFiles|load(?:Commands|Routes|Plugins|Modules|Models)|klaw|readDir|readDirSync)\b/i;
