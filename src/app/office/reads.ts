// The reads of the office that all lists use: confirmed by the control log, or stale from any coordinator.
import { z } from "zod";
import {
  OFFICE_TIMEOUT_MS,
  type OfficeClient,
  type ReadName,
  type RequestInput,
  type WholeReply,
} from "../../coordinator/index.ts";

/** The client of the office, the limit for its answer, and the signal that ends the wait. */
export interface OfficeAsker {
  readonly office: OfficeClient;
  readonly signal: AbortSignal;
  /** In ms; default {@link OFFICE_TIMEOUT_MS}. */
  readonly timeoutMs?: number | undefined;
}

/** The input field of reads that may be stale. */
export const staleField = z
  .boolean()
  .default(false)
  .meta({ description: "ask any coordinator, also while none holds the office; may be old" });

/** The output fields of such a read, beside its list. Both are there only with `stale`. */
export const ageFields = z.object({
  /** The last entry of the control log that the answer contains. */
  seq: z.int().optional(),
  /** The answer contains everything that was decided this long ago, in ms. */
  ageMs: z.number().optional(),
});

/** Reads from the holder of the office, or with `stale` from any coordinator. @throws SwarmError `unavailable`. */
export function readOffice<N extends ReadName>(
  asker: OfficeAsker,
  name: N,
  { stale, body }: { stale: boolean; body?: RequestInput<N> },
): Promise<WholeReply<N> & z.output<typeof ageFields>> {
  const { office } = asker;
  return stale ? office.readStale(name, body, patience(asker)) : office.read(name, body, patience(asker));
}

/** The timeout of a request to the office, and the signal that ends the wait. */
export function patience({ timeoutMs = OFFICE_TIMEOUT_MS, signal }: OfficeAsker): {
  timeoutMs: number;
  signal: AbortSignal;
} {
  return { timeoutMs, signal };
}
