// Bytes to values and back: JSON and MessagePack. Foreign bytes are bounded here (depth, dangerous keys) before any
// schema sees them.
import { Decoder, Encoder, ExtData } from "@msgpack/msgpack";
import { SwarmError, toSwarmError } from "./errors.ts";

/** How a body is encoded. Replies and results use the encoding of the request. */
export type Encoding = "json" | "msgpack";

/** The `Content-Type` of each encoding. */
export const CONTENT_TYPES = { json: "application/json", msgpack: "application/msgpack" } as const;

/** Objects and arrays may be nested this deep. Above it, recursive code in any client may overflow its stack. */
export const MAX_DEPTH = 64;

const textDecoder = new TextDecoder("utf-8", { fatal: true });
const packer = new Encoder({ ignoreUndefined: true });
const unpacker = new Decoder({ mapKeyConverter: (key) => String(key) });

const OPEN_BRACE = 0x7b;
const OPEN_BRACKET = 0x5b;

/** Encodes a value. JSON is the default: it is the faster of the two for small bodies in V8. */
export function encode(value: unknown, encoding: Encoding = "json"): Uint8Array {
  return encoding === "json" ? Buffer.from(JSON.stringify(value)) : packer.encode(value);
}

/**
 * Decodes a body. The encoding is `contentType`'s; without one, a body whose first non-blank byte is `{` is JSON and
 * anything else MessagePack.
 * @throws SwarmError `invalid_input`: unknown content type, malformed bytes, nesting over {@link MAX_DEPTH}, a
 *   JSON number beyond what a double holds (it would become null on its way), an unknown MessagePack extension, or a `__proto__` key (with its path as `field`).
 */
export function decode(body: Uint8Array, contentType?: string): { value: unknown; encoding: Encoding } {
  const encoding = encodingOf(body, contentType);
  return { value: encoding === "json" ? decodeJson(body) : decodeMsgpack(body), encoding };
}

/** The encoding that `contentType` names, or that the first byte shows. */
export function encodingOf(body: Uint8Array, contentType?: string): Encoding {
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

/** The encoding of the reply to a body, also to one that cannot be decoded: JSON when `contentType` names neither. */
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
  // The full walk is only needed when the text could hold what it looks for.
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

/** The digits of the largest finite number, written out: 309. A number with as many may be infinite. */
const MAX_DIGITS = 309;
/** The digits of an exponent that may make a number infinite: 1e309. */
const MAX_EXPONENT_DIGITS = 3;

/** True for a JSON text that may be nested too deep or hold a number that is too large; one pass over its bytes. */
function mayBreakRules(body: Uint8Array): boolean {
  let openers = 0;
  let digits = 0;
  let isExponent = false;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index]!;
    if (byte >= 0x30 && byte <= 0x39) {
      digits++;
      if (digits >= MAX_DIGITS || (isExponent && digits >= MAX_EXPONENT_DIGITS)) return true;
      continue;
    }
    if (byte === 0x2b && isExponent) continue; // 1e+309
    isExponent = digits > 0 && (byte === 0x65 || byte === 0x45);
    digits = 0;
    if ((byte === OPEN_BRACE || byte === OPEN_BRACKET) && ++openers > MAX_DEPTH) return true;
  }
  return false;
}

/** Walks a decoded tree without recursion; throws on a `__proto__` key, too much depth, or, in JSON, an infinite number. */
function checkTree(root: unknown, isJson: boolean): void {
  const open: { value: unknown; path: string; depth: number }[] = [{ value: root, path: "", depth: 1 }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const { value, path, depth } = top;
    if (isJson && typeof value === "number" && !Number.isFinite(value)) {
      const field = path === "" ? "body" : path;
      throw new SwarmError(
        "invalid_input",
        `a number must be at most 1.8e308, beyond which programs read infinity, at ${field}`,
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
