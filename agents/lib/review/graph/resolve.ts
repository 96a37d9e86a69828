// Resolves a specifier as Node, TypeScript and bundlers together would, over the files of the review alone. Nothing must be installed,
// and nothing outside the directory is read. A name that only a tool could resolve is "unsure", and never "missing". Pure.
import { isBuiltin } from "node:module";
import { posix } from "node:path";
import { type Alias, applyAlias } from "./aliases.ts";
import { isVirtual, MADE_FOLDER, MADE_NAME, PLACEHOLDER } from "./conventions.ts";
import { allTextsOf } from "./data.ts";
import { findFile, findSource, type Listing, stemOf } from "./listing.ts";
import { exportTargets, type Package, type Packages, packageNameOf } from "./packages.ts";

/** The answer to one specifier. */
export type Resolution =
  /** A file of the review. */
  | { state: "file"; to: string }
  /** A path that exists but is not reviewed, a builtin, a virtual module, a specifier of another runtime. */
  | { state: "outside" }
  /** A package, by its name. */
  | { state: "package"; name: string }
  /** A tool may resolve it; `maybe` are the files that it may mean. */
  | { state: "unsure"; maybe: readonly string[] }
  /** A path without a file. `near`: the file whose path differs in capitals alone, which another system would take. */
  | { state: "missing"; path: string; near: string | null };

export interface ResolverFacts {
  listing: Listing;
  packages: Packages;
  aliases: readonly Alias[];
  /** Folders whose contents TypeScript merges: https://www.typescriptlang.org/tsconfig/#rootDirs */
  rootDirs: readonly (readonly string[])[];
  /** True when git ignores the path, so that a build makes it. */
  isIgnored(path: string): boolean;
}

