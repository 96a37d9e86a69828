// Matches paths with the patterns of gitignore(5): `*`, `?`, `[a-z]`, `\` escapes, `**` between slashes; on request also `{a,b}`.
// Pure. Owns one pattern; lists of patterns are in ignore.ts.
//
// The patterns come from the reviewed repository. A library turns a pattern into a regular expression, and a hostile one such as
// `*a*a*a*a*a*b` then takes minutes for one path. This matcher never backtracks over more than the last star, so a path of n
// characters and a pattern of m take at most n·m steps. The tests compare it with Node's `path.matchesGlob`.

/** The most alternatives of one pattern with braces; further alternatives are dropped, so that `{a,b}{a,b}…` stays small. */
const MAX_ALTERNATIVES = 64;
/** The longest pattern. Longer ones match nothing; a person writes about 40 characters. */
export const MAX_PATTERN_CHARACTERS = 512;

/** A pattern between two slashes; `deep` stands for `**`. */
type Segment = "deep" | readonly Token[];
/** A character, `?`, a class, or `*`. */
type Token = string | "any" | { readonly ranges: readonly Range[]; readonly isNegated: boolean } | "star";
type Range = readonly [from: string, to: string];

/** A pattern that is ready to match. */
export type Glob = readonly Segment[];

/** Compiles a pattern for whole paths (no `/` at its start or end). Returns no glob for a pattern over the size limit. */
export function compileGlob(pattern: string): Glob | null {
  if (pattern.length > MAX_PATTERN_CHARACTERS) return null;
  return pattern.split("/").map((part) => (part === "**" ? "deep" : tokenize(part)));
}

/** True when the glob matches all of `path` (`/` between its parts). */
export function matchesGlob(glob: Glob, path: string): boolean {
  const parts = path.split("/");
  return matchStars(
    glob,
    parts,
    (segment) => segment === "deep",
    (segment, part) =>
      matchStars(
        segment as readonly Token[],
        [...part],
        (token) => token === "star",
        (token, character) => matchesToken(token as Exclude<Token, "star">, character),
      ),
    // `a/**` matches the content of a folder, not the folder.
    glob.length > 1 && glob.at(-1) === "deep",
  );
}

/** Expands `{a,b}` into one pattern for each alternative. A brace without a comma, or without an end, is literal. */
export function expandBraces(pattern: string): string[] {
  if (pattern.length > MAX_PATTERN_CHARACTERS) return [];
  const done: string[] = [];
  const open = [pattern];
  while (open.length > 0 && done.length + open.length <= MAX_ALTERNATIVES) {
    const next = open.shift() as string;
    const found = findBraces(next);
    if (found === null) done.push(next);
    else open.unshift(...found.parts.map((part) => next.slice(0, found.from) + part + next.slice(found.to)));
  }
  return [...done, ...open].slice(0, MAX_ALTERNATIVES);
}

/**
 * The classic match with stars (Krauss, "Matching Wildcards", 2008): after a mismatch only the last star takes one item more.
 * That is enough, because an earlier star that took more could only leave less for the later ones.
 */
function matchStars<P, I>(
  pattern: readonly P[],
  items: readonly I[],
  isStar: (part: P) => boolean,
  fits: (part: P, item: I) => boolean,
  lastStarNeedsItem = false,
): boolean {
  let at = 0;
  let position = 0;
  let star = -1;
  let starPosition = 0;
  while (position < items.length) {
    const part = pattern[at];
    if (at < pattern.length && isStar(part as P)) {
      star = at++;
      starPosition = position;
    } else if (at < pattern.length && fits(part as P, items[position] as I)) {
      at++;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++starPosition;
    } else return false;
  }
  if (lastStarNeedsItem && at >= pattern.length - 1 && star !== pattern.length - 1) return false;
  while (at < pattern.length && isStar(pattern[at] as P)) at++;
  return at === pattern.length;
}

function matchesToken(token: Exclude<Token, "star">, character: string): boolean {
  if (token === "any") return true;
  if (typeof token === "string") return token.slice(1) === character;
  return token.ranges.some(([from, to]) => from <= character && character <= to) !== token.isNegated;
}

/** Literal characters get a leading `=`, so that the words `any` and `star` cannot be one. */
function tokenize(part: string): Token[] {
  const characters = [...part];
  const tokens: Token[] = [];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] as string;
    if (character === "*") {
      if (tokens.at(-1) !== "star") tokens.push("star");
    } else if (character === "?") tokens.push("any");
    else if (character === "\\" && at + 1 < characters.length) tokens.push(`=${characters[++at]}`);
    else if (character === "[") {
      const found = readClass(characters, at);
      tokens.push(found === null ? "=[" : found.token);
      if (found !== null) at = found.end;
    } else tokens.push(`=${character}`);
  }
  return tokens;
}

/** Reads `[a-z]`, `[!a]`, `[^a]`, `[]a]`; null when the bracket does not close, so that it is literal. */
function readClass(characters: readonly string[], from: number): { token: Token; end: number } | null {
  let at = from + 1;
  const isNegated = characters[at] === "!" || characters[at] === "^";
  if (isNegated) at++;
  const ranges: Range[] = [];
  for (let first = true; at < characters.length; first = false) {
    if (characters[at] === "]" && !first) return { token: { ranges, isNegated }, end: at };
    const low = characters[characters[at] === "\\" && at + 1 < characters.length ? ++at : at] as string;
    if (characters[at + 1] === "-" && characters[at + 2] !== undefined && characters[at + 2] !== "]") {
      at += 2;
      const high = characters[characters[at] === "\\" && at + 1 < characters.length ? ++at : at] as string;
      ranges.push([low, high]);
    } else ranges.push([low, low]);
    at++;
  }
  return null;
}

/** Finds the first braces with a comma at their own level, and the texts between the commas. */
function findBraces(pattern: string): { from: number; to: number; parts: string[] } | null {
  for (let from = pattern.indexOf("{"); from !== -1; from = pattern.indexOf("{", from + 1)) {
    if (pattern[from - 1] === "\\") continue;
    let depth = 0;
    let start = from + 1;
    const parts: string[] = [];
    for (let at = from; at < pattern.length; at++) {
      const character = pattern[at];
      if (character === "\\") at++;
      else if (character === "{") depth++;
      else if (character === "," && depth === 1) {
        parts.push(pattern.slice(start, at));
        start = at + 1;
      } else if (character === "}" && --depth === 0) {
        if (parts.length === 0) break;
        return { from, to: at + 1, parts: [...parts, pattern.slice(start, at)] };
      }
    }
  }
  return null;
}
