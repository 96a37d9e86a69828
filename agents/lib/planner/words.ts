// The words of an objective: splits it into parts, and finds the expertise that a part names. Pure.

/** A part of an objective, and how it follows the part before it. */
export interface Part {
  readonly text: string;
  /** `beside`: it runs together with the part before it. `after`: it waits for everything before it. */
  readonly how: "after" | "beside";
}

/** The areas of expertise that agents name, with the words that stand for each in an objective. */
const EXPERTISE: Readonly<Record<string, readonly string[]>> = {
  backend: ["backend", "server", "api", "endpoint", "database", "service", "migration"],
  search: ["search", "find", "look", "lookup", "explore", "locate"],
  ai: ["ai", "model", "prompt", "embedding", "classify"],
  frontend: ["frontend", "page", "ui", "css", "component", "browser"],
  devops: ["devops", "deploy", "release", "pipeline", "container", "cluster", "rollout"],
  qa: ["qa", "test", "verify", "check", "quality", "regression"],
  security: ["security", "vulnerability", "secret", "audit", "permission"],
  docs: ["docs", "document", "documentation", "readme", "guide", "changelog", "write"],
};

/** Ends a stage: everything after it waits for everything before it. */
const NEXT = "(?:and\\s+)?(?:then|afterwards|after\\s+that|finally)\\b,?";
const THEN = new RegExp(`\\s*(?:(?:;|\\.(?=\\s|$)|\\n)\\s*(?:${NEXT})?|,?\\s+${NEXT})\\s*`, "iu");
/** Separates parts that do not wait for each other. */
const AND = /\s*(?:,|\band\b|\bplus\b|\bas well as\b)\s*/iu;

/** Splits an objective into parts. */
export function splitObjective(objective: string): Part[] {
  const stages = objective.split(THEN).map((stage) => stage.trim());
  return stages.flatMap((stage) =>
    stage
      .split(AND)
      .map((text) => text.trim().replace(/^(?:first|please|to)\s+/iu, ""))
      .filter((text) => /\p{L}/u.test(text))
      .map((text, at): Part => ({ text, how: at === 0 ? "after" : "beside" })),
  );
}

/** The words of a text, in lower case and without a plural s. */
export function wordsOf(text: string): string[] {
  return (text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []).map(stemOf);
}

function stemOf(word: string): string {
  return word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
}

/** The areas of expertise that a text names. */
export function expertiseOf(text: string): string[] {
  const words = new Set(wordsOf(text));
  return Object.entries(EXPERTISE)
    .filter(([, names]) => names.some((name) => words.has(stemOf(name))))
    .map(([area]) => area);
}
