// The files of a repository, and the questions that a resolver asks about paths. Pure: the files of the review are given, and a
// port tells whether another path exists. Paths are relative to the reviewed directory, with `/`.
import { posix } from "node:path";

/** The files of the review, indexed. */
export interface Listing {
  has(path: string): boolean;
  /** True for a folder with at least one file of the review. */
  hasFolder(path: string): boolean;
  /** True when a folder with this name, anywhere, has files of the review. */
  hasFolderNamed(name: string): boolean;
  /** True when the path exists on disk, although it is no file of the review: ignored, too large, or a fixture. */
  exists(path: string): boolean;
  /** The files directly in a folder. */
  filesIn(folder: string): readonly string[];
  /** The files in a folder and below it. */
  filesBelow(folder: string): readonly string[];
  /** The files in a folder with this name without its extensions. */
  atPlace(folder: string, stem: string): readonly string[];
  /** The files with this name without its extensions (`retry` for `src/retry.test.ts`). */
  byStem(stem: string): readonly string[];
}

/** Indexes the files of a review. `exists` answers for paths that are not among them. */
export function listFiles(files: readonly string[], exists: (path: string) => boolean): Listing {
  const known = new Set(files);
  const folders = new Map<string, string[]>();
  const stems = new Map<string, string[]>();
  const places = new Map<string, string[]>();
  for (const file of files) {
    const folder = posix.dirname(file);
    const inside = folders.get(folder);
    if (inside === undefined) folders.set(folder, [file]);
    else inside.push(file);
    const stem = stemOf(file);
    for (const [index, key] of [
      [stems, stem],
      [places, `${folder}/${stem}`],
    ] as const) {
      const same = index.get(key);
      if (same === undefined) index.set(key, [file]);
      else same.push(file);
    }
  }
  for (const folder of [...folders.keys()]) {
    for (let above = folder; above !== "."; ) {
      above = posix.dirname(above);
      if (folders.has(above)) break;
      folders.set(above, []);
    }
  }
  const folderNames = new Set([...folders.keys()].map((folder) => posix.basename(folder)));
  return {
    has: (path) => known.has(path),
    hasFolder: (path) => folders.has(path),
    hasFolderNamed: (name) => folderNames.has(name),
    exists,
    filesIn: (folder) => folders.get(folder) ?? [],
    filesBelow: (folder) => (folder === "." ? files : files.filter((file) => file.startsWith(`${folder}/`))),
    atPlace: (folder, stem) => places.get(`${folder}/${stem}`) ?? [],
    byStem: (stem) => stems.get(stem) ?? [],
  };
}

/** `src/a/retry.test.ts` → `retry`. */
export function stemOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.indexOf(".", 1);
  return dot === -1 ? name : name.slice(0, dot);
}

/** The extensions that bundlers and compilers add, in the order of TypeScript and Node, then of the frameworks. */
const EXTENSIONS =
  "ts tsx mts cts js jsx mjs cjs vue svelte astro d.ts d.mts d.cts json node jsonc json5 yaml yml mdx md css scss sass less styl svg png graphql gql wasm html hbs es6 coffee".split(
    " ",
  );

/** TypeScript sources import the names of the compiled files. https://www.typescriptlang.org/docs/handbook/modules/reference.html */
const COMPILED: Readonly<Record<string, readonly string[]>> = {
  ".js": [".ts", ".tsx", ".js", ".jsx", ".d.ts", ".mts", ".svelte", ".vue"],
  ".jsx": [".tsx", ".jsx", ".d.ts"],
  ".mjs": [".mts", ".mjs", ".d.mts", ".ts"],
  ".cjs": [".cts", ".cjs", ".d.cts", ".ts"],
};

/**
 * Finds the file of a path without a certain extension, as Node, TypeScript and bundlers do: the path itself, a source of the
 * compiled name, an added extension, a folder's package or index, a platform's variant (`button.ios.js`). Null when there is none.
 */
