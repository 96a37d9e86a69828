// Reads of the office, as every list of it makes them: confirmed by the control log, or stale from any coordinator.
import { z } from "zod";
import { OFFICE_TIMEOUT_MS, type OfficeClient, type ReadName } from "../../coordinator/index.ts";

/** The office, how long its answer is waited for, and the signal that ends the waiting. */
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
export function readOffice(
  asker: OfficeAsker,
  name: ReadName,
  { stale, body = {} }: { stale: boolean; body?: object },
): Promise<Record<string, unknown>> {
  const { office } = asker;
  return stale ? office.readStale(name, body, patience(asker)) : office.read(name, body, patience(asker));
}

/** How long a request to the office waits, and the signal that ends the waiting. */
export function patience({ timeoutMs = OFFICE_TIMEOUT_MS, signal }: OfficeAsker): {
  timeoutMs: number;
  signal: AbortSignal;
} {
  return { timeoutMs, signal };
}