/** Frameworks' own aliases for the folders of the sources; a configuration is often generated, or computed. */
const COMMON_ALIAS = /^(?:@|~|~~|@@|\$lib|\$src|\$|@src|@app|@root|@site|#)\/(.+)$/;
const SOURCE_FOLDERS = [
  "src",
  "app",
  ".",
  "src/lib",
  "src/app",
  "source",
  "lib",
  "client",
  "frontend/src",
  "resources/js",
];

/** Files that a bundler copies, and that no analyser reads. */
const ASSET =
  /\.(?:png|jpe?g|gif|svg|webp|avif|ico|bmp|woff2?|ttf|otf|eot|mp[34]|ogg|wav|webm|pdf|glb|gltf|css|s[ac]ss|less|styl|txt|md|html?)$/i;

export class Resolver {
  readonly #facts: ResolverFacts;
  readonly #aliases: readonly Alias[];
  readonly #main: (folder: string) => string | null;
  /** The files by their paths in lower case; made at the first missing path. */
  #byLowerCase: Map<string, string> | undefined;

  constructor(facts: ResolverFacts) {
    this.#facts = facts;
    // The nearest configuration first, then the most exact pattern, as TypeScript does.
    this.#aliases = facts.aliases.toSorted(
      (a, b) => b.scope.length - a.scope.length || b.prefix.length - a.prefix.length,
    );
    this.#main = (folder) => facts.packages.mainOf(folder);
  }

  /** Resolves `specifier` as `file` imports it. */
  resolve(file: string, specifier: string): Resolution {
    // webpack's loaders: `!!raw-loader!./a.txt`. Bundlers take `./a.svg?url` and `./a.svg#icon`.
    const bare = specifier.slice(specifier.lastIndexOf("!") + 1);
    const path = bare.replace(/\?.*$/, "").replace(/(?<=.)#.*$/, "");
    if (path === "") return { state: "outside" };
    if (/^\.{1,2}(?:\/|$)/.test(path)) return this.#relative(file, path);
    if (path.startsWith("/")) return this.#fromRoot(file, path);
    // Node's own modules below `internal/` are there for loaders that are a part of Node.
    if (isBuiltin(path) || /^internal(?:\/|$)/.test(path)) return { state: "outside" };
    return this.#byName(file, path);
  }

  #relative(file: string, path: string): Resolution {
    const { listing, rootDirs } = this.#facts;
    const at = posix.join(posix.dirname(file), path);
    if (at === ".." || at.startsWith("../")) return { state: "outside" };
    const found = findFile(listing, at, this.#main);
    if (found !== null) return { state: "file", to: found };
    if (PLACEHOLDER.test(path)) return { state: "unsure", maybe: [] };
    for (const dirs of rootDirs) {
      const from = dirs.find((dir) => at.startsWith(`${dir}/`));
      if (from === undefined) continue;
      for (const dir of dirs) {
        const other = findFile(listing, posix.join(dir, at.slice(from.length + 1)), this.#main);
        if (other !== null) return { state: "file", to: other };
      }
    }
    if (existsAny(listing, at)) return { state: "outside" };
    const source = this.#sourceOf(file, at);
    if (source !== null) return { state: "unsure", maybe: [source] };
    if (this.#isMade(file, at)) return { state: "unsure", maybe: [] };
    return { state: "missing", path: at, near: this.#nearOf(at) };
  }

  /** The file of a path with other capitals, with or without its extension; null without one. */
  #nearOf(at: string): string | null {
    this.#byLowerCase ??= new Map(
      this.#facts.listing
        .filesBelow(".")
        .flatMap((file) => [file, file.replace(/\.\w+$/, "")].map((path) => [path.toLowerCase(), file])),
    );
    return this.#byLowerCase.get(at.toLowerCase()) ?? null;
  }

  /** The source of a path in the build output of the file's package: a program of `bin/` often imports `../dist/index.js`. */
  #sourceOf(file: string, at: string): string | null {
    if (!MADE_FOLDER.test(at)) return null;
    const one = this.#facts.packages.above(at)[0] ?? this.#facts.packages.above(file)[0];
    const folder = one?.folder ?? ".";
    return findSource(this.#facts.listing, folder, posix.relative(folder, at));
  }

  /** True for a path that a build or a generator makes. */
  #isMade(file: string, at: string): boolean {
    // A `dist` in the path of the importing file is a folder of sources.
    const folder = posix.dirname(file);
    const steps = at.startsWith(`${folder}/`) ? at.slice(folder.length + 1) : at;
    if (MADE_FOLDER.test(steps) || this.#facts.isIgnored(at)) return true;
    if (["js", "ts", "mjs", "json"].some((extension) => this.#facts.isIgnored(`${at}.${extension}`)))
      return true;
    if (MADE_NAME.test(at.replace(/\.[cm]?[jt]sx?$/, ""))) return true;
    const name = at.slice(at.lastIndexOf("/") + 1);
    return this.#facts.packages
      .above(file)
      .some(({ scripts }) => scripts.some((script) => script.includes(name) || script.includes(at)));
  }

  /** `/src/main.ts`: from the root of the project, as Vite and pages write it. */
  #fromRoot(file: string, path: string): Resolution {
    const { listing, packages } = this.#facts;
    const folders = [...packages.above(file).map(({ folder }) => folder), "."];
    for (const folder of new Set(folders)) {
      for (const below of [".", "public", "static", "src"]) {
        const found = findFile(listing, posix.join(folder, below, path));
        if (found !== null) return { state: "file", to: found };
      }
    }
    return { state: "unsure", maybe: [] };
  }

  #byName(file: string, path: string): Resolution {
    const { packages, listing } = this.#facts;
    const above = packages.above(file);
    const ownImports = this.#byImports(above, path);
    if (ownImports !== null) return ownImports;
    let isAliased = false;
    for (const alias of this.#aliases) {
      if (alias.scope !== "." && !file.startsWith(`${alias.scope}/`)) continue;
      const targets = applyAlias(alias, path);
      if (targets === null) continue;
      for (const target of targets) {
        const found = findFile(listing, target, this.#main) ?? this.#sourceOf(file, target);
        if (found !== null) return { state: "file", to: found };
        if (alias.prefix !== "" && existsAny(listing, target)) return { state: "outside" };
      }
      // A `*` alone stands beside the packages and does not shadow them.
      isAliased ||= alias.prefix !== "" && !targets.some((target) => target.includes("node_modules"));
    }
    const name = packageNameOf(path);
    const own = name === null ? undefined : packages.byName(name);
    if (own !== undefined && name !== null) {
      const found = packages.resolve(own, path.slice(name.length + 1));
      return found === null ? { state: "outside" } : { state: "file", to: found };
    }
    if (isAliased) return { state: "unsure", maybe: this.#guess(file, path) };
    if (name !== null && above.some(({ declared }) => declared.has(name))) return { state: "package", name };
    if (isVirtual(path) || this.#isBelowBase(file, path)) return { state: "outside" };
    const guesses = this.#guess(file, path);
    const [guess] = guesses;
    if (COMMON_ALIAS.test(path)) {
      return guesses.length === 1 && guess !== undefined
        ? { state: "file", to: guess }
        : { state: "unsure", maybe: guesses };
    }
    // npm accepts no new name with a capital letter, so a bundler gives the name; `src` is a folder; a generator makes Prisma's clients: https://docs.npmjs.com/cli/configuring-npm/package-json
    if (name === null || guess !== undefined || /[A-Z]|^(?:src|@prisma-clients?\/.*)$/.test(name))
      return { state: "unsure", maybe: guesses };
    return { state: "package", name };
  }

  /**
   * True for a path below a base for plain names (`baseUrl`, webpack's `resolve.modules`, `NODE_PATH`) that leads to a file outside of
   * the review: `images/logo.png`. A name without a slash is a package.
   */
  #isBelowBase(file: string, path: string): boolean {
    if (!path.includes("/")) return false;
    const { packages, listing } = this.#facts;
    const bases = this.#aliases
      .filter(({ prefix, scope }) => prefix === "" && (scope === "." || file.startsWith(`${scope}/`)))
      .flatMap((alias) => applyAlias(alias, path) ?? [])
      .filter((target) => !target.includes("node_modules"));
    const isAsset = ASSET.test(path);
    const guesses = !isAsset
      ? []
      : ["src", "app", ".", "source", "client", "public"].flatMap((source) =>
          [...packages.above(file).map(({ folder }) => folder), "."].map((folder) =>
            posix.join(folder, source, path),
          ),
        );
    return [...bases, ...guesses].some((target) => existsAny(listing, target));
  }

  /** `imports` of package.json, and the import map of deno.json. */
  #byImports(above: readonly Package[], path: string): Resolution | null {
    const { packages } = this.#facts;
    for (const one of above) {
      const key = path.startsWith("#") || one.isDeno ? path : null;
      if (key === null || one.imports === undefined) continue;
      for (const target of exportTargets(hashed(one), `#${key.replace(/^#/, "")}`)) {
        if (!/^\.{0,2}\//.test(target)) return { state: "outside" };
        const found = packages.fileOf(one, target);
        if (found !== null) return { state: "file", to: found };
      }
    }
    return null;
  }

  /** The files that a specifier may mean when its alias is unknown: the same tail below a folder of sources. */
  #guess(file: string, path: string): string[] {
    const { packages, listing } = this.#facts;
    const folders = [...new Set([...packages.above(file).map(({ folder }) => folder), "."])];
    const aliased = COMMON_ALIAS.exec(path)?.[1];
    const tail = aliased ?? path.replace(/^[@~$#]+/, "");
    for (const folder of folders) {
      for (const source of SOURCE_FOLDERS) {
        const found = findFile(listing, posix.join(folder, source, tail), this.#main);
        if (found !== null && found !== file) return [found];
      }
    }
    // `@app/users/users.service` → `…/users/users.service.ts`: at least a folder and a name must agree.
    const parts = tail.split("/");
    for (let from = 0; from < parts.length - 1; from++) {
      const end = `/${parts.slice(from).join("/")}`;
      const found = listing
        .byStem(stemOf(end))
        .filter((one) => `/${one.replace(/\.[^./]+$/, "")}`.endsWith(end.replace(/\.[cm]?[jt]sx?$/, "")));
      if (found.length > 0) return found;
    }
    return aliased === undefined && !/^[@~$#]/.test(path) ? [] : [...listing.byStem(stemOf(tail))];
  }
}

/** The import map of deno.json has bare keys; `exportTargets` distinguishes subpaths by their first character. */
function hashed({ imports, isDeno }: Package): Record<string, string[]> {
  const fields = typeof imports === "object" && imports !== null && !Array.isArray(imports) ? imports : {};
  return Object.fromEntries(
    Object.entries(fields).map(([key, target]) => [
      isDeno ? `#${key.replace(/^#/, "")}` : key,
      allTextsOf(target),
    ]),
  );
}

/** True when the path exists on disk, with an extension or as a folder: it is ignored, too large, binary or a fixture. */
function existsAny(listing: Listing, at: string): boolean {
  return [
    "",
    ".js",
    ".ts",
    ".json",
    ".mjs",
    ".cjs",
    ".jsx",
    ".tsx",
    ".d.ts",
    // webpack's `resolve.extensions` may add the endings of stylesheets.
    ".css",
    ".scss",
    ".sass",
    ".less",
    ".styl",
    "/index.js",
    "/index.ts",
    "/package.json",
  ].some((end) => listing.exists(at + end));
}
