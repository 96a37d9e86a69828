// Ends the living processes that the state of a swarm names: for `down`, and for an `up` after a killed supervisor. A process
// that only has the pid of an earlier one is never touched.
import { isAlive, type ProcessIdentity, signalProcess } from "./identity.ts";
import type { SwarmState } from "./state.ts";

/** The time that an orphan has to end by itself; its supervisor is gone, so it is stopping already. */
const ORPHAN_GRACE_MS = 5_000;
const POLL_MS = 20;

/** Ends the remaining processes of a swarm whose supervisor is dead, with their groups; resolves to the number of processes. */
export async function reapSurvivors(state: SwarmState | null, graceMs = ORPHAN_GRACE_MS): Promise<number> {
  if (state === null) return 0;
  const survivors = state.processes.filter((record) => record.pid > 0 && isAlive(record));
  await Promise.all(survivors.map((record) => endProcess(record, { graceMs, group: true })));
  return survivors.length;
}

/** Sends SIGTERM, and after `graceMs` SIGKILL; resolves when the process is gone. */
export async function endProcess(
  identity: ProcessIdentity,
  options: { graceMs: number; group: boolean },
): Promise<void> {
  signalProcess(identity, "SIGTERM", false);
  if (await isGoneWithin(identity, options.graceMs)) return;
  signalProcess(identity, "SIGKILL", options.group);
  // The kernel removes a killed process at once, unless the process waits for a dead disk.
  if (!(await isGoneWithin(identity, 10_000))) {
    throw new Error(
      `expected process ${identity.pid} to end after SIGKILL, but it hangs in the kernel; check its disks`,
    );
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
