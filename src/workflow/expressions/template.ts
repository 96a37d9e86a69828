// Values of a definition with expressions in their texts: `{ id: "${input.id}", note: "order ${input.id}" }`. Owns where an
// expression begins and ends; leaves expressions to parse.ts and evaluate.ts.
//
// - A text that is one `${…}` becomes the expression's value, of whatever type.
// - Other texts stay texts: a text in them stands as it is, any other value as JSON.
// - `$${` stands for the characters `${`. Names of fields are never expressions.
import type { Json } from "../../protocol/index.ts";
import { EvaluationError, evaluate, type Scope } from "./evaluate.ts";
import type { Expression, Fault } from "./expression.ts";
import { parseAt } from "./parse.ts";

/** A parsed value. `fixed`: no expression is in it. */
export type Template =
  | { readonly kind: "fixed"; readonly value: Json }
  | { readonly kind: "value"; readonly expression: Expression; readonly text: string }
  | { readonly kind: "text"; readonly parts: readonly (string | Expression)[]; readonly text: string }
  | { readonly kind: "list"; readonly items: readonly Template[] }
  | { readonly kind: "object"; readonly fields: readonly (readonly [name: string, value: Template])[] };

/** Names and indexes that lead to a text inside a value. */
export type Place = readonly (string | number)[];

/** A fault in a text of a value, with its place. */
export interface TemplateFault extends Fault {
  readonly place: Place;
  /** The whole text that has the fault; `at` counts in it. */
  readonly text: string;
}

/** The longest text that a template makes, in UTF-16 units: several times the largest message that NATS takes by default. */
export const MAX_MADE_LENGTH = 4 * 1024 * 1024;
/** The deepest value of a definition. */
export const MAX_TEMPLATE_DEPTH = 64;

/** Reads all expressions of a value. Faults are collected: an author mends all at once. */
export function parseTemplate(value: Json): { template: Template; faults: TemplateFault[] } {
  const faults: TemplateFault[] = [];
  return { template: parseValue(value, [], faults), faults };
}

function parseValue(value: Json, place: Place, faults: TemplateFault[]): Template {
  if (typeof value === "string")
    return parseText(value, (fault) => faults.push({ ...fault, place, text: value }));
  if (value === null || typeof value !== "object") return { kind: "fixed", value };
  if (place.length >= MAX_TEMPLATE_DEPTH) {
    faults.push({ at: 0, message: `is nested deeper than ${MAX_TEMPLATE_DEPTH} levels`, place, text: "" });
    return { kind: "fixed", value: null };
  }
  if (Array.isArray(value)) {
    const items = value.map((item: Json, index) => parseValue(item, [...place, index], faults));
    return items.every(({ kind }) => kind === "fixed") ? { kind: "fixed", value } : { kind: "list", items };
  }
  const fields = Object.entries(value).map(
    ([name, field]) => [name, parseValue(field as Json, [...place, name], faults)] as const,
  );
  return fields.every(([, { kind }]) => kind === "fixed")
    ? { kind: "fixed", value }
    : { kind: "object", fields };
}

/** Reads one text. After a fault the rest of the text is not read: its end is not known. */
export function parseText(text: string, onFault: (fault: Fault) => void): Template {
  const parts: (string | Expression)[] = [];
  let plain = "";
  let at = 0;
  while (at < text.length) {
    if (text.startsWith("$${", at)) {
      plain += "${";
      at += 3;
    } else if (text.startsWith("${", at)) {
      const parsed = parseAt(text, at + 2, "}");
      if (!parsed.ok) {
        onFault(parsed.fault);
        return { kind: "fixed", value: text };
      }
      if (plain !== "") parts.push(plain);
      plain = "";
      parts.push(parsed.expression);
      at = parsed.end + 1;
    } else plain += text[at++];
  }
  if (plain !== "") parts.push(plain);
  const [first] = parts;
  if (first === undefined) return { kind: "fixed", value: "" };
  if (parts.length > 1) return { kind: "text", parts, text };
  return typeof first === "string"
    ? { kind: "fixed", value: first }
    : { kind: "value", expression: first, text };
}

/**
 * Computes a value.
 *
 * @throws TemplateError with the text that has no value.
 */
export function fillTemplate(template: Template, scope: Scope): Json {
  switch (template.kind) {
    case "fixed":
      return template.value;
    case "value":
      return inText(template.text, () => evaluate(template.expression, scope));
    case "text":
      return inText(template.text, () => join(template.parts, scope));
    case "list":
      return template.items.map((item) => fillTemplate(item, scope));
    case "object":
      return Object.fromEntries(template.fields.map(([name, value]) => [name, fillTemplate(value, scope)]));
    default:
      return template satisfies never;
  }
}

/** Raised when an expression of a text has no value. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";

  constructor(text: string, cause: EvaluationError) {
    super(`${text}: ${cause.message}`, { cause });
  }
}

function inText<T>(text: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof EvaluationError) throw new TemplateError(text, error);
    throw error;
  }
}

function join(parts: readonly (string | Expression)[], scope: Scope): string {
  let text = "";
  for (const part of parts) {
    const value = typeof part === "string" ? part : evaluate(part, scope);
    text += typeof value === "string" ? value : JSON.stringify(value);
    if (text.length > MAX_MADE_LENGTH) {
      const at = typeof part === "string" ? 0 : part.at;
      throw new EvaluationError({ at, message: `makes a text of more than ${MAX_MADE_LENGTH} characters` });
    }
  }
  return text;
}
