// Parses foreign values with zod: a failed check becomes a SwarmError that names the field. Also owns the schemas of
// subject tokens and times, which most messages use.
import { z } from "zod";
import { SwarmError } from "./errors.ts";
import {
  CLASS_PATTERN,
  ENGINE_CLASS,
  NAME_PATTERN,
  PLACEHOLDER,
  showValue,
  TOKEN_PATTERN,
} from "./subjects.ts";

const tokenMessage = "must be 1–64 of A–Z a–z 0–9 _ -";
/** One subject token. */
export const tokenSchema = z.string(tokenMessage).regex(TOKEN_PATTERN, tokenMessage);
/** A subject token that names a thing: a task, a capability, an agent, a host. */
export const nameSchema = z.string(tokenMessage).regex(NAME_PATTERN, {
  error: ({ input }) => (input === PLACEHOLDER ? `must not be "-", which stands for none` : tokenMessage),
});
/** An agent class. */
export const classSchema = z
  .string()
  .regex(CLASS_PATTERN, "must be 1–16 of a–z 0–9")
  .refine((name) => name !== ENGINE_CLASS, `must not be ${ENGINE_CLASS}, which is reserved for engines`);
/** An ISO 8601 time with zone. */
export const timeSchema = z.iso.datetime({
  offset: true,
  error: "must be an ISO 8601 time such as 2026-01-31T12:00:00Z",
});

const TIME_PATTERN = z.regexes.datetime({ offset: true });

/** True for a text that {@link timeSchema} accepts. */
export function isTime(text: string): boolean {
  return TIME_PATTERN.test(text);
}

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

/** One thing in a value that does not fit. */
export interface Fault {
  /** The path of the field, such as `exec.allow`; empty for the value itself. */
  field: string;
  /** The expectation and the found value. */
  text: string;
  /** For a field that is not known: the known fields at its place. */
  known?: readonly string[];
}

/**
 * All faults of a value that a person wrote, in the order of its fields; empty when it fits. {@link parse} names only the first,
 * which is enough for messages between programs.
 */
export function findFaults(schema: z.ZodType, value: unknown): Fault[] {
  const parsed = schema.safeParse(value, { error: (issue) => wordIssue(issue) ?? wordBound(issue) });
  if (parsed.success) return [];
  return parsed.error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code === "invalid_key") {
      return [{ field: path.join("."), text: `the name ${issue.issues[0]?.message ?? "does not fit"}` }];
    }
    if (issue.code !== "unrecognized_keys") {
      return [{ field: path.join("."), text: `${issue.message}, got ${showFound(value, path)}` }];
    }
    const known = keysAt(schema, path);
    return issue.keys.map((key) => ({ field: [...path, key].join("."), text: "is not known", known }));
  });
}

/** Returns the text of an issue about a bound; undefined for other issues. */
function wordBound(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== "too_small" && issue.code !== "too_big") return undefined;
  const isLow = issue.code === "too_small";
  const bound = String(isLow ? issue.minimum : issue.maximum);
  const [within, beyond] = isLow ? ["at least", "more than"] : ["at most", "less than"];
  const limit = `${issue.inclusive === false ? beyond : within} ${bound}`;
  if (issue.origin === "array") return `must have ${limit} ${bound === "1" ? "entry" : "entries"}`;
  if (issue.origin === "string") return `must have ${limit} ${bound === "1" ? "character" : "characters"}`;
  return `must be ${limit}`;
}

/** A schema, as far as a walk along a path needs to know it. */
type WalkedSchema = z.ZodType & {
  def: { innerType?: WalkedSchema; in?: WalkedSchema; element?: WalkedSchema };
};

/** The known fields of the object at the path; empty where the schema has no object. */
function keysAt(schema: z.ZodType, path: readonly string[]): string[] {
  let current = unwrap(schema);
  for (const key of path) {
    const next: unknown =
      current instanceof z.ZodObject ? current.shape[key] : (current as WalkedSchema).def.element;
    if (!(next instanceof z.ZodType)) return [];
    current = unwrap(next);
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
}

/** The schema below `optional`, `default` and the like. */
function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType, in: input } = (schema as WalkedSchema).def;
  const inner = innerType ?? input;
  return inner === undefined ? schema : unwrap(inner);
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
