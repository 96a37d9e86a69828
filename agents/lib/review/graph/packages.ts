// The packages of a repository, by package.json, deno.json and import maps: names, declared packages, and the file of an
// import by name. Workspace packages are found by name, without `node_modules`. Pure.
import { posix } from "node:path";
import { allTextsOf, type Data, fieldsOf, parseJsonc, textsOf } from "./data.ts";
import { findFile, findSource, type Listing } from "./listing.ts";

/** One package of the repository. */
export interface Package {
  /** The folder of its manifest; "." for the root. */
  folder: string;
  name: string | undefined;
  /** The names of packages that it declares, in any field. */
  declared: ReadonlySet<string>;
  /** Files that its fields name, as written: entries, bins, browser variants, side effects. */
  named: readonly string[];
  /** The commands of its scripts. */
  scripts: readonly string[];
  exports: Data;
  /** The folders and files that users get beside the entries: `files`, without folders of sources. */
  published: readonly string[];
  imports: Data;
  mains: readonly string[];
  /** True for deno.json and for other import maps: they answer bare names. */
  isDeno: boolean;
  manifest: Readonly<Record<string, Data>>;
}

/** Fields with an object of package names. bower.json and jspm have the first. */
const DEPENDENCY_FIELDS = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];
/** Fields with a list of package names: https://docs.npmjs.com/cli/configuring-npm/package-json */
const BUNDLED_FIELDS = ["bundleDependencies", "bundledDependencies"];
/** Fields that name the entry of a package, for Node, bundlers, browsers, type checkers, CDNs, React Native and Electron. */
const MAIN_FIELDS = [
  "source",
  "module",
  "main",
  "jsnext:main",
  "es2015",
  "esnext",
  "browser",
  "types",
  "typings",
  "react-native",
  "unpkg",
  "jsdelivr",
  "umd:main",
  "svelte",
  "style",
];

/** The names of manifests. */
const MANIFEST = /(?:^|\/)(?:package|bower|component|deno|jsr|import[_-]?map)\.jsonc?$/;

export function isManifest(file: string): boolean {
  return MANIFEST.test(file);
}

/** Reads a manifest; null when it is no JSON object. */
export function readPackage(file: string, text: string): Package | null {
  const data = parseJsonc(text);
  if (typeof data !== "object" || data === null || Array.isArray(data)) return null;
  const base = posix.basename(file).replace(/\.jsonc?$/, "");
  const isDeno = base !== "package" && base !== "bower" && base !== "component";
  // Node's own `imports` begin with `#`. Other keys are an import map, which a page or Deno reads from any JSON file.
  const importMap = Object.fromEntries(
    Object.entries(fieldsOf(data.imports)).filter(([key]) => !key.startsWith("#")),
  );
  const declared = [
    ...DEPENDENCY_FIELDS.flatMap((field) => Object.keys(fieldsOf(data[field]))),
    ...DEPENDENCY_FIELDS.flatMap((field) => Object.keys(fieldsOf(fieldsOf(data.jspm)[field]))),
    ...BUNDLED_FIELDS.flatMap((field) => textsOf(data[field])),
    ...Object.keys(importMap).map((key) => key.replace(/\/$/, "")),
    // `"browser": { "fs": false, "lib": "./shim.js" }` replaces packages, and `engines.vscode` gives the module vscode.
    ...Object.keys(fieldsOf(data.browser)),
    // The page gives these: https://github.com/thlorenz/browserify-shim
    ...Object.keys(fieldsOf(data["browserify-shim"])),
    ...Object.keys(fieldsOf(data.engines)),
  ];
  const mains = MAIN_FIELDS.flatMap((field) => textsOf(data[field]));
  const { dependencies: _a, devDependencies: _b, peerDependencies: _c, scripts, ...others } = data;
  return {
    folder: posix.dirname(file),
    name: typeof data.name === "string" ? data.name : undefined,
    declared: new Set(declared),
    named: [...mains, ...allTextsOf(others), ...Object.keys(fieldsOf(data.browser))],
    scripts: allTextsOf(scripts),
    exports: data.exports,
    published: textsOf(data.files).filter((path) => !/[*!]|^(?:\.\/)?(?:src|sources?|\.?\/?$)/.test(path)),
    imports: data.imports,
    mains,
    isDeno: isDeno || Object.keys(importMap).length > 0,
    manifest: data,
  };
}

/** Finds packages by folder and by name. */
export class Packages {
  readonly all: readonly Package[];
  readonly #byFolder: ReadonlyMap<string, readonly Package[]>;
  readonly #byName: ReadonlyMap<string, Package>;
  readonly #listing: Listing;

