// Stores results on behalf of the engine: the end of a run, and the end of a step whose task no host will end.
// The first writer of a result wins, so a repetition changes nothing.
import { encode, type Result, SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { bodyHeaders, isLarge, packLarge } from "../../work/index.ts";

/** Stores a result; false when the task has one already. @throws SwarmError `unavailable`: it may be stored or not. */
export async function storeResult(
  transport: Pick<Transport, "log" | "blobs">,
  { subject, result, headers = {} }: { subject: string; result: Result; headers?: Record<string, string> },
): Promise<boolean> {
  let data = encode(result);
  if (isLarge(data)) data = await packLarge(data, "json", transport.blobs);
  try {
    await transport.log("results").append(subject, data, { headers: { ...bodyHeaders("json"), ...headers } });
    return true;
  } catch (error) {
    if (error instanceof SwarmError && error.code === "conflict") return false;
    throw error;
  }
}
