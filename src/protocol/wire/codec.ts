// Encodes and decodes bodies: JSON and MessagePack. It checks foreign bytes for depth and dangerous keys before any schema
// sees them.
import { Decoder, Encoder, ExtData } from "@msgpack/msgpack";
import { SwarmError, toSwarmError } from "./errors.ts";

/** The encoding of a body. Replies and results use the encoding of the request. */
export type Encoding = "json" | "msgpack";

/** The `Content-Type` of each encoding. */
export const CONTENT_TYPES = { json: "application/json", msgpack: "application/msgpack" } as const;

/** The deepest nesting of objects and arrays in a body. Deeper bodies could overflow the stack of recursive code in clients. */
export const MAX_DEPTH = 64;

const textDecoder = new TextDecoder("utf-8", { fatal: true });
const packer = new Encoder({ ignoreUndefined: true });
const unpacker = new Decoder({ mapKeyConverter: (key) => String(key) });

const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Encodes a value. JSON is the default, because it is faster than MessagePack for small bodies in V8. */
export function encode(value: unknown, encoding: Encoding = "json"): Uint8Array {
  return encoding === "json" ? Buffer.from(JSON.stringify(value)) : packer.encode(value);
}

/**
 * Decodes a body. `contentType` names the encoding. Without it, a body whose first non-blank byte is `{` is JSON, and any
 * other body is MessagePack.
 * @throws SwarmError `invalid_input`: unknown content type, malformed bytes, nesting over {@link MAX_DEPTH}, a JSON number
 *   too large for a double (it would become null when encoded again), an unknown MessagePack extension, or a `__proto__` key
 *   (with its path as `field`).
 */
export function decode(body: Uint8Array, contentType?: string): { value: unknown; encoding: Encoding } {
  const encoding = encodingOf(body, contentType);
  return { value: encoding === "json" ? decodeJson(body) : decodeMsgpack(body), encoding };
}

/** Returns the encoding that `contentType` names, or else the encoding that the first byte shows. */
export function encodingOf(body: Uint8Array, contentType?: string): Encoding {
  if (contentType === CONTENT_TYPES.json) return "json"; // as Murmur's own processes write it
  const mediaType = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (mediaType === CONTENT_TYPES.json) return "json";
  if (mediaType === CONTENT_TYPES.msgpack) return "msgpack";
  if (mediaType !== undefined && mediaType !== "") {
    throw new SwarmError(
      "invalid_input",
      `Content-Type must be ${CONTENT_TYPES.json} or ${CONTENT_TYPES.msgpack}, got ${JSON.stringify(mediaType.slice(0, 80))}`,
      { field: "Content-Type" },
    );
  }
  return body[firstNonBlank(body)] === OPEN_BRACE ? "json" : "msgpack";
}

/** Returns the encoding of the reply to a body, even if the body cannot be decoded: JSON for an unknown `contentType`. */
export function replyEncodingOf(body: Uint8Array, contentType?: string): Encoding {
  try {
    return encodingOf(body, contentType);
  } catch {
    return "json";
  }
}

function firstNonBlank(body: Uint8Array): number {
  let index = 0;
  while (index < body.length && (body[index] === 0x20 || (body[index]! >= 0x09 && body[index]! <= 0x0d)))
    index++;
  return index;
}

function decodeJson(body: Uint8Array): unknown {
  let text: string;
  let value: unknown;
  try {
    text = textDecoder.decode(body);
    value = JSON.parse(text);
  } catch (error) {
    throw new SwarmError(
      "invalid_input",
      `the body must be JSON: ${toSwarmError(error).message.slice(0, 200)}`,
      {
        field: "body",
      },
    );
  }
  // The slower walk over all values is only needed if the text could break a rule.
  if (mayBreakRules(body) || text.includes("__proto__") || text.includes("\\u")) checkTree(value, true);
  return value;
}

function decodeMsgpack(body: Uint8Array): unknown {
  let value: unknown;
  try {
    value = unpacker.decode(body);
  } catch (error) {
    throw new SwarmError(
      "invalid_input",
      `the body must be MessagePack (or JSON, starting with "{"): ${toSwarmError(error).message.slice(0, 200)}`,
      { field: "body" },
    );
  }
  checkTree(value, false);
  return value;
}

/** The number of digits of the largest finite double, written out. A number with as many digits may be infinite. */
const MAX_DIGITS = 309;
/** The number of exponent digits that may make a number infinite, as in 1e309. */
const MAX_EXPONENT_DIGITS = 3;

/** True if a valid JSON text is nested too deep or may contain a number that is too large. One pass over its bytes. */
function mayBreakRules(body: Uint8Array): boolean {
  let depth = 0;
  let digits = 0;
  let isExponent = false;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index]!;
    if (byte === QUOTE) {
      index = endOfString(body, index);
      digits = 0;
      isExponent = false;
      continue;
    }
    if (byte >= 0x30 && byte <= 0x39) {
      digits++;
      if (digits >= MAX_DIGITS || (isExponent && digits >= MAX_EXPONENT_DIGITS)) return true;
      continue;
    }
    if (byte === 0x2b && isExponent) continue; // 1e+309
    isExponent = digits > 0 && (byte === 0x65 || byte === 0x45);
    digits = 0;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++depth > MAX_DEPTH) return true;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return false;
}

/** The index of the quote that ends the string at `start`. */
function endOfString(body: Uint8Array, start: number): number {
  let index = start + 1;
  while (index < body.length && body[index] !== QUOTE) index += body[index] === BACKSLASH ? 2 : 1;
  return index;
}

/** Walks a decoded value without recursion. Throws on a `__proto__` key, on too much depth and, in JSON, on an infinite number. */
function checkTree(root: unknown, isJson: boolean): void {
  const open: { value: unknown; path: string; depth: number }[] = [{ value: root, path: "", depth: 1 }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const { value, path, depth } = top;
    if (isJson && typeof value === "number" && !Number.isFinite(value)) {
      const field = path === "" ? "body" : path;
      throw new SwarmError(
        "invalid_input",
        `a number must be at most 1.8e308, because programs read a larger one as infinity, at ${field}`,
        { field },
      );
    }
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value) || value instanceof Date)
      continue;
    if (value instanceof ExtData) {
      const field = path === "" ? "body" : path;
      throw new SwarmError(
        "invalid_input",
        `MessagePack extension type ${value.type} is not known (only timestamps are), at ${field}`,
        { field },
      );
    }
    if (depth > MAX_DEPTH) {
      const field = path.split(".", 3).join(".");
      throw new SwarmError(
        "invalid_input",
        `the body is nested deeper than ${MAX_DEPTH} levels, below ${field}`,
        {
          field,
        },
      );
    }
    for (const key of Object.keys(value)) {
      const field = path === "" ? key : `${path}.${key}`;
      if (key === "__proto__") {
        throw new SwarmError("invalid_input", `a key must not be "__proto__": rename ${field}`, { field });
      }
      open.push({ value: (value as Record<string, unknown>)[key], path: field, depth: depth + 1 });
    }
  }
}
