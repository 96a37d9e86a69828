// Ends the waiting for work after a time. The work itself runs on.
import { SwarmError } from "../../protocol/index.ts";

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
          `${what} within ${Math.round(timeoutMs)} ms; --timeout 30s waits longer, murmur doctor tells more`,
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
