// Asks a coordinator of the swarm over its probes, for a restart of one coordinator after the other.
import { sleep } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { ProcessPlan } from "./plan.ts";

/** The timeout of one probe; a process whose event loop turns answers at once. */
const READYZ_TIMEOUT_MS = 1_500;
const PROBE_PAUSE_MS = 100;
/** A coordinator that starts knows its leader within 2 s; on a loaded machine it reads its snapshot for some seconds. */
const READY_LIMIT_MS = 30_000;

/** True when the coordinator with these metrics holds the office. False when it does not answer. */
export async function isOfficeHolder(metrics: string | null): Promise<boolean> {
  if (metrics === null) return false;
  const text = await read(metrics).then((answer) => answer?.text() ?? "");
  return /^murmur_office_leader(\{[^}]*\})? 1$/m.test(text);
}

/**
 * Resolves when the coordinator's /readyz is good: it knows a leader and has applied the log.
 * @throws SwarmError `unavailable` after {@link READY_LIMIT_MS}, with the failed checks; the signal's reason.
 */
export async function untilReady({ name, metrics }: ProcessPlan, signal: AbortSignal): Promise<void> {
  const url = (metrics ?? "").replace(/\/metrics$/, "/readyz");
  const endMs = Date.now() + READY_LIMIT_MS;
  let problem = "no answer";
  while (Date.now() < endMs) {
    const answer = await read(url);
    if (answer?.ok === true) return;
    problem = answer === null ? "no answer" : (await answer.text()).trim();
    await sleep(PROBE_PAUSE_MS, { signal });
  }
  throw new SwarmError(
    "unavailable",
    `${name} is not ready after ${READY_LIMIT_MS / 1_000} s, so no further coordinator was restarted: ${problem}; see murmur logs ${name}`,
  );
}

function read(url: string): Promise<Response | null> {
  return fetch(url, { signal: AbortSignal.timeout(READYZ_TIMEOUT_MS) }).catch(() => null);
}
