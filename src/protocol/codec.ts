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
 * @throws SwarmError `invalid_input`: unknown content type, malformed bytes, nesting over {@link MAX_DEPTH}, an
 *   unknown MessagePack extension, or a `__proto__` key (with its path as `field`).
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
  if (countOpeners(body) > MAX_DEPTH || text.includes("__proto__") || text.includes("\\u")) checkTree(value);
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
  checkTree(value);
  return value;
}

function countOpeners(body: Uint8Array): number {
  let count = 0;
  for (let index = 0; index < body.length; index++) {
    const byte = body[index];
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) count++;
  }
  return count;
}

/** Walks a decoded tree without recursion; throws on a `__proto__` key or too much depth. */
function checkTree(root: unknown): void {
  const open: { value: unknown; path: string; depth: number }[] = [{ value: root, path: "", depth: 1 }];
  for (let top = open.pop(); top !== undefined; top = open.pop()) {
    const { value, path, depth } = top;
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
