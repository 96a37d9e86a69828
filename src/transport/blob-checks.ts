// The checks that both blob stores share: a blob's name is its hash, its size has a limit, and each read is verified.
import { createHash } from "node:crypto";
import { BLOB_LIMIT_BYTES, SwarmError } from "../protocol/index.ts";

/** The name of a blob: sha256 in lower-case hex. */
export function blobHash(data: Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}

/** @throws SwarmError `payload_too_large` over {@link BLOB_LIMIT_BYTES}. */
export function refuseOversize(bytes: number): void {
  if (bytes <= BLOB_LIMIT_BYTES) return;
  throw new SwarmError(
    "payload_too_large",
    `a body has ${bytes} bytes; a blob holds at most ${BLOB_LIMIT_BYTES}: store it elsewhere and pass a reference to it`,
  );
}

/** Checks the bytes that were read. @throws SwarmError `invalid_input`: `ref` has another size than the blob; `internal`: `data` is damaged. */
export function verifyBlob(ref: { $blob: string; bytes: number }, data: Uint8Array): void {
  const hash = blobHash(data);
  if (hash === ref.$blob && data.length === ref.bytes) return;
  if (hash === ref.$blob) {
    throw new SwarmError(
      "invalid_input",
      `blob ${hash} has ${data.length} bytes, but the reference says ${ref.bytes}`,
      {
        field: "bytes",
      },
    );
  }
  throw new SwarmError(
    "internal",
    `blob ${ref.$blob} should have ${ref.bytes} bytes and that hash, but ${data.length} bytes with hash ${hash} were read`,
  );
}
