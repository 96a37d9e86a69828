// Ends the waiting for work after a time, or when the connection is lost. The work itself runs on.
import { SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";

/** The field of the error of a time limit, so that a face can add its own way to wait longer. */
export const TIME_LIMIT_FIELD = "timeoutMs";

/** Settles as `work` does, or rejects `unavailable` after `timeoutMs`; `onLate` gets a value that arrives after that. */
export async function withinTimeout<T>(
  work: Promise<T>,
  timeoutMs: number,
  what: string,
  onLate: (value: T) => void = () => undefined,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      isLate = true;
      reject(
        new SwarmError(
          "unavailable",
          `${what} within ${Math.round(timeoutMs)} ms; murmur doctor tells more`,
          { field: TIME_LIMIT_FIELD },
        ),
      );
    }, timeoutMs);
  });
  work.then(
    (value) => {
      if (isLate) onLate(value);
    },
    () => undefined,
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Settles as `work` does, or rejects with the error of `onLost` when the connection to NATS is lost for `lostMs` meanwhile.
 * A connection that comes back within this time changes nothing.
 */
export async function whileConnected<T>(
  work: Promise<T>,
  transport: Pick<Transport, "onState">,
  lostMs: number,
  onLost: () => SwarmError,
): Promise<T> {
  const lost = Promise.withResolvers<never>();
  let timer: NodeJS.Timeout | undefined;
  const states = transport.onState((state) => {
    clearTimeout(timer);
    if (state === "connected") return;
    timer = setTimeout(() => lost.reject(onLost()), lostMs);
  });
  work.catch(() => undefined);
  try {
    return await Promise.race([work, lost.promise]);
  } finally {
    clearTimeout(timer);
    states.close();
  }
}
