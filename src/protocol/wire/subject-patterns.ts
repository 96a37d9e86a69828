// Patterns of subjects, made from the forms in subject-facts.ts: for NATS permissions, which allow a family of subjects. Pure.

import { SUBJECT_FACTS, type SubjectName } from "./subject-facts.ts";
import { PREFIX_PATTERN, TOKEN_PATTERN } from "./subjects.ts";

/** A variable token of a form: `<capability>`. */
const VARIABLE = /^<(\w+)>$/;
/** The variable that stands for one or more tokens. */
const OPEN_ENDED = "topic";

/**
 * The pattern of all subjects of one form: `*` for each variable token, and `>` for a topic. `tokens` fixes variable tokens by their
 * names in the form: `subjectPattern("murmur", "task", { capability: "echo" })` is `murmur.task.echo.*.*.*`.
 * @throws RangeError for a name that the form does not have, and for a token that could widen the pattern.
 */
export function subjectPattern(
  prefix: string,
  name: SubjectName,
  tokens: Readonly<Record<string, string>> = {},
): string {
  if (!PREFIX_PATTERN.test(prefix)) throw new RangeError(`bad prefix: ${prefix}`);
  const left = new Set(Object.keys(tokens));
  const parts = SUBJECT_FACTS[name].form.split(".").map((part) => {
    const variable = VARIABLE.exec(part)?.[1];
    if (variable === undefined) return part;
    left.delete(variable);
    const fixed = tokens[variable];
    if (fixed === undefined) return variable === OPEN_ENDED ? ">" : "*";
    if (!TOKEN_PATTERN.test(fixed)) throw new RangeError(`bad token ${variable} of ${name}: ${fixed}`);
    return fixed;
  });
  if (left.size > 0) throw new RangeError(`${name} has no token ${[...left].join(", ")}`);
  return [prefix, ...parts].join(".");
}
