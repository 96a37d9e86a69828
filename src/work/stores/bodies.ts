// Encodes and decodes the bodies of tasks and results. A body up to 512 KiB is in the message itself (inline); a larger
// body is stored as a blob, and the message contains a reference to the blob.
import {
  blobSchema,
  CONTENT_TYPES,
  decode,
  type Encoding,
  encode,
  HEADERS,
  INLINE_LIMIT_BYTES,
  PROTOCOL_VERSION,
  parse,
  SwarmError,
} from "../../protocol/index.ts";
import type { Blobs, Headers, Incoming } from "../../transport/index.ts";

const INLINE_HEADERS: Record<Encoding, Headers> = {
  json: Object.freeze({ [HEADERS.contentType]: CONTENT_TYPES.json, [HEADERS.version]: PROTOCOL_VERSION }),
  msgpack: Object.freeze({
    [HEADERS.contentType]: CONTENT_TYPES.msgpack,
    [HEADERS.version]: PROTOCOL_VERSION,
  }),
};

/** The headers of a body in this encoding. */
export function bodyHeaders(encoding: Encoding): Headers {
  return INLINE_HEADERS[encoding];
}

/** The most bytes of a blob reference: a hash, a size and two names. */
const MAX_REFERENCE_BYTES = 1_024;

/** Stores encoded bytes over 512 KiB as a blob and returns an encoded reference; returns smaller bytes as they are. */
export async function packLarge(bytes: Uint8Array, encoding: Encoding, blobs: Blobs): Promise<Uint8Array> {
  return bytes.length <= INLINE_LIMIT_BYTES ? bytes : encode(await blobs.put(bytes), encoding);
}

/** True when the bytes are too large for a message, so that {@link packLarge} is needed. */
export function isLarge(bytes: Uint8Array): boolean {
  return bytes.length > INLINE_LIMIT_BYTES;
}

/** Decodes a body without fetching a blob. @throws SwarmError `invalid_input`. */
export function unpack(message: Incoming): { value: unknown; encoding: Encoding } {
  return decode(message.data, message.header(HEADERS.contentType));
}

/**
 * The first byte of every result in JSON: `{`. In MessagePack this byte is the number 123, which is no valid result.
 */
const JSON_OBJECT_START = 0x7b;

/**
 * Decodes a result, and fetches its blob if the body is a reference: returns a promise only then. A result in JSON begins with `{`, so
 * for it the function skips the headers, which saves time.
 * @throws SwarmError `invalid_input`.
 */
export function unpackResult(message: Incoming, blobs: Pick<Blobs, "get">): unknown | Promise<unknown> {
  const contentType = message.data[0] === JSON_OBJECT_START ? CONTENT_TYPES.json : undefined;
  const { value, encoding } = decode(message.data, contentType ?? message.header(HEADERS.contentType));
  return isBlobRef(value) ? unpackBlob(value, encoding, blobs) : value;
}

/** True when a decoded body is a blob reference. */
export function isBlobRef(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "$blob");
}

/** The bytes of a stored body: of the message, or of the blob that it names. Fetches nothing. @throws SwarmError `invalid_input`. */
export function bodyBytes(message: Incoming): number {
  if (message.data.length > MAX_REFERENCE_BYTES) return message.data.length;
  const { value } = unpack(message);
  return isBlobRef(value) ? parse(blobSchema, value, "blob reference").bytes : message.data.length;
}

/** Fetches and decodes the blob that a reference names. @throws SwarmError `invalid_input`, `not_found`, `internal`. */
export async function unpackBlob(
  value: unknown,
  encoding: Encoding,
  blobs: Pick<Blobs, "get">,
): Promise<unknown> {
  const reference = parse(blobSchema, value, "blob reference");
  return decode(await blobs.get(reference), CONTENT_TYPES[encoding]).value;
}

/**
 * The stored body of a task with other fields, in its own encoding. A body that cannot be read stays as it is: the host
 * that receives it fails the task.
 */
export async function rewriteBody(
  message: Incoming,
  change: (fields: Record<string, unknown>) => Record<string, unknown>,
  blobs: Blobs,
): Promise<Uint8Array> {
  let body: { value: unknown; encoding: Encoding };
  try {
    body = await unpackStored(message, blobs);
  } catch (error) {
    if (error instanceof SwarmError && error.code === "unavailable") throw error;
    return message.data;
  }
  const { value, encoding } = body;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return message.data;
  return packLarge(encode(change(value as Record<string, unknown>), encoding), encoding, blobs);
}

/** Decodes a stored body, and fetches its blob if the body is a reference. */
export async function unpackStored(
  message: Incoming,
  blobs: Pick<Blobs, "get">,
): Promise<{ value: unknown; encoding: Encoding }> {
  const inline = unpack(message);
  if (!isBlobRef(inline.value)) return inline;
  return { value: await unpackBlob(inline.value, inline.encoding, blobs), encoding: inline.encoding };
}
