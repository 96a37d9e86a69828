// Hands the office over before its holder stops. Owns the repeats; successor.ts chooses the new holder, and the election
// performs the transfer.
import type { Clock, Logger } from "../../base/index.ts";
import { toSwarmError } from "../../protocol/index.ts";
import { ELECTION_TIMES, LOG_TICK_MS } from "../time.ts";
import type { Office } from "./office.ts";

/** The election gives a transfer up after its shortest timeout, for example a transfer to a member that lags. */
const TRANSFER_MS = (ELECTION_TIMES.electionTicks + 1) * LOG_TICK_MS;

/** See `Office.handOver`. */
export async function handOver(
  office: Pick<Office, "tenure" | "transfer" | "onTenure">,
  { timeoutMs, clock, log }: { timeoutMs: number; clock: Clock; log: Logger },
): Promise<void> {
  const endMs = clock.now() + timeoutMs;
  let noticeLeft: () => void = () => undefined;
  office.onTenure((tenure) => {
    if (tenure === null) noticeLeft();
  });
  while (office.tenure !== null && clock.now() < endMs) {
    let nextTryMs = TRANSFER_MS;
    try {
      log.info({ to: office.transfer() }, "handing the office over");
    } catch (err) {
      const { retryAfterMs } = toSwarmError(err);
      if (retryAfterMs === undefined) {
        log.info({ err }, "office not handed over");
        return;
      }
      nextTryMs = retryAfterMs; // until then this coordinator serves
    }
    if (office.tenure === null) return;
    const tryMs = Math.min(nextTryMs, endMs - clock.now());
    await new Promise<void>((resolve) => {
      const cancel = clock.after(tryMs, resolve);
      noticeLeft = () => {
        cancel(); // a pending timer would keep the process from exiting
        resolve();
      };
    });
  }
}
