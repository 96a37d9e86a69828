// Finds free ports on loopback for a local swarm.
import { createServer } from "node:net";
import { integerBetween, systemChance } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";

/**
 * The range that is searched: above the well-known services and below the ephemeral ranges of Linux (32768–60999) and macOS
 * (49152–65535). So no outgoing connection can occupy a server's port while the server restarts, not even the connection of a
 * client that tries to reconnect to that port.
 */
const RANGE = { low: 14_000, high: 31_999 };
/** Tries for each port. With a thousand ports taken, twenty misses in a row have a probability of 10⁻²⁵. */
const PORT_TRIES = 20;

/** Finds `count` different ports of 127.0.0.1 without a listener. @throws SwarmError `unavailable`. */
export async function findFreePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count && tries < PORT_TRIES * count; tries++) {
    const port = integerBetween(systemChance, RANGE.low, RANGE.high);
    if (!found.has(port) && (await isFree(port))) found.add(port);
  }
  if (found.size === count) return [...found];
  throw new SwarmError(
    "unavailable",
    `expected ${count} free ports between ${RANGE.low} and ${RANGE.high} on 127.0.0.1, found ${found.size}; end some listeners`,
  );
}

/** True when a server can listen on this port. */
export function isFree(port: number, host = "127.0.0.1"): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
