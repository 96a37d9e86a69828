// Operations on blobs, for programs that reach the store of large bodies only through the front door.
import { z } from "zod";
import { BLOB_LIMIT_BYTES, blobSchema } from "../../protocol/index.ts";
import { defineOperation, type Reach, readWithin } from "./operation.ts";

/** A blob belongs to no capability: its hash is known only to programs that have its bytes, or a message that names it. */
const reach = (): Reach => ({ capabilities: [] });

const bytesSchema = z
  .custom<Uint8Array>((value) => value instanceof Uint8Array, { error: "must be bytes: send MessagePack" })
  .refine((bytes) => bytes.length <= BLOB_LIMIT_BYTES, {
    error: `must have at most ${BLOB_LIMIT_BYTES} bytes`,
  });

export const putBlob = defineOperation({
  name: "blob-put",
  summary: "store a large body",
  input: z.strictObject({ data: bytesSchema }),
  output: blobSchema,
  errors: ["payload_too_large"],
  access: "submit",
  reach,
  run: (context, { data }) => readWithin(context, context.transport.blobs.put(data)),
});

export const getBlob = defineOperation({
  name: "blob-get",
  summary: "read a large body",
  input: z.strictObject({ $blob: blobSchema.shape.$blob, bytes: blobSchema.shape.bytes }),
  output: z.object({ data: bytesSchema }),
  errors: ["not_found"],
  access: "submit",
  reach,
  run: async (context, reference) => ({
    data: await readWithin(context, context.transport.blobs.get(reference)),
  }),
});
