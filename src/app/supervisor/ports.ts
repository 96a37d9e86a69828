// Free ports on loopback for a local swarm.
import { createServer } from "node:net";
import { integerBetween, systemChance } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";

/**
 * Where free ports are looked for: above the well-known services and below the ephemeral ranges of Linux (32768–60999)
 * and macOS (49152–65535), so that no outgoing connection, not even a client's that reconnects to this very port, can
 * sit on a port while its server restarts.
 */
const RANGE = { low: 14_000, high: 31_999 };
/** Tries for each port; with a thousand ports taken, twenty misses in a row have a chance of 10⁻²⁵. */
const TRIES = 20;

/** `count` different ports of 127.0.0.1 that nobody listens on now. @throws SwarmError `unavailable`. */
export async function findFreePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count && tries < TRIES * count; tries++) {
    const port = integerBetween(systemChance, RANGE.low, RANGE.high);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  if (found.size === count) return [...found];
  throw new SwarmError("unavailable", `no free ports between ${RANGE.low} and ${RANGE.high} on 127.0.0.1`);
}

/** True when this port can be listened on. */
export function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