  constructor(all: readonly Package[], listing: Listing) {
    this.all = all;
    this.#listing = listing;
    this.#byFolder = Map.groupBy(all, ({ folder }) => folder);
    this.#byName = new Map(all.flatMap((one) => (one.name === undefined ? [] : [[one.name, one]])));
  }

  /** The packages whose folder holds the file, nearest first. */
  above(file: string): Package[] {
    const found: Package[] = [];
    for (let at = posix.dirname(file); ; at = posix.dirname(at)) {
      found.push(...(this.#byFolder.get(at) ?? []));
      if (at === "." || at === "/") return found;
    }
  }

  byName(name: string): Package | undefined {
    return this.#byName.get(name);
  }

  /** The file that a text names by a package of this repository and a path in it: `my-plugin/hooks/start`. None for other texts. */
  filesNamed(path: string): string[] {
    const name = packageNameOf(path);
    const one = name === null || name === path ? undefined : this.#byName.get(name);
    const found = one === undefined || name === null ? null : this.resolve(one, path.slice(name.length + 1));
    return found === null ? [] : [found];
  }

  /** The file that a folder's own package.json names as its entry; null without one. */
  mainOf(folder: string): string | null {
    for (const one of this.#byFolder.get(folder) ?? []) {
      const found = this.#entryOf(one);
      if (found !== null) return found;
    }
    return null;
  }

  /**
   * Resolves `name/subpath` of a package of this repository by its `exports`, else by its main fields, else as a path. An entry
   * that a build makes leads to its source. Null when no file is found.
   */
  resolve(one: Package, subpath: string): string | null {
    for (const target of exportTargets(one.exports, subpath === "" ? "." : `./${subpath}`)) {
      const found = this.fileOf(one, target);
      if (found !== null) return found;
    }
    if (subpath === "") return this.#entryOf(one);
    return this.fileOf(one, subpath) ?? findFile(this.#listing, posix.join(one.folder, "src", subpath));
  }

  /** The file of a path in a manifest, or the source that a build makes it of. */
  fileOf(one: Package, path: string): string | null {
    const at = posix.join(one.folder, path);
    return findFile(this.#listing, at, undefined) ?? findSource(this.#listing, one.folder, path);
  }

  #entryOf(one: Package): string | null {
    for (const main of one.mains) {
      const found = this.fileOf(one, main);
      if (found !== null) return found;
    }
    // A bundle has the package's name (`dist/name.umd.js`), and its source is the usual first module.
    const bare = one.name?.replace(/^@[^/]+\//, "") ?? "index";
    const starts = [
      "src/index",
      "src/main",
      "src/mod",
      "index",
      "mod",
      "lib/index",
      `src/${bare}`,
      bare,
      "main",
    ];
    for (const start of starts) {
      const found = findFile(this.#listing, posix.join(one.folder, start));
      if (found !== null) return found;
    }
    return null;
  }
}

/**
 * The targets of a subpath in `exports` or `imports`, for every condition, in the order of the file: all conditions are followed,
 * because a review does not know which one applies. https://nodejs.org/api/packages.html#subpath-patterns
 */
export function exportTargets(exports: Data, subpath: string): string[] {
  const fields = fieldsOf(exports);
  const keys = Object.keys(fields);
  if (keys.length === 0 || !keys.some((key) => /^[.#]/.test(key)))
    return subpath === "." ? allTextsOf(exports) : [];
  if (subpath in fields) return allTextsOf(fields[subpath]);
  for (const key of keys.toSorted((a, b) => b.length - a.length)) {
    const star = key.indexOf("*");
    const [before, after] = star === -1 ? [key, ""] : [key.slice(0, star), key.slice(star + 1)];
    if (star === -1 && !key.endsWith("/")) continue;
    if (
      !subpath.startsWith(before) ||
      !subpath.endsWith(after) ||
      subpath.length < before.length + after.length
    )
      continue;
    const middle = subpath.slice(before.length, subpath.length - after.length);
    return allTextsOf(fields[key]).map((target) =>
      star === -1 ? target + middle : target.replaceAll("*", middle),
    );
  }
  return [];
}

/** Returns the package of a bare specifier; null for paths, `#internal`, schemes and aliases such as `@/x`. */
export function packageNameOf(specifier: string): string | null {
  return /^(?:@[a-z0-9~][\w.~-]*\/)?[a-zA-Z0-9_][\w.-]*(?=\/|$)/.exec(specifier)?.[0] ?? null;
}
