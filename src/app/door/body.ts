// The input of a request at the front door: inline, or in pieces that the caller stored as blobs before. Owns the bound on large inputs.
import { z } from "zod";
import {
  BLOB_LIMIT_BYTES,
  blobSchema,
  decode,
  type Encoding,
  HEADERS,
  OPERATE_BODY_PIECES,
  parse,
  SwarmError,
} from "../../protocol/index.ts";
import type { Blobs, IncomingRequest } from "../../transport/index.ts";

/** The largest input in pieces, in bytes: the largest blob, and room for the task around it. */
const PIECED_INPUT_LIMIT_BYTES = BLOB_LIMIT_BYTES + 64 * 1024;
/** The most pieces of an input: of 64 KiB each or larger, so that the list fits a message. */
const MAX_PIECES = 1_024;
/** The most inputs in pieces that one process holds at the same time: 512 MiB at worst. */
const MAX_LARGE_INPUTS = 8;

const piecesSchema = z.array(blobSchema).min(1).max(MAX_PIECES);

/** Reads inputs of requests. */
export class Bodies {
  readonly #blobs: Pick<Blobs, "get">;
  #large = 0;

  constructor(blobs: Pick<Blobs, "get">) {
    this.#blobs = blobs;
  }

  /**
   * Reads the input, and calls `use` with it. An empty body is an input without fields.
   * @throws SwarmError `invalid_input`; `payload_too_large`; `rate_limited` while too many large inputs are held; `not_found` for
   *   a piece that is not stored.
   */
  async read<T>(
    request: IncomingRequest,
    use: (value: unknown, encoding: Encoding) => Promise<T>,
  ): Promise<T> {
    const contentType = request.header(HEADERS.contentType);
    if (request.data.length === 0) return use({}, "json");
    const form = request.header(HEADERS.body);
    if (form === undefined) {
      const { value, encoding } = decode(request.data, contentType);
      return use(value, encoding);
    }
    if (form !== OPERATE_BODY_PIECES) {
      throw new SwarmError(
        "invalid_input",
        `${HEADERS.body} must be ${OPERATE_BODY_PIECES}, or be left out; got ${JSON.stringify(form.slice(0, 40))}`,
        { field: HEADERS.body },
      );
    }
    if (this.#large >= MAX_LARGE_INPUTS) {
      throw new SwarmError("rate_limited", `${MAX_LARGE_INPUTS} large inputs are read here already`, {
        retryAfterMs: 1_000,
      });
    }
    this.#large++;
    try {
      const joined = await this.#join(decode(request.data, contentType).value);
      const { value, encoding } = decode(joined, contentType);
      return await use(value, encoding);
    } finally {
      this.#large--;
    }
  }

  async #join(list: unknown): Promise<Uint8Array> {
    const pieces = parse(piecesSchema, list, "the list of pieces");
    const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
    if (bytes > PIECED_INPUT_LIMIT_BYTES) {
      throw new SwarmError(
        "payload_too_large",
        `an input may have at most ${PIECED_INPUT_LIMIT_BYTES} bytes in all pieces, got ${bytes}`,
      );
    }
    const joined = new Uint8Array(bytes);
    let at = 0;
    for (const piece of pieces) {
      joined.set(await this.#blobs.get(piece), at);
      at += piece.bytes;
    }
    return joined;
  }
}
