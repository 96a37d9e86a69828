// Computes the value of an expression. Total: each part is computed at most once, nothing loops, and whatever the values are, the
// result is a value or one fault with the path and the types that came.
import { nearest } from "../../base/index.ts";
import type { Json, JsonObject } from "../../protocol/index.ts";
import { type Comparison, type Expression, type Fault, type Path, showPath } from "./expression.ts";

/** The values that an expression can name: `input`, `steps`, `item` and so on. */
export type Scope = Readonly<Record<string, Json>>;

/** Raised when an expression has no value. `at` is the offset in the text of the expression. */
export class EvaluationError extends Error {
  override readonly name = "EvaluationError";
  readonly at: number;

  constructor({ at, message }: Fault) {
    super(message);
    this.at = at;
  }
}

/**
 * Computes an expression.
 *
 * - A field that is not there, or an index beyond the end, is an error; `has(path)` asks first. A field that is `null` is there.
 * - `==` and `!=` compare whole values, also lists and objects, and values of different types are not equal.
 * - `<`, `<=`, `>` and `>=` compare two numbers, or two texts by their UTF-16 units as JavaScript does.
 * - `a in b`: a value in a list, a field's name in an object, or a part in a text.
 * - `size(x)`: items of a list, fields of an object, or code points of a text.
 * - `&&`, `||` and `!` take only `true` and `false`; the right side is computed only when it decides.
 *
 * @throws EvaluationError
 */
export function evaluate(expression: Expression, scope: Scope): Json {
  switch (expression.kind) {
    case "literal":
      return expression.value;
    case "list":
      return expression.items.map((item) => evaluate(item, scope));
    case "path":
      return read(expression, scope);
    case "not":
      return !truth(expression.operand, scope, "!");
    case "and":
      return truth(expression.left, scope, "&&") && truth(expression.right, scope, "&&");
    case "or":
      return truth(expression.left, scope, "||") || truth(expression.right, scope, "||");
    case "compare":
      return compare(expression, scope);
    case "size":
      return size(expression.operand, evaluate(expression.operand, scope));
    case "has":
      return walk(expression.operand, scope).missing === undefined;
    default:
      return expression satisfies never;
  }
}

/** The type of a value in the words of JSON Schema, but `list` for arrays. */
export function typeOf(value: Json): "null" | "boolean" | "number" | "text" | "list" | "object" {
  if (value === null) return "null";
  if (Array.isArray(value)) return "list";
  if (typeof value === "string") return "text";
  return typeof value as "boolean" | "number" | "object";
}

function read(path: Path, scope: Scope): Json {
  const { value, missing, parent } = walk(path, scope);
  if (missing === undefined) return value;
  const { at, index } = missing;
  if (index === -1) {
    const known = Object.keys(scope);
    throw new EvaluationError({ at, message: `there is no ${path.root}${hint(path.root, known)}` });
  }
  const owner = showPath(path, index);
  const { key } = path.keys[index]!;
  throw new EvaluationError({ at, message: missingMessage(owner, key, parent) });
}

/** The place where a path leaves the values: the number of its key, or −1 for its root. */
interface Missing {
  readonly index: number;
  readonly at: number;
}

function walk(path: Path, scope: Scope): { value: Json; parent: Json; missing?: Missing } {
  const { root, keys, at } = path;
  if (!Object.hasOwn(scope, root)) return { value: null, parent: null, missing: { index: -1, at } };
  let value = scope[root]!;
  for (const [index, { key, at: keyAt }] of keys.entries()) {
    const isThere =
      typeof key === "number" ? Array.isArray(value) && key < value.length : hasField(value, key);
    if (!isThere) return { value: null, parent: value, missing: { index, at: keyAt } };
    value = (value as Record<string | number, Json>)[key]!;
  }
  return { value, parent: null };
}

function hasField(value: Json, name: string): boolean {
  return typeOf(value) === "object" && Object.hasOwn(value as object, name);
}

function missingMessage(owner: string, key: string | number, parent: Json): string {
  const type = typeOf(parent);
  if (typeof key === "number")
    return Array.isArray(parent)
      ? `${owner} has ${parent.length} items, and so no [${key}]`
      : `${owner} is ${withArticle(type)}, and only a list has [${key}]`;
  if (type !== "object") return `${owner} is ${withArticle(type)}, and only an object has a field ${key}`;
  return `${owner} has no field ${key}${hint(key, Object.keys(parent as object))}`;
}

