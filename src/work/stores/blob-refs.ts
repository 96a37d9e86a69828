// The blobs that a stored message names: a body that is a reference, the input of a ballot's question, and the payload of a dead
// letter. `renewBlobs` alone talks to the store.
import { blobSchema, type DeadLetter, decode, HEADERS, SwarmError } from "../../protocol/index.ts";
import type { Blobs } from "../../transport/index.ts";

/** A reference to a blob. */
export interface BlobRef {
  readonly $blob: string;
  readonly bytes: number;
}

/** A stored message, or a part of one. */
interface Body {
  readonly data: Uint8Array;
  header(name: string): string | undefined;
}

/** The key of a reference: in JSON and in MessagePack alike, a body that names a blob contains these bytes. */
const KEY = "$blob";

/** The blobs that the body of a task or of a dead letter names; none for a body that cannot be read. */
export function blobsOf(body: Body): BlobRef[] {
  const value = read(body);
  if (value === undefined) return [];
  const own = blobSchema.safeParse(value);
  if (own.success) return [own.data];
  const input = blobSchema.safeParse(value.inputRef);
  return input.success ? [input.data] : [];
}

/** The blobs that a record of a journal names: results of steps. */
export function blobsOfRecord(record: Body): BlobRef[] {
  const value = read(record);
  if (value === undefined) return [];
  const entries: unknown[] = Array.isArray(value.steps) ? [value, ...value.steps] : [value];
  return entries.flatMap((entry) => {
    const named = blobSchema.safeParse((entry as { blob?: unknown } | null)?.blob);
    return named.success ? [named.data] : [];
  });
}

/** Renews the blobs of a message that is about to be stored in another stream (I1 of blob-renewer.ts). @throws SwarmError `unavailable`. */
export async function renewBlobs(refs: readonly BlobRef[], blobs: Pick<Blobs, "renew">): Promise<void> {
  for (const ref of refs) {
    await blobs.renew(ref).catch((error: unknown) => {
      // A damaged blob fails the attempt that reads it.
      if (!(error instanceof SwarmError) || error.code === "unavailable") throw error;
    });
  }
}

/** The blobs that a dead letter names: those of the body in it. */
export function blobsOfLetter({
  payload,
  contentType,
}: Pick<DeadLetter, "payload" | "contentType">): BlobRef[] {
  return blobsOf({ data: Buffer.from(payload, "base64"), header: () => contentType ?? undefined });
}

/** The blobs that a stored dead letter names: its own, when the letter is large, or those of the body in it. */
export function blobsOfStoredLetter(letter: Body): BlobRef[] {
  const { payload, contentType } = tryDecode(letter) ?? {};
  if (typeof payload !== "string") return blobsOf(letter);
  return blobsOfLetter({ payload, contentType: typeof contentType === "string" ? contentType : null });
}

/** The fields of a body that may name a blob; undefined for every other body, without decoding most of them. */
function read(body: Body): Record<string, unknown> | undefined {
  const { buffer, byteOffset, byteLength } = body.data;
  return Buffer.from(buffer, byteOffset, byteLength).includes(KEY) ? tryDecode(body) : undefined;
}

function tryDecode(body: Body): Record<string, unknown> | undefined {
  try {
    const { value } = decode(body.data, body.header(HEADERS.contentType));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    return undefined; // the host that receives the message tells what is wrong with it
  }
}
