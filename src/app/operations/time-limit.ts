// Ends the waiting for work after a time. The work itself runs on.
import { SwarmError } from "../../protocol/index.ts";

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
