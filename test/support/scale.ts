// The amount of work in a test: short in `./murmur test`, full in `npm run nightly`.

/** The environment variable that `./murmur test --full` sets. */
const VARIABLE = "MURMUR_TEST_SCALE";

/**
 * Returns `short` in the short run and `full` in the full run.
 * @throws Error when MURMUR_TEST_SCALE is neither "short" nor "full".
 */
export function scaled(short: number, full: number): number {
  const scale = process.env[VARIABLE] ?? "short";
  if (scale !== "short" && scale !== "full")
    throw new Error(`${VARIABLE} must be "short" or "full", got ${JSON.stringify(scale)}`);
  return scale === "full" ? full : short;
}
