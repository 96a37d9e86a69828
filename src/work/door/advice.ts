// Asks the front door about an operation that NATS refused this user: an api process has the permissions file.
import { z } from "zod";
import { parse } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { createDoorCaller } from "./caller.ts";

/** How long a question waits for an api process, in ms: a person waits for the error that it explains. */
const ADVICE_TIMEOUT_MS = 1_000;

const replySchema = z.object({ advice: z.string() });

/** The advice, as a sentence without its end. @throws SwarmError `unavailable` when no api process answers; `not_permitted`; `not_found`. */
export async function askForAdvice(
  at: { transport: Transport; user: string },
  refused: { operation: string; subject: string },
): Promise<string> {
  const { operation, subject } = refused;
  const options = { timeoutMs: ADVICE_TIMEOUT_MS };
  const reply = await createDoorCaller(at).call("permission-advise", { operation, subject }, options);
  return parse(replySchema, reply, "advice of an api process").advice;
}
