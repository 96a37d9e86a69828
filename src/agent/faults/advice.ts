// The next step for an agent's file that cannot be loaded: by the error, and by the files around it.
import { existsSync, readdirSync } from "node:fs";
import { isBuiltin } from "node:module";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { nearest } from "../../base/index.ts";
import { missingFile, missingPackage, type Place, read } from "./place.ts";

/** The next step after `error` from loading the agent's `file`; undefined when the error itself says enough. */
export function adviseLoad(error: unknown, file: string, place: Place | undefined): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const at = place?.file ?? file;
  return (
    advisePackage(error, at, file) ??
    adviseFile(error, at) ??
    adviseExport(error, at) ??
    adviseTypeScript(error) ??
    adviseModuleKind(error, at) ??
    adviseExtension(error)
  );
}

function advisePackage(error: Error, at: string, file: string): string | undefined {
  const name = missingPackage(error);
  if (name === undefined) return undefined;
  if (isBuiltin(`node:${name}`)) return `write "node:${name}": it is a module of Node`;
  const { name: ownName, versions } = ownManifest();
  if (name === "murmur" || nearest(name, [ownName]) !== undefined) {
    return `write "${ownName}": the name of Murmur's package`;
  }
  const version = versions[name];
  const wanted = version === undefined ? name : `${name}@${version}`;
  // A package can lack a package of its own: then the project's installation is not complete.
  const [own] = at.split("/node_modules/");
  const project =
    folderOf("package.json", own === at ? dirname(at) : own!) ?? dirname(dirname(dirname(file)));
  return `install it: cd ${quote(project)} && npm install ${quote(wanted)}`;
}

function adviseFile(error: Error, at: string): string | undefined {
  const path = missingFile(error);
  if (path === undefined) return undefined;
  const folder = dirname(path);
  const stem = path.replace(/\.[cm]?[jt]s$/, "");
  const near = [".ts", ".js", ".mts", ".mjs", ".json", "/index.ts", "/index.js"]
    .map((ending) => `${stem}${ending}`)
    .find((candidate) => candidate !== path && existsSync(candidate));
  const known = existsSync(folder) ? readdirSync(folder) : [];
  const alike = near ?? nearestFile(path, known);
  if (alike === undefined) return undefined;
  const written = relative(dirname(at), alike);
  return `write "${written.startsWith(".") ? written : `./${written}`}": an import names the file with its extension`;
}

function nearestFile(path: string, known: readonly string[]): string | undefined {
  const bare = new Map(known.map((name) => [name.replace(/\.[cm]?[jt]s$/, ""), name]));
  const name = basename(path);
  const meant = nearest(name, known) ?? bare.get(nearest(name, [...bare.keys()]) ?? "");
  return meant === undefined ? undefined : join(dirname(path), meant);
}

function adviseExport(error: Error, at: string): string | undefined {
  const [, from, name] =
    /^The requested module '([^']+)' does not provide an export named '([^']+)'/.exec(error.message) ?? [];
  if (from === undefined || name === undefined) return undefined;
  if (name === "default") return `it has no default export: write import { … } from "${from}"`;
  const asType = `write import type { ${name} } from "${from}"`;
  const source = from.startsWith(".") ? read(join(dirname(at), from)) : "";
  if (new RegExp(`\\bexport\\s+(?:declare\\s+)?(?:interface|type)\\s+${name}\\b`).test(source)) {
    return `${name} is a type, and Node removes only imports that say so: ${asType}`;
  }
  const exported = [...source.matchAll(/\bexport\s+(?:async\s+)?(?:const|let|function\*?|class)\s+(\w+)/g)];
  const meant = nearest(
    name,
    exported.map(([, word]) => word!),
  );
  if (meant !== undefined) return `did you mean ${meant}?`;
  return /^[A-Z]/.test(name)
    ? `if ${name} is a type, ${asType}: Node removes only imports that say so`
    : undefined;
}

/** Node removes types and generates no code: https://nodejs.org/api/typescript.html#type-stripping */
function adviseTypeScript(error: Error): string | undefined {
  if ((error as NodeJS.ErrnoException).code === "ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING") {
    return "Node removes types in your own files only: the package must ship JavaScript";
  }
  if ((error as NodeJS.ErrnoException).code !== "ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX") return undefined;
  const instead = /enum/.test(error.message)
    ? 'an object instead: const Color = { Red: "red" } as const'
    : /parameter property/.test(error.message)
      ? "the field in the class, and assign it in the constructor"
      : /namespace|module/.test(error.message)
        ? "a file of its own with exports"
        : "it in JavaScript";
  return `Node removes types and generates no code; write ${instead} (erasableSyntaxOnly in tsconfig.json finds such places)`;
}

function adviseModuleKind(error: Error, at: string): string | undefined {
  const isModuleSyntax =
    /^(Cannot use import statement outside a module|Unexpected token 'export'|Cannot use 'import\.meta'|await is only valid)/;
  if (error instanceof SyntaxError && isModuleSyntax.test(error.message)) {
    const folder = folderOf("package.json", dirname(at));
    if (folder === undefined || readManifest(folder).type === "module") return undefined;
    return `${join(folder, "package.json")} says that its files are CommonJS; set its type: cd ${quote(folder)} && npm pkg set type=module`;
  }
  const [, name] = /^(require|module|exports|__dirname|__filename) is not defined/.exec(error.message) ?? [];
  if (name === undefined) return undefined;
  if (name.startsWith("__")) return `write import.meta.${name.slice(2)}: agents are ES modules`;
  return name === "require"
    ? 'write import … from "…": agents are ES modules'
    : "write export default …: agents are ES modules";
}

function adviseExtension(error: Error): string | undefined {
  const { code } = error as NodeJS.ErrnoException;
  if (code === "ERR_IMPORT_ATTRIBUTE_MISSING") return 'write import … from "….json" with { type: "json" }';
  return code === "ERR_UNKNOWN_FILE_EXTENSION"
    ? "Node runs .ts and .js files; it does not run JSX"
    : undefined;
}

/** A word for a shell. */
const quote = (word: string) => (/[^\w@/.-]/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : word);

/** The nearest folder upwards that has the file. */
function folderOf(name: string, folder: string): string | undefined {
  for (let current = folder; ; current = dirname(current)) {
    if (existsSync(join(current, name))) return current;
    if (dirname(current) === current) return undefined;
  }
}

interface Manifest {
  name?: string;
  type?: string;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

function readManifest(folder: string): Manifest {
  try {
    return JSON.parse(read(join(folder, "package.json"))) as Manifest;
  } catch {
    return {};
  }
}

/** The packages whose objects agents hand to Murmur. */
const SHARED_PACKAGES = ["zod", "xstate"];

/** The name of Murmur's own package, and the versions of {@link SHARED_PACKAGES} that fit it. */
function ownManifest(): { name: string; versions: Record<string, string> } {
  const folder = folderOf("package.json", dirname(fileURLToPath(import.meta.url)));
  const { name, dependencies, peerDependencies } = folder === undefined ? {} : readManifest(folder);
  const all = Object.entries({ ...dependencies, ...peerDependencies });
  const versions = Object.fromEntries(all.filter(([shared]) => SHARED_PACKAGES.includes(shared)));
  return { name: name ?? "murmur-swarm", versions };
}
