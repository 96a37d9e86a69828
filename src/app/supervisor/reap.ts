// Ends the processes that a swarm's state names and that still live: for `down`, and for an `up` that finds what a
// supervisor left when it was killed. A recycled pid is never touched.
import { isAlive, type ProcessIdentity, signalProcess } from "./identity.ts";
import type { SwarmState } from "./state.ts";

/** How long an orphan may take to end by itself; its supervisor is gone, so it is on its way already. */
const ORPHAN_GRACE_MS = 5_000;
const POLL_MS = 20;

/** Ends what is left of a swarm whose supervisor is dead, groups included; resolves to how many processes that were. */
export async function reapSurvivors(state: SwarmState | null, graceMs = ORPHAN_GRACE_MS): Promise<number> {
  if (state === null) return 0;
  const survivors = state.processes.filter((record) => record.pid > 0 && isAlive(record));
  await Promise.all(survivors.map((record) => endProcess(record, { graceMs, group: true })));
  return survivors.length;
}

/** SIGTERM, then after `graceMs` SIGKILL; resolves when the process is gone. */
export async function endProcess(
  identity: ProcessIdentity,
  options: { graceMs: number; group: boolean },
): Promise<void> {
  signalProcess(identity, "SIGTERM", false);
  if (await isGoneWithin(identity, options.graceMs)) return;
  signalProcess(identity, "SIGKILL", options.group);
  // A killed process is gone once the kernel has torn it down; only a dead disk keeps it longer.
  if (!(await isGoneWithin(identity, 10_000))) {
    throw new Error(`process ${identity.pid} does not die: it hangs in the kernel`);
  }
}

/** Resolves to true as soon as the process is gone, to false after `limitMs`. */
export async function isGoneWithin(identity: ProcessIdentity, limitMs: number): Promise<boolean> {
  const endMs = Date.now() + limitMs;
  while (isAlive(identity)) {
    if (Date.now() >= endMs) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
