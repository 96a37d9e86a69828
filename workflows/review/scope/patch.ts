// Reads the changed lines out of a patch of `git diff --unified=0`. Pure. The form of a patch: git-diff(1), "Generating patch text".

/** Lines of a file, both ends included, from 1. */
export type LineRange = readonly [from: number, to: number];

/**
 * Returns the added and changed lines of each file, by its new path. Lines are counted by the heads of the hunks, so that a changed
 * line that looks like a head (`+++ b/x`) is no head. A hunk that only removes lines has an empty range and adds none.
 */
export function readPatch(patch: string): Map<string, LineRange[]> {
  const files = new Map<string, LineRange[]>();
  let ranges: LineRange[] | undefined;
  let skip = 0;
  for (const line of patch.split("\n")) {
    if (skip > 0) {
      // "\ No newline at end of file" is no line of the file.
      if (!line.startsWith("\\")) skip--;
      continue;
    }
    if (line.startsWith("diff --git ")) ranges = undefined;
    else if (line.startsWith("+++ ")) {
      const path = readPath(line.slice(4));
      ranges = path === null ? undefined : (files.get(path) ?? []);
      if (path !== null && ranges !== undefined) files.set(path, ranges);
    } else {
      const hunk = /^@@ -\d+(?:,(\d+))? \+(\d+)(?:,(\d+))? @@/.exec(line);
      if (hunk === null) continue;
      const [removed, from, added] = [Number(hunk[1] ?? 1), Number(hunk[2]), Number(hunk[3] ?? 1)];
      if (added > 0) ranges?.push([from, from + added - 1]);
      skip = removed + added;
    }
  }
  return files;
}

/** Returns the path of `b/…`, which git quotes like C when it has unusual bytes; null for /dev/null. */
function readPath(text: string): string | null {
  // git adds a tab after a name with blanks.
  const name = text.replace(/\t$/, "");
  const plain = name.startsWith('"') && name.endsWith('"') ? unquote(name.slice(1, -1)) : name;
  return plain.startsWith("b/") ? plain.slice(2) : null;
}

const ESCAPES: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  t: 9,
  n: 10,
  v: 11,
  f: 12,
  r: 13,
  '"': 34,
  "\\": 92,
};

function unquote(text: string): string {
  const bytes: number[] = [];
  for (const found of text.matchAll(/\\([0-7]{3})|\\(.)|([^\\]+)/g)) {
    const [, octal, letter, plain = ""] = found;
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else if (letter !== undefined) bytes.push(ESCAPES[letter] ?? letter.charCodeAt(0));
    else bytes.push(...Buffer.from(plain));
  }
  return Buffer.from(bytes).toString("utf8");
}
