// The lock of an install folder: one process installs, others wait for it.
import { setTimeout as sleep } from "node:timers/promises";
import { SwarmError } from "../../protocol/index.ts";
import { type Lock, takeFileLock } from "../supervisor/state.ts";

/** The interval between two looks at a lock that another process holds, in ms. */
const LOCK_POLL_MS = 200;
/** The longest wait for another install, in ms: its ways together take at most this long. */
const OTHER_INSTALL_MS = 1_000_000;

/**
 * Takes the lock `file`; waits while a living process holds it. A dead holder does not count.
 * @throws SwarmError `unavailable` when the holder does not finish in time; the signal's reason.
 */
export async function holdInstallLock(
  file: string,
  options: { signal: AbortSignal; onWait: () => void },
): Promise<Lock> {
  const endMs = performance.now() + OTHER_INSTALL_MS;
  for (let isFirst = true; ; isFirst = false) {
    const lock = takeFileLock(file);
    if ("release" in lock) return lock;
    if (isFirst) options.onWait();
    if (performance.now() > endMs) {
      throw new SwarmError(
        "unavailable",
        `the process ${lock.holder.pid} holds ${file} for more than ${OTHER_INSTALL_MS / 1_000} s: end it and run this again`,
      );
    }
    await sleep(LOCK_POLL_MS, undefined, { signal: options.signal });
  }
}