export function findFile(
  listing: Listing,
  path: string,
  mainOf: (folder: string) => string | null = () => null,
): string | null {
  if (path.startsWith("../") || path === "..") return null;
  const bare = path === "" ? "." : path.replace(/\/+$/, "");
  // Every candidate has this name in this folder, or is inside the folder of this name. Most paths have neither.
  const name = bare.slice(bare.lastIndexOf("/") + 1);
  const near = listing.atPlace(posix.dirname(bare), stemOf(bare));
  if (near.length === 0 && !listing.hasFolder(bare)) return null;
  const extension = posix.extname(bare);
  const compiled = COMPILED[extension];
  if (compiled !== undefined) {
    const stem = bare.slice(0, -extension.length);
    const found = compiled.find((other) => listing.has(stem + other));
    if (found !== undefined) return stem + found;
  }
  if (listing.has(bare)) return bare;
  const added = EXTENSIONS.find((other) => listing.has(`${bare}.${other}`));
  if (added !== undefined) return `${bare}.${added}`;
  if (listing.hasFolder(bare)) {
    const main = mainOf(bare);
    if (main !== null) return main;
    const index = posix.join(bare, "index");
    const found = EXTENSIONS.find((other) => listing.has(`${index}.${other}`));
    if (found !== undefined) return `${index}.${found}`;
  }
  // `button.ios.js`, `a.es6.js`: the bundler's own list of extensions decides. `a.ts` beside `a.css.d.ts` too.
  if (name === "" || name === ".") return null;
  return near.find((file) => file.slice(file.lastIndexOf("/") + 1).startsWith(`${name}.`)) ?? null;
}

/** Folders of build output, and the formats that builds put below them. */
const OUTPUT_FOLDER =
  /^(?:dist|build|lib|libs|out|output|es|esm|es6|es2015|cjs|umd|amd|iife|module|modern|node|browser|types|typings|_?compiled|public|_bundles|bundles?|target|pkg|prebuilt)$/;
/** Suffixes that builds add to a name: `index.umd.min.js`, `index.cjs.js`. */
const OUTPUT_SUFFIX =
  /\.(?:min|umd|cjs|esm|es|mjs|iife|amd|global|prod|production|dev|development|bundle|common|module|modern|legacy|browser|node|system)(?=\.|$)/g;
const SOURCE_FOLDERS = ["src", "source", "sources", "lib", "source/lib", "src/lib", "."] as const;

/** Finds the folders of sources that a build compiles into a folder: `dist/commands` → `src/commands`. Both paths are relative to `folder`. */
export function findSourceFolders(listing: Listing, folder: string, path: string): string[] {
  const parts = posix.normalize(path).split("/");
  if (!OUTPUT_FOLDER.test(parts[0] ?? "")) return [];
  const tail = parts.slice(1).join("/");
  return SOURCE_FOLDERS.map((source) => posix.join(folder, source, tail)).filter(
    (at) => at !== posix.normalize(folder) && at !== posix.join(folder, path) && listing.hasFolder(at),
  );
}

/**
 * Finds the source of a file that a build makes: `dist/esm/a.mjs` → `src/a.ts`. Null when no obvious source exists.
 * @param folder The package's folder; `path` is relative to it.
 */
export function findSource(listing: Listing, folder: string, path: string): string | null {
  const parts = posix.normalize(path).split("/");
  const name = (parts.pop() ?? "").replace(OUTPUT_SUFFIX, "").replace(/(?:\.d)?\.[cm]?[jt]sx?$|\.css$/, "");
  const first = parts.findIndex((part) => !OUTPUT_FOLDER.test(part));
  const tails = new Set([
    [...parts.slice(first === -1 ? parts.length : first), name].join("/"),
    [...parts.slice(1), name].join("/"),
  ]);
  for (const tail of tails) {
    for (const source of SOURCE_FOLDERS) {
      const at = posix.join(folder, source, tail);
      const found = findFile(listing, at);
      if (found !== null && found !== posix.join(folder, path)) return found;
    }
  }
  return null;
}
