// Decides which names are the project's own, from its package manifests. A copied library brings its manifest along, so not every
// manifest in a repository names a package of the project. Pure.
import type { OwnNames } from "./libraries.ts";
import { parseJsonc } from "./linter-lists.ts";

/** A package.json of the repository. */
interface Manifest {
  /** Its folder: `""`, or a path that ends with a slash. */
  folder: string;
  names: string[];
  /** `owner/name` of its `repository`, in lower case; null without one. */
  repository: string | null;
}

/**
 * Returns the names of the project.
 * - The directory and the topmost package name the whole project.
 * - A package below names the whole project when it says that it comes from the same repository, as the packages of a monorepo do.
 * - A package of another repository is a copied library: its name is foreign.
 * - A package that tells no repository names the files of its folder.
 */
export function ownNamesOf(directory: string, manifests: ReadonlyMap<string, string>): OwnNames[] {
  const read = [...manifests].map(([path, text]) => readManifest(path, text));
  const root = read.find(({ folder }) => folder === "");
  const own: OwnNames[] = [{ below: "", names: [directory, ...(root?.names ?? [])] }];
  for (const { folder, names, repository } of read) {
    if (folder === "") continue;
    if (repository === null || root === undefined || root.repository === null)
      own.push({ below: folder, names });
    else if (repository === root.repository) own.push({ below: "", names });
  }
  return own;
}

function readManifest(path: string, text: string): Manifest {
  const manifest = parseJsonc(text) as { name?: unknown; repository?: unknown } | null | undefined;
  const { name, repository } = manifest ?? {};
  const url =
    typeof repository === "object" && repository !== null && "url" in repository
      ? repository.url
      : repository;
  return {
    folder: path.slice(0, path.lastIndexOf("/") + 1),
    // `@scope/name` has two parts.
    names: typeof name === "string" ? name.replace(/^@/, "").split("/") : [],
    repository: typeof url === "string" ? repositoryOf(url) : null,
  };
}

/** Returns `owner/name` of `owner/name`, `github:owner/name`, `git@host:owner/name.git` and `git+https://host/owner/name.git#branch`. */
function repositoryOf(url: string): string | null {
  const path = url.replace(/[?#].*$/, "").replace(/\/(?:tree|blob)\/.*$/, "");
  const [owner, name] = path.replace(/\/$/, "").split(/[:/]/).slice(-2);
  if (owner === undefined || name === undefined) return null;
  return `${owner}/${name.replace(/\.git$/, "")}`.toLowerCase();
}
