// The talk between a caller and the front door `<p>.operate.<user>.<operation>`: the rules that both sides count with.
// app/door answers, work/door calls; headers.ts names the headers.
//
// A request without `Murmur-Request` gets exactly one reply: the output, or an error. A request with an id gets numbered replies:
// `alive` while the operation runs, `event`s, `piece`s of a large output, and one `end`, the output's last piece or an error. The
// caller tells now and then how many it has read (a receipt), so that an api process never sends more than the caller can take.
import { z } from "zod";

/** The kinds of replies to a request with an id. */
export const OPERATE_REPLIES = ["alive", "event", "piece", "end"] as const;
/** One of {@link OPERATE_REPLIES}. */
export type OperateReply = (typeof OPERATE_REPLIES)[number];

/** How often a running operation sends a reply, in ms: a caller that ended is noticed within this time. */
export const OPERATE_ALIVE_MS = 2_000;
/** How long a caller waits for the next reply, in ms: five periods, so that a busy api process is not given up. */
export const OPERATE_SILENCE_MS = 10_000;
/** The largest piece of an output, in bytes: far below the payload limit of a server (1 MiB by default), headers included. */
export const OPERATE_PIECE_BYTES = 256 * 1024;
/** The most replies that a caller has not confirmed: 4 MiB of pieces, which a connection buffers without harm. */
export const OPERATE_WINDOW = 16;
/** A caller confirms after this many replies: four receipts for each window. */
export const OPERATE_RECEIPT_EVERY = 4;
/** The value of `Murmur-Body` for an input that travels as a list of blobs. */
export const OPERATE_BODY_PIECES = "pieces";

/** The body of a receipt. */
export const operateReceiptSchema = z.object({
  /** The number of the last reply that the caller has read. */
  read: z.int().min(0),
  /** The operation ends. `soon`: the caller still reads its output; `now`: the caller reads nothing more. */
  stop: z.enum(["soon", "now"]).optional(),
});
/** The body of a receipt. */
export type OperateReceipt = z.output<typeof operateReceiptSchema>;
