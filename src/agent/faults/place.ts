// Finds the place in a file that an error of loading names, and shows the line. Node puts the place into the stack of an error in
// four different ways, or leaves it out; then this file looks for the import, or asks Node to check the files again.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** A place in a file; line and column count from 1. */
export interface Place {
  file: string;
  line: number;
  column: number | undefined;
}

/** Files that are searched for an import or checked again. An agent rarely has more of its own; each check takes 60 ms. */
const MAX_SEARCHED_FILES = 20;
/** The time limit of one check, in ms: a hundred times the usual. */
const CHECK_LIMIT_MS = 6_000;
/** The source of this program. Its frames tell an author nothing. */
const OWN_SOURCE = fileURLToPath(new URL("../../", import.meta.url));

/** The place that an error from loading `file` names; undefined when none can be found. */
export function findPlace(error: unknown, file: string): Place | undefined {
  if (!(error instanceof Error)) return undefined;
  const stack = error.stack ?? "";
  return (
    placeOfHeader(stack) ??
    placeOfImport(error, file) ??
    placeOfFrame(stack) ??
    (error instanceof SyntaxError ? placeOfCheck(error.message, file) : undefined)
  );
}

/** Node begins the stack of most syntax errors with the file, the line, and a mark below the column. */
function placeOfHeader(stack: string): Place | undefined {
  const [first = "", ...lines] = stack.split("\n");
  const [, path, line] = /^((?:file:\/\/)?\/.+):(\d+)$/.exec(first) ?? [];
  if (path === undefined) return undefined;
  const mark = lines.find((text) => /^\s*\^+\s*$/.test(text));
  return {
    file: toPath(path),
    line: Number(line),
    column: mark === undefined ? undefined : mark.indexOf("^") + 1,
  };
}

/** An error about an import names the importing file, but no line: it is the line with the import. */
function placeOfImport(error: Error, file: string): Place | undefined {
  const target = targetOf(error);
  if (target === undefined) return undefined;
  const files = target.importer === undefined ? ownFiles(file) : [target.importer];
  for (const importer of files) {
    const source = read(importer);
    for (const found of source.matchAll(/(["'])([^"'\n]+)\1/g)) {
      if (!target.fits(found[2]!, importer)) continue;
      const before = source.slice(0, found.index);
      const line = before.split("\n").length;
      return { file: importer, line, column: before.length - before.lastIndexOf("\n") };
    }
  }
  return undefined;
}

/** The import that an error is about: the importing file, when the error names it, and a test for the text of the import. */
function targetOf(
  error: Error,
): { importer: string | undefined; fits(text: string, importer: string): boolean } | undefined {
  const [, importer] = / imported from (\/.+)$/.exec(error.message) ?? [];
  const name = missingPackage(error);
  if (name !== undefined) {
    return { importer, fits: (text) => text === name || text.startsWith(`${name}/`) };
  }
  const [, url] = /(file:\/\/\/[^"'\s]+)/.exec(error.message) ?? [];
  const path = missingFile(error) ?? (url === undefined ? undefined : fileURLToPath(url));
  if (path === undefined) return undefined;
  return { importer, fits: (text, from) => text.startsWith(".") && resolve(dirname(from), text) === path };
}

/** The package that Node did not find, without a path inside of it. */
export function missingPackage(error: Error): string | undefined {
  return /^Cannot find package '([^']+)'/.exec(error.message)?.[1];
}

/** The path that Node did not find, or found to be a folder. */
export function missingFile(error: Error): string | undefined {
  const [, required, imported] =
    /^(?:Cannot find module '(\/[^']+)'|Directory import '(\/[^']+)')/.exec(error.message) ?? [];
  return required ?? imported;
}

/** The first frame of the author's own code, else of a package. */
function placeOfFrame(stack: string): Place | undefined {
  const places = stack.split("\n").flatMap((text) => {
    const [, path, line, column] =
      /(?:\(|at (?:async )?)((?:file:\/\/)?\/.+?):(\d+):(\d+)\)?$/.exec(text) ?? [];
    return path === undefined ? [] : [{ file: toPath(path), line: Number(line), column: Number(column) }];
  });
  const foreign = places.filter(({ file }) => !file.startsWith(OWN_SOURCE));
  return foreign.find(({ file }) => !file.includes("/node_modules/")) ?? foreign[0];
}

/** V8 names no place for some syntax errors of modules; `node --check` does. */
function placeOfCheck(message: string, file: string): Place | undefined {
  for (const checked of ownFiles(file)) {
    const { stderr } = spawnSync(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--check", checked],
      {
        encoding: "utf8",
        timeout: CHECK_LIMIT_MS,
      },
    );
    // A check can complain about TypeScript that the loader accepts: only the same error counts.
    if (stderr.includes(`: ${message}\n`)) return placeOfHeader(stderr.trimStart());
  }
  return undefined;
}

/** The file and the files that it imports by relative paths, up to {@link MAX_SEARCHED_FILES}. */
function ownFiles(file: string): string[] {
  const files = [file];
  for (let index = 0; index < files.length; index++) {
    for (const [, path] of read(files[index]!).matchAll(
      /(?:from|import)\s*\(?\s*["'](\.{1,2}\/[^"'\n]+)["']/g,
    )) {
      const imported = resolve(dirname(files[index]!), path!);
      if (files.length < MAX_SEARCHED_FILES && !files.includes(imported) && existsSync(imported))
        files.push(imported);
    }
  }
  return files;
}

/** Characters of a source line in an excerpt; the rest of a longer line is left out on both sides of the column. */
const EXCERPT_CHARACTERS = 120;

/** The place, its line and a mark below the column, indented; only the place when the file cannot be read. */
export function showPlace({ file, line, column }: Place): string {
  const where = `  at ${file}:${line}${column === undefined ? "" : `:${column}`}`;
  const text = read(file).split("\n")[line - 1];
  if (text === undefined || text.trim() === "") return where;
  const from = Math.max(0, (column ?? 1) - 1 - EXCERPT_CHARACTERS / 2);
  const cut = [...text.slice(from, from + EXCERPT_CHARACTERS)]
    .map((sign) => (sign < " " ? " " : sign))
    .join("");
  const number = String(line);
  const mark =
    column === undefined ? "" : `\n    ${" ".repeat(number.length)} | ${" ".repeat(column - 1 - from)}^`;
  return `${where}\n    ${number} | ${cut.trimEnd()}${mark}`;
}

/** The text of a file; empty when it cannot be read. */
export function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function toPath(path: string): string {
  return path.startsWith("file:") ? fileURLToPath(pathOnly(path)) : path;
}

/** Without a query, which a test runner adds. */
const pathOnly = (url: string) => new URL(new URL(url).pathname, pathToFileURL("/"));
