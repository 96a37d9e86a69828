// Parsing at the border: a zod schema's verdict becomes a SwarmError that names the field. And the schemas of the two
// kinds of text that every message is made of.
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
 * @param what names the thing in the message, for example `task`.
 * @param prefix is put before the field's path, for example `input`.
 */
export function parse<S extends z.ZodType>(
  schema: S,
  value: unknown,
  what: string,
  prefix = "",
): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const path = (issue?.path ?? []).map(String);
  if (issue?.code === "unrecognized_keys") path.push(issue.keys[0] ?? "");
  const field = [prefix, ...path].filter((part) => part !== "").join(".");
  const came = field === "" ? "" : `, got ${showValue(lookUp(value, path))}`;
  const message =
    issue?.code === "unrecognized_keys" ? "is not a known field" : (issue?.message ?? "does not fit");
  throw new SwarmError("invalid_input", `${what}: ${field === "" ? "the body" : field}: ${message}${came}`, {
    field: field === "" ? "body" : field,
  });
}

function lookUp(value: unknown, path: string[]): unknown {
  let current: unknown = value;
  for (const key of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, key)) return undefined;
    current = (current as Record<string, unknown>)[key];
  }
  return typeof current === "object" && current !== null
    ? Array.isArray(current)
      ? "an array"
      : "an object"
    : current;
}
