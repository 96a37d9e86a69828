// Recognises files of libraries that were copied into a project: by the banner at their top, and by several versions of one
// library. Pure. Both need all files at once: a banner that many files share, or that names the project, is the project's own.
import type { Verdict } from "./classify.ts";
import { readTopComments } from "./classify.ts";

/** A code file, and the banner at its top. */
export interface Candidate {
  path: string;
  banner: Banner | null;
}

/** The name and the version in a banner: `jQuery JavaScript Library` and `1.12.4`. */
export interface Banner {
  name: string;
  version: string;
}

/** Licences and platforms have versions too; they are removed before a library's version is looked for. */
const OTHER_VERSIONS =
  /https?:\/\/\S+|\b(?:apache|mozilla|mpl|[al]?gpl|gnu|cc[- ]by[\w-]*|eclipse|epl|bsd|mit|license|licence|unicode|ecma\w*|es|ie|node(?:\.js)?|typescript|chrome|firefox|safari)\b(?:[\s,-]|\b(?:general|lesser|affero|public|license|licence|version|v)\b\.?)*\d+(?:\.\d+)*|@version\b[^\n]*|\b\d{4}-\d{2}-\d{2}\b/gi;
const VERSION = /(?<![\w.])v?(\d{1,3}\.\d{1,3}(?:\.\d{1,4})?)\b/i;
const LICENCE = /@licen[sc]e|@preserve|licen[sc]ed?\b|copyright|\(c\)|\bMIT\b|^\/\*!|^\/\/!/i;
/** The fields of a header that an author of a plugin writes in place of a licence; all must be there. */
const PLUGIN_HEADER: readonly RegExp[] = [
  /\b(?:plugin|library|polyfill|widget)\b/i,
  /^\W*version\s*:/im,
  /^\W*author\b[^:\n]{0,20}:/im,
];
/** The characters of a banner that are read. */
const BANNER_CHARACTERS = 600;
/** The longest name in a banner; longer text before a version is a sentence. */
const MAX_NAME_WORDS = 6;

/** Reads the banner of a file; null without a comment that names a library, a version, and a licence or the author of a plugin. */
export function readBanner(head: string): Banner | null {
  const comment = readTopComments(head).slice(0, BANNER_CHARACTERS);
  if (!LICENCE.test(comment) && !PLUGIN_HEADER.every((field) => field.test(comment))) return null;
  const text = comment.replace(OTHER_VERSIONS, " ");
  const found = VERSION.exec(text);
  if (found === null) return null;
  // The name stands before the version, on its line or on a line above.
  const names = text
    .slice(0, found.index)
    .split("\n")
    .map(nameIn)
    .filter((name) => name !== "");
  const name = names.at(-1) ?? "";
  return name === "" || name.split(" ").length > MAX_NAME_WORDS ? null : { name, version: found[1] ?? "" };
}

/** Returns the words of a line of a comment without its marks, tags and the word "version". */
function nameIn(line: string): string {
  return line
    .replace(/^\W*(?:plugin )?name\s*:|@\w+|\b(?:version|ver)\b\.?/gi, " ")
    .replace(/[^\w.$'()& -]/g, " ")
    .replace(/\s+/g, " ")
    .replace(/^[\s.-]+|[\s.-]+$/g, "");
}

/** Shorter names of a project (`js`, `ui`) are part of too many other names. */
const MIN_OWN_NAME = 3;
/** A banner in more than this share of all code files is the project's own. */
const OWN_BANNER_SHARE = 0.2;
/** Scripts for versions of the project itself: `upgrade-1.2.0.js`. */
const OWN_VERSIONS =
  /^(?:v|ver|version|migrat\w*|upgrade\w*|update\w*|patch\w*|release\w*|schema\w*|changelog\w*|test\w*|api)?[-._]?$/i;
const VERSIONED_NAME = /^(.*?)[-._]v?(\d+(?:\.\d+)+)((?:[-._][a-z]+)*)\.[cm]?js$/i;

/** The names of the project in a part of it: of a package of its own, or of the directory. */
export interface OwnNames {
  /** The folder whose files have the names: `""` for the whole directory, else it ends with a slash. */
  below: string;
  names: readonly string[];
}

/** Finds the files of libraries. A banner or a file with a name of the project is its own code. */
export function findLibraries(
  files: readonly Candidate[],
  ownNames: readonly OwnNames[],
): ReadonlyMap<string, Verdict> {
  const own = ownNames.map(({ below, names }) => ({
    below,
    names: names.map(plain).filter((name) => name.length >= MIN_OWN_NAME),
  }));
  const isOwn = (name: string, path: string) => {
    const [words, file] = [plain(name), plain(nameOfFile(path).replace(/\.\w+$/, ""))];
    return own.some(
      ({ below, names }) =>
        path.startsWith(below) && names.some((each) => words.includes(each) || file.includes(each)),
    );
  };
  const byBanner = Map.groupBy(files, ({ banner }) => (banner === null ? "" : plain(banner.name)));
  const found = new Map<string, Verdict>();
  for (const { path, banner } of files) {
    if (banner === null || isOwn(banner.name, path)) continue;
    const sharing = byBanner.get(plain(banner.name))?.length ?? 0;
    if (sharing > 2 && sharing > OWN_BANNER_SHARE * files.length) continue;
    found.set(path, {
      reason: "vendored",
      because: `its banner says ${banner.name} ${banner.version}`.slice(0, 120),
    });
  }
  for (const [path, because] of findVersions(files)) {
    if (!found.has(path) && !isOwn(nameOfFile(path), path)) found.set(path, { reason: "vendored", because });
  }
  return found;
}

/** Finds files that stand beside another version of themselves: `jquery-1.4.js` and `jquery-1.5.js`. */
function findVersions(files: readonly Candidate[]): [path: string, because: string][] {
  const versions = Map.groupBy(
    files.flatMap(({ path }) => {
      const found = VERSIONED_NAME.exec(nameOfFile(path));
      if (found === null || OWN_VERSIONS.test(found[1] ?? "")) return [];
      return [{ path, name: (found[1] ?? "").toLowerCase(), version: found[2] ?? "" }];
    }),
    ({ name }) => name,
  );
  return [...versions.values()].flatMap((group) => {
    const different = new Set(group.map(({ version }) => version));
    if (different.size < 2) return [];
    return group.map(({ path, name }): [string, string] => [
      path,
      `${different.size} versions of ${name} are here: ${[...different].slice(0, 4).join(", ")}`,
    ]);
  });
}

function nameOfFile(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** Reduces a name to its letters and digits: `jQuery UI` and `jquery-ui.js` are equal. */
function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.js$/, "")
    .replace(/[^a-z0-9]/g, "");
}
