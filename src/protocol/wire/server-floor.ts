// The oldest nats-server that has the features of the streams. Pure.

/** The oldest supported nats-server, major and minor: message schedules and per-message TTL came with 2.12. */
const FLOOR = [2, 12] as const;

/** The same, for messages. */
export const OLDEST_SERVER = FLOOR.join(".");

/** True when a server of this version has everything that the streams need. */
export function isServerSupported(major: number, minor: number): boolean {
  return major > FLOOR[0] || (major === FLOOR[0] && minor >= FLOOR[1]);
}
