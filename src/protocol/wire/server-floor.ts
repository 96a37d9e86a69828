// The oldest nats-server that has the features of the streams, and the servers whose deny lists have a hole. Pure.

/** The oldest supported nats-server, major and minor: message schedules and per-message TTL came with 2.12. */
const FLOOR = [2, 12] as const;

/** The same, for messages. */
export const OLDEST_SERVER = FLOOR.join(".");

/** True when a server of this version has everything that the streams need. */
export function isServerSupported(major: number, minor: number): boolean {
  return major > FLOOR[0] || (major === FLOOR[0] && minor >= FLOOR[1]);
}

/** The last patch of 2.12 with the hole, and the first version after 2.12 without it. */
const LAST_OPEN_PATCH = 6;
const FIRST_TIGHT = [2, 14] as const;

/**
 * The reason why a server of this version does not keep deny lists of queue subscriptions; null for a server that does. The hole was
 * closed in 2.12.7 and in 2.14.0; 2.13 has no such patch. A pre-release counts as older than its release.
 */
export function describeServerRisk(version: string): string | null {
  const [, major, minor, patch, pre] = /^v?(\d+)\.(\d+)\.(\d+)(-.+)?$/.exec(version) ?? [];
  if (major === undefined)
    return `nats-server has the version ${version || "(none)"}, which cannot be read: ${RISK}`;
  const [at, of, last] = [Number(major), Number(minor), Number(patch) - (pre === undefined ? 0 : 1)];
  const isTight =
    at > FIRST_TIGHT[0] ||
    (at === FIRST_TIGHT[0] &&
      (of === FLOOR[1]
        ? last > LAST_OPEN_PATCH
        : of > FIRST_TIGHT[1] || (of === FIRST_TIGHT[1] && last >= 0)));
  return isTight ? null : `nats-server is ${version}: ${RISK}`;
}

const RISK =
  "below 2.12.7, and in 2.13 and pre-releases of 2.14.0, a queue subscription can pass a deny list; upgrade to 2.12.7 or to 2.14.0";
