// The one search over tasks: words such as `capability:pay state:failed code:timeout since:1h label:order=7 01J…`, and the fields of
// `GET /v1/tasks`. Pure.

/** The words that a search knows, with the field of the API that each one fills. */
const WORDS = {
  id: "idPrefix",
  capability: "capability",
  state: "state",
  code: "code",
  agent: "agent",
  scope: "scope",
  since: "since",
  label: "label",
} as const;
type Word = keyof typeof WORDS;

/** Short forms of the words. */
const SHORT: Readonly<Record<string, Word>> = { cap: "capability", error: "code", from: "since" };

/** A search that was read: the fields of the request, and the reason why a part of the text counts for nothing. */
export interface ReadSearch {
  readonly fields: Readonly<Record<string, string | string[]>>;
  readonly problem: string | null;
}

/** Reads a search. A word without a colon is the beginning of an id. */
export function readSearch(text: string): ReadSearch {
  const fields: Record<string, string | string[]> = {};
  const problems: string[] = [];
  for (const part of text.split(/\s+/).filter((each) => each !== "")) {
    const colon = part.indexOf(":");
    const name = colon < 0 ? "id" : part.slice(0, colon).toLowerCase();
    const value = colon < 0 ? part : part.slice(colon + 1);
    const word = SHORT[name] ?? (name in WORDS ? (name as Word) : undefined);
    if (word === undefined) {
      problems.push(`${name} is no word of the search; known: ${Object.keys(WORDS).join(", ")}`);
    } else if (value === "") problems.push(`${name}: needs a value`);
    else if (word === "label") fields.label = [...((fields.label as string[] | undefined) ?? []), value];
    else if (fields[WORDS[word]] !== undefined) problems.push(`${name} is given twice; the first one counts`);
    else fields[WORDS[word]] = value;
  }
  return { fields, problem: problems.length === 0 ? null : problems.join("; ") };
}