/** The words to add to an error about an unknown name: the nearest known one, or the first known ones. */
export function hint(name: string, known: readonly string[]): string {
  const near = nearest(name, known);
  if (near !== undefined) return `; did you mean ${near}?`;
  if (known.length === 0) return "; there are none";
  const more = known.length > SHOWN_NAMES ? ` and ${known.length - SHOWN_NAMES} more` : "";
  return `; there are: ${known.slice(0, SHOWN_NAMES).join(", ")}${more}`;
}

/** The names that an error lists; more would hide its sentence. */
const SHOWN_NAMES = 10;

/** "a list", "an object", "null". */
export function withArticle(type: string): string {
  return type === "null" ? type : `${/^[aeiou]/.test(type) ? "an" : "a"} ${type}`;
}

function truth(operand: Expression, scope: Scope, sign: string): boolean {
  const value = evaluate(operand, scope);
  if (typeof value === "boolean") return value;
  const message = `${sign} takes true or false, and ${withArticle(typeOf(value))} came`;
  throw new EvaluationError({ at: operand.at, message });
}

function size(operand: Expression, value: Json): number {
  if (typeof value === "string") return [...value].length;
  if (Array.isArray(value)) return value.length;
  if (typeOf(value) === "object") return Object.keys(value as object).length;
  const message = `size() takes a list, an object or a text, and ${withArticle(typeOf(value))} came`;
  throw new EvaluationError({ at: operand.at, message });
}

function compare({ operator, left, right }: Extract<Expression, { kind: "compare" }>, scope: Scope): boolean {
  const [a, b] = [evaluate(left, scope), evaluate(right, scope)];
  if (operator === "==") return isEqual(a, b, left.at);
  if (operator === "!=") return !isEqual(a, b, left.at);
  if (operator === "in") return isIn(a, b, right.at);
  if (typeof a === "number" && typeof b === "number") return inOrder(operator, a, b);
  if (typeof a === "string" && typeof b === "string") return inOrder(operator, a, b);
  const message = `${operator} compares two numbers or two texts, and ${withArticle(typeOf(a))} and ${withArticle(typeOf(b))} came`;
  throw new EvaluationError({ at: left.at, message });
}

function inOrder<T extends number | string>(
  operator: Exclude<Comparison, "==" | "!=" | "in">,
  a: T,
  b: T,
): boolean {
  switch (operator) {
    case "<":
      return a < b;
    case "<=":
      return a <= b;
    case ">":
      return a > b;
    case ">=":
      return a >= b;
    default:
      return operator satisfies never;
  }
}

function isIn(part: Json, whole: Json, at: number): boolean {
  if (Array.isArray(whole)) return whole.some((item) => isEqual(item, part, at));
  if (typeof part === "string" && typeof whole === "string") return whole.includes(part);
  if (typeof part === "string" && typeOf(whole) === "object") return hasField(whole, part);
  const message = `in takes a value and a list, a name and an object, or two texts; ${withArticle(typeOf(part))} and ${withArticle(typeOf(whole))} came`;
  throw new EvaluationError({ at, message });
}

/** The deepest values that are compared. JSON texts can nest deeper than the stack of a comparison reaches. */
const MAX_COMPARED_DEPTH = 500;

/** Whether two JSON values are equal; the order of an object's fields does not count. */
function isEqual(a: Json, b: Json, at: number, depth = 0): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (depth > MAX_COMPARED_DEPTH)
    throw new EvaluationError({
      at,
      message: `the values are nested deeper than ${MAX_COMPARED_DEPTH} levels`,
    });
  const isSame = (one: Json, other: Json) => isEqual(one, other, at, depth + 1);
  if (Array.isArray(a) || Array.isArray(b))
    return (
      Array.isArray(a) &&
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item, i) => isSame(item, b[i]!))
    );
  const [ours, theirs] = [a as JsonObject, b as JsonObject];
  const keys = Object.keys(ours);
  if (keys.length !== Object.keys(theirs).length) return false;
  return keys.every((key) => Object.hasOwn(theirs, key) && isSame(ours[key]!, theirs[key]!));
}
