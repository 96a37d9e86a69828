// Serves a Hono app on a port, with the limits of a server that strangers may reach.
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type ServerType, serve } from "@hono/node-server";
import type { Hono } from "hono";
import { HEADERS_TIMEOUT_MS, type Listening, toListenError, urlOf } from "./port.ts";
import { acceptSockets, asksForSocket } from "./sockets/accept.ts";

/** The part of an app that a server needs. */
type Served = Pick<Hono, "fetch">;

/** Node ≥ 24.9 asks this about a request with the header Upgrade; earlier versions hand over every such request. */
const SERVER_OPTIONS = { headersTimeout: HEADERS_TIMEOUT_MS, shouldUpgradeCallback: asksForSocket };

/** How long open requests may take to finish when the server stops, in ms: as long as one answer of the swarm may take. */
const DRAIN_MS = 5_000;
/** The time between two looks for idle connections meanwhile, in ms. */
const IDLE_LOOK_MS = 20;

/** Starts to listen. @throws SwarmError `conflict` for a taken port, `invalid_input` for an address of another machine. */
export function listen(
  app: Served,
  options: { host: string; port: number; what: string },
): Promise<Listening> {
  const { host, port, what } = options;
  return new Promise((resolve, reject) => {
    const server: ServerType = serve(
      { fetch: app.fetch, hostname: host, port, serverOptions: SERVER_OPTIONS },
      (address: AddressInfo) => {
        resolve({
          url: urlOf(address),
          close: () => closeServer(server, closeSockets),
        });
      },
    );
    const closeSockets = acceptSockets(server as Server, app);
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(toListenError(error, `${host}:${port}`, what)),
    );
  });
}

/**
 * Takes no new connections, lets open requests finish, and resolves when all connections are closed: after {@link DRAIN_MS} they are
 * closed by force.
 */
async function closeServer(server: ServerType, closeSockets: () => void): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  if (!("closeAllConnections" in server)) return closed;
  // A connection that is kept alive is idle only after its request has ended.
  const idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS);
  const force = setTimeout(() => {
    server.closeAllConnections();
    closeSockets(); // the server counts them no longer as its own
  }, DRAIN_MS);
  await closed;
  clearInterval(idle);
  clearTimeout(force);
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/;

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
