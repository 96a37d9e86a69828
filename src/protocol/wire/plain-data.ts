// Checks that a value arrives as it was sent. Programs hand over outputs, inputs and contexts as JavaScript values; JSON would
// change some of them without a word: a Map becomes {}, NaN becomes null, a Date becomes a text. Such a value is refused, with
// its path. Pure.
import { type Encoding, MAX_DEPTH } from "./codec.ts";
import { SwarmError } from "./errors.ts";
import { showValue } from "./subjects.ts";

/** The deepest nesting of a handed-over value: a message has it in one of its fields. */
const VALUE_DEPTH = MAX_DEPTH - 1;
/** The deepest nesting of a step's result: it is in a list in a record, which the front door sends in a list of its own. */
export const STEP_RESULT_DEPTH = MAX_DEPTH - 8;

/**
 * Checks a value that a program hands over. Accepts null, booleans, strings, finite numbers, arrays and plain objects of them;
 * a property that is undefined is left out, as JavaScript programs expect. MessagePack also carries a Uint8Array and a Date.
 * @param what the name of the value in errors and in `field`, for example `output`.
 * @param depth the deepest nesting; default: that of a message's field.
 * @throws SwarmError `invalid_input`, not retryable, with the path of the first value that would change, and its type.
 */
export function checkPlainData(
  value: unknown,
  what: string,
  encoding: Encoding = "json",
  depth: number = VALUE_DEPTH,
): void {
  if (value === undefined || isPlain(value, encoding, depth)) return;
  const found = findChanged(value, { encoding, depth }, what, depth);
  const { path, problem } = found ?? { path: what, problem: "a value that cannot be read twice" };
  throw new SwarmError("invalid_input", `${path} is ${problem}, which would not arrive as it is`, {
    field: path,
  });
}

/** The fast check: no path, no allocation. */
function isPlain(value: unknown, encoding: Encoding, depthLeft: number): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    case "object":
      break;
    default:
      return false;
  }
  if (value === null) return true;
  if (depthLeft === 0) return false;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++)
      if (!isPlain(value[index], encoding, depthLeft - 1)) return false;
    return true;
  }
  if (!isPlainObject(value)) return encoding === "msgpack" && isExtra(value);
  for (const key in value) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    if (key === "__proto__" || key === "toJSON" || !isPlain(member, encoding, depthLeft - 1)) return false;
  }
  return true;
}

/** True for `{}` and for objects without a prototype, also from another realm; false for instances of classes. */
function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "hasOwnProperty");
}

/** The instances that MessagePack carries. */
const isExtra = (value: object) =>
  value instanceof Uint8Array || (value instanceof Date && Number.isFinite(value.getTime()));

interface Changed {
  path: string;
  problem: string;
}

/** The first value that would change, with its path. */
function findChanged(
  value: unknown,
  limits: { encoding: Encoding; depth: number },
  path: string,
  depthLeft: number,
): Changed | null {
  const { encoding } = limits;
  if (isPlain(value, encoding, depthLeft)) return null;
  if (typeof value !== "object" || value === null) return { path, problem: describe(value) };
  if (depthLeft === 0)
    return {
      path: path.split(".", 3).join("."),
      problem: `nested deeper than ${limits.depth} levels (or a circle)`,
    };
  if (!Array.isArray(value) && !isPlainObject(value)) return { path, problem: describe(value) };
  if (Array.isArray(value)) {
    const index = value.findIndex((member) => !isPlain(member, encoding, depthLeft - 1));
    return findChanged(value[index], limits, `${path}.${index}`, depthLeft - 1);
  }
  for (const [key, member] of Object.entries(value)) {
    if (member === undefined) continue;
    if (key === "__proto__" || key === "toJSON")
      return { path: `${path}.${key}`, problem: "a key with a meaning of its own" };
    const found = findChanged(member, limits, `${path}.${key}`, depthLeft - 1);
    if (found !== null) return found;
  }
  return null;
}

/** A value as an error shows it: by its type where its text would say little. */
function describe(value: unknown): string {
  if (value === undefined) return "undefined in an array";
  if (typeof value === "object" && value !== null) {
    const name = (value.constructor as { name?: unknown } | undefined)?.name;
    return typeof name === "string" && name !== "" ? `an instance of ${name}` : "an instance of a class";
  }
  if (typeof value === "function") return "a function";
  if (typeof value === "bigint") return `the bigint ${showValue(String(value))}`;
  if (typeof value === "symbol") return "a symbol";
  return `the number ${String(value)}`;
}
