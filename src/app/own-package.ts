// The package that this program belongs to: its folder, its package.json, the place that it was installed from, and the words
// that people type to run it.
import { readFileSync } from "node:fs";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of this package: the checkout, or `node_modules/murmur-swarm`. */
export const PACKAGE_ROOT = fileURLToPath(new URL("../..", import.meta.url)).replace(/[\\/]$/, "");

/** The fields of this package's package.json that a project needs. */
export interface OwnManifest {
  name: string;
  version: string;
  engines: { node: string };
  peerDependencies: Record<string, string>;
  /** The home of the sources, once the package has one. */
  repository?: { url: string };
}

/** This package's package.json. */
export function readOwnManifest(): OwnManifest {
  return JSON.parse(readFileSync(join(PACKAGE_ROOT, "package.json"), "utf8")) as OwnManifest;
}

/**
 * The version of this package for a project in `directory`, as the project that runs this program names it: `^0.1.0`, or the
 * path of a tarball, relative to `directory`. Undefined when no project names it: in the checkout, or installed globally.
 */
export function ownSource(directory: string, root = PACKAGE_ROOT): string | undefined {
  const host = dirname(dirname(root));
  if (basename(dirname(root)) !== "node_modules") return undefined;
  let source: unknown;
  try {
    const manifest = JSON.parse(readFileSync(join(host, "package.json"), "utf8")) as Record<
      string,
      Record<string, unknown>
    >;
    source =
      manifest.dependencies?.[basename(root)] ??
      manifest.devDependencies?.[basename(root)] ??
      manifest.optionalDependencies?.[basename(root)];
  } catch {
    // A global install has no project around it.
    return undefined;
  }
  if (typeof source !== "string") return undefined;
  if (!source.startsWith("file:")) return source;
  return `file:${relative(directory, resolve(host, source.slice("file:".length)))}`;
}

/**
 * The words that start this program in `directory`: `npx murmur` in the project that has it as a package, because no PATH names
 * the command there; `murmur` elsewhere.
 */
export function commandToType(directory: string, root = PACKAGE_ROOT): string {
  const host = dirname(dirname(root));
  const isInProject =
    basename(dirname(root)) === "node_modules" && (directory === host || directory.startsWith(host + sep));
  return isInProject ? "npx murmur" : "murmur";
}

/** True when this program runs from its sources, which a user's project cannot install. */
export const IS_CHECKOUT = import.meta.url.endsWith(".ts");
