// Finds the names that the compiler of JSX uses. `<b/>` becomes a call of a factory, which the code itself need not mention, so the
// linters take its import for unused. Configurations are read as text: nothing is run.
import { posix } from "node:path";
import { readInside } from "../files.ts";
import { type Source, walk } from "../syntax.ts";

/** Files that name the factory of a folder and the folders below it. The compilers read the nearest. */
const CONFIGURATIONS = [
  ...["tsconfig.json", "jsconfig.json", "tsconfig.base.json", "tsconfig.app.json"],
  ...["package.json", "deno.json", "deno.jsonc", ".swcrc", ".babelrc", ".babelrc.json"],
  ...["babel", "vite", "vitest", "rollup", "webpack", "tsup", "esbuild", "jest"].flatMap((tool) =>
    ["js", "cjs", "mjs", "ts", "mts", "json"].map((extension) => `${tool}.config.${extension}`),
  ),
  ...[
    ".babelrc.js",
    ".babelrc.cjs",
    "rsbuild.config.ts",
    "build.js",
    "build.mjs",
    "esbuild.js",
    "esbuild.mjs",
  ],
];
const CONFIGURATION_NAMES: ReadonlySet<string> = new Set(CONFIGURATIONS);
/** The largest configuration that is read: far above real ones. */
const MAX_CONFIGURATION_BYTES = 256 * 1024;

/**
 * The options of the compilers: `jsxFactory`, `jsxFragmentFactory` and `reactNamespace` of TypeScript, `jsxFragment` and
 * `--jsx-factory` of esbuild, `pragma` and `pragmaFrag` of Babel and SWC.
 */
const OPTION =
  /\b(?:jsx-?factory|jsx-?fragment(?:factory)?|reactNamespace|pragma(?:Frag)?)["'`]?\s{0,20}[:=]\s{0,20}["'`]?([A-Za-z_$][\w$]{0,100})/gi;
/** The options that make the compiler import the factory itself, so that the code's own import is no use. */
const IMPORTS_ITSELF =
  /\bjsxImportSource\b|\bjsx["'`]?\s{0,20}[:=]\s{0,20}["'`](?:react-jsx(?:dev)?|automatic|precompile)["'`]|\bruntime["'`]?\s{0,20}:\s{0,20}["'`]automatic["'`]/;
/** A pragma in a comment. https://www.typescriptlang.org/tsconfig/#jsxFactory, https://babeljs.io/docs/babel-plugin-transform-react-jsx */
const PRAGMA = /@jsx(?:Frag)?\s{1,20}([A-Za-z_$][\w$]{0,100})/g;

/** Packages whose own documentation names the factory that a file imports. It counts where no configuration says another thing. */
const FACTORIES: readonly { names: readonly string[]; from: RegExp }[] = [
  { names: ["h", "Fragment", "createElement"], from: /^preact(?:\/compat)?$/ },
  { names: ["h", "Fragment"], from: /^@stencil\/core$/ },
  { names: ["h", "Fragment", "jsx"], from: /^(?:snabbdom|nano-jsx|dom-chef|vhtml|hyperapp|vue|xm|jsx-dom)$/ },
];

/** True for a file that can name the factory of JSX. */
export function namesJsxFactory(file: string): boolean {
  return CONFIGURATION_NAMES.has(posix.basename(file));
}

/** Answers for the files of one directory; reads each configuration once. */
export class JsxNames {
  readonly #directory: string;
  readonly #texts = new Map<string, Promise<string>>();

  /** `directory`: absolute. */
  constructor(directory: string) {
    this.#directory = directory;
  }

  /** The names that the compiler uses in a file; none in a file without JSX. */
  async of(source: Source): Promise<ReadonlySet<string>> {
    if (!hasJsx(source)) return new Set();
    const named = source.comments.flatMap(({ value }) => namesIn(value, PRAGMA));
    const configurations = await this.#configurations(posix.dirname(source.file));
    const configured = configurations.flatMap((text) => namesIn(text, OPTION));
    const isAutomatic =
      source.comments.some(({ value }) => value.includes("@jsxImportSource")) ||
      configurations.some((text) => IMPORTS_ITSELF.test(text));
    const names = [...named, ...configured];
    return new Set(names.length === 0 && !isAutomatic ? factoriesOf(source) : names);
  }

  async #configurations(folder: string): Promise<string[]> {
    const own = await this.#configurationOf(folder);
    return folder === "." ? [own] : [own, ...(await this.#configurations(posix.dirname(folder)))];
  }

  #configurationOf(folder: string): Promise<string> {
    const known = this.#texts.get(folder);
    if (known !== undefined) return known;
    const read = Promise.all(
      CONFIGURATIONS.map((name) =>
        readInside(this.#directory, posix.join(folder, name), MAX_CONFIGURATION_BYTES),
      ),
    ).then((texts) => texts.filter((text) => text !== null).join("\n"));
    this.#texts.set(folder, read);
    return read;
  }
}

/** True for code with an element of JSX. */
export function hasJsx({ program }: Source): boolean {
  let found = false;
  walk(program, ({ type }) => {
    found ||= type === "JSXElement" || type === "JSXFragment";
    return !found;
  });
  return found;
}

function namesIn(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = ""]) => name);
}

function factoriesOf({ module }: Source): string[] {
  return module.staticImports.flatMap(({ moduleRequest, entries }) => {
    const known = FACTORIES.filter(({ from }) => from.test(moduleRequest.value)).flatMap(
      ({ names }) => names,
    );
    return entries.map(({ localName }) => localName.value).filter((name) => known.includes(name));
  });
}
