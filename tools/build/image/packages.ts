// The packages of the image: finds the production packages of a build through the lockfile, and copies the files that run.
import { cpSync, existsSync, lstatSync, readdirSync, readFileSync } from "node:fs";
import { basename, extname, join, relative, sep } from "node:path";

/** An entry of package-lock.json. */
export interface LockedPackage {
  version: string;
  integrity?: string;
  license?: string;
  dependencies?: Record<string, string>;
  /** Packages that npm installs only where their platform fits. */
  optionalDependencies?: Record<string, string>;
}

/** One package of the image. */
export interface ImagePackage {
  name: string;
  /** The folder below the root of the lockfile: `node_modules/zod`. */
  path: string;
  locked: LockedPackage;
  /** The paths of the packages that it needs. */
  needs: string[];
}

/** The files of packages that a program can load. All others (types, maps, sources, tests, pages) stay out of the image. */
const LOADED = new Set([".js", ".cjs", ".mjs", ".json", ".node", ".wasm", ""]);
/** Texts that a copy of a package's code must come with. */
const LEGAL = /^(?:licen[cs]e|notice|copying|copyright)/i;
/** The declarations of JavaScript's own library, which the compiler reads while it runs. */
const TYPESCRIPT_LIBRARY = /^lib(?:\.[\w.]+)?\.d\.ts$/;
/** Folders directly in a package that nothing loads at run time. */
const UNUSED_FOLDERS = new Set([
  ...["test", "tests", "__tests__", "docs", "doc", "example", "examples", "bench", "benchmark", "benchmarks"],
  ...[".github", ".husky", ".vscode", ".idea", "man"],
]);

/** Reads the packages of a lockfile by their paths. */
export function readLock(file: string): Record<string, LockedPackage> {
  return (JSON.parse(readFileSync(file, "utf8")) as { packages: Record<string, LockedPackage> }).packages;
}

/**
 * The packages that `names` need, directly or through others, sorted by path.
 * @throws Error for a package that the lockfile lacks.
 */
export function findPackages(
  lock: Readonly<Record<string, LockedPackage>>,
  names: readonly string[],
): ImagePackage[] {
  const found = new Map<string, ImagePackage>();
  const add = (name: string, from: string, isOptional = false): string | undefined => {
    const path = locate(lock, name, from);
    const locked = path === undefined ? undefined : lock[path];
    if (path === undefined || locked === undefined) {
      if (isOptional) return undefined;
      throw new Error(`the lockfile has no ${name}, which ${from === "" ? "the program" : from} needs`);
    }
    if (!found.has(path)) {
      const entry: ImagePackage = { name, path, locked, needs: [] };
      found.set(path, entry);
      const needed = [
        ...Object.keys(locked.dependencies ?? {}).map((each) => add(each, path)),
        ...Object.keys(locked.optionalDependencies ?? {}).map((each) => add(each, path, true)),
      ];
      entry.needs = needed.filter((each) => each !== undefined).sort();
    }
    return path;
  };
  for (const name of names) add(name, "");
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The path of a package as Node finds it from `from`: in its own node_modules, then in those above. */
function locate(
  lock: Readonly<Record<string, LockedPackage>>,
  name: string,
  from: string,
): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf("node_modules") - 1))) {
    const path = folder === "" ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (path in lock) return path;
    if (folder === "") return undefined;
  }
}

/**
 * Copies the files of packages that a program can load, and their licences.
 * @param options.from the folder of the lockfile, where the packages are installed. @param options.to gets `node_modules`.
 * @returns the packages that are not installed here because they are made for another platform.
 * @throws Error for a package that is missing, or has another version than the lockfile.
 */
export function copyPackages(
  packages: readonly ImagePackage[],
  {
    from,
    to,
    mayLack = () => false,
  }: { from: string; to: string; mayLack?: (entry: ImagePackage) => boolean },
): ImagePackage[] {
  const absent: ImagePackage[] = [];
  for (const entry of packages) {
    const source = join(from, entry.path);
    if (!existsSync(join(source, "package.json"))) {
      if (!mayLack(entry)) throw new Error(`${source} is missing: run ./murmur --version, which installs it`);
      absent.push(entry);
      continue;
    }
    const { version } = JSON.parse(readFileSync(join(source, "package.json"), "utf8")) as { version: string };
    if (version !== entry.locked.version) {
      throw new Error(
        `${source}: the lockfile has ${entry.locked.version}, installed is ${version}; run ./murmur --version`,
      );
    }
    cpSync(source, join(to, entry.path), {
      recursive: true,
      dereference: true,
      filter: (file) => isLoaded(relative(source, file), file),
    });
  }
  return absent;
}

/** True for a file or folder of a package that belongs in an image. `path` is below the package's folder. */
function isLoaded(path: string, file: string): boolean {
  const parts = path.split(sep);
  // Packages in a package are entries of the lockfile, each with a copy of its own.
  if (parts.includes("node_modules")) return false;
  if (lstatSync(file).isDirectory()) return !UNUSED_FOLDERS.has(path);
  const name = basename(path);
  if (TYPESCRIPT_LIBRARY.test(name)) return true;
  return LEGAL.test(name) || (LOADED.has(extname(name)) && !name.startsWith("."));
}

/** Every file below a folder: paths below it, sorted. */
export function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
