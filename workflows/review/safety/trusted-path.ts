// The PATH of a review. npm and npx put the `node_modules/.bin` of the working directory in front of the PATH, so a repository
// could bring its own `git`. Owns the choice of the folders that a review searches for programs.
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { delimiter, isAbsolute, join, sep } from "node:path";
import { isInside } from "../../../agents/lib/review/index.ts";

/** Returns the folders of a PATH that the reviewed directory cannot fill: absolute, outside of it, and in no `node_modules`. */
export function trustedPath(path: string | undefined, directory: string): string[] {
  const root = realOf(directory);
  return (path ?? "").split(delimiter).filter((folder) => {
    if (!isAbsolute(folder)) return false;
    const real = realOf(folder);
    return !isInside(root, real) && !`${real}${sep}`.includes(`${sep}node_modules${sep}`);
  });
}

/** Returns the program's file in the first trusted folder that has it; null when there is none. */
export function findTrustedProgram(name: string, path: string | undefined, directory: string): string | null {
  const root = realOf(directory);
  for (const folder of trustedPath(path, directory)) {
    const file = join(folder, name);
    if (isExecutable(file) && !isInside(root, realOf(file))) return file;
  }
  return null;
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
