// Parses foreign values with zod: a failed check becomes a SwarmError that names the field. Also owns the schemas of
// subject tokens and times, which most messages use.
import { z } from "zod";
import { SwarmError } from "./errors.ts";
import { showValue, TOKEN_PATTERN } from "./subjects.ts";

const tokenMessage = "must be 1–64 of A–Z a–z 0–9 _ -";
/** One subject token. */
export const tokenSchema = z.string(tokenMessage).regex(TOKEN_PATTERN, tokenMessage);
/** An ISO 8601 time with zone. */
export const timeSchema = z.iso.datetime({
  offset: true,
  error: "must be an ISO 8601 time such as 2026-01-31T12:00:00Z",
});

/**
 * Parses `value` or throws `invalid_input` naming the first offending field.
 * @param what the name of the value in the message, for example `task`.
 * @param prefix text before the field's path, for example `input`.
 */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
  prefix = "",
): z.output<S> {
  const parsed = schema.safeParse(value, { error: wordIssue });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = (issue?.path ?? []).map(String);
  if (issue?.code === "unrecognized_keys") path.push(issue.keys[0] ?? "");
  const field = [prefix, ...path].filter((part) => part !== "").join(".");
  const got = field === "" ? "" : `, got ${showFound(value, path)}`;
  const message =
    issue?.code === "unrecognized_keys" ? "is not a known field" : (issue?.message ?? "does not fit");
  throw new SwarmError("invalid_input", `${what}: ${field === "" ? "the body" : field}: ${message}${got}`, {
    field: field === "" ? "body" : field,
  });
}

/** Returns the text of an issue whose schema has no message of its own. Undefined: zod's own text is used. */
function wordIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === "invalid_type")
    return `must be ${TYPE_WORDS[issue.expected] ?? `of type ${issue.expected}`}`;
  if (issue.code === "invalid_value")
    return `must be ${issue.values.length === 1 ? "" : "one of "}${issue.values.join(", ")}`;
  return undefined;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
};

/** Describes the value at the path in a few words. */
function showFound(value: unknown, path: string[]): string {
  let current: unknown = value;
  for (const key of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, key)) return "nothing";
    current = (current as Record<string, unknown>)[key];
  }
  if (Array.isArray(current)) return "a list";
  return typeof current === "object" && current !== null ? "an object" : showValue(current);
}
