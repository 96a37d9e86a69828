// Serves a Hono app on a port, with the limits of a server that strangers may reach.
import type { AddressInfo } from "node:net";
import { type ServerType, serve } from "@hono/node-server";
import type { Hono } from "hono";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";

/** A server that listens. */
export interface Listening {
  /** `http://127.0.0.1:7070`. */
  readonly url: string;
  close(): Promise<void>;
}

/** The time for a request's headers, in ms: slow clients must not hold connections. */
const HEADERS_TIMEOUT_MS = 10_000;

/** Starts to listen. @throws SwarmError `conflict` for a taken port, `invalid_input` for an address of another machine. */
export function listen(app: Hono, options: { host: string; port: number; what: string }): Promise<Listening> {
  const { host, port, what } = options;
  return new Promise((resolve, reject) => {
    const server: ServerType = serve(
      { fetch: app.fetch, hostname: host, port, serverOptions: { headersTimeout: HEADERS_TIMEOUT_MS } },
      (address: AddressInfo) => {
        const shown = address.family === "IPv6" ? `[${address.address}]` : address.address;
        resolve({
          url: `http://${shown}:${address.port}`,
          close: () =>
            new Promise<void>((closed) => {
              server.close(() => closed());
              // Requests that wait for a result must not delay the end of the process.
              if ("closeAllConnections" in server) server.closeAllConnections();
            }),
        });
      },
    );
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(toListenError(error, `${host}:${port}`, what)),
    );
  });
}

/**
 * Starts to listen like {@link listen}; when the port is taken and `isChosen` is false, on a free port. `onMoved` gets the new URL.
 * @throws SwarmError `conflict` for a taken port that the user chose.
 */
export async function listenNear(
  app: Hono,
  options: { host: string; port: number; what: string; isChosen: boolean; onMoved: (url: string) => void },
): Promise<Listening> {
  const { isChosen, onMoved, ...where } = options;
  try {
    return await listen(app, where);
  } catch (error) {
    if (isChosen || toSwarmError(error).code !== "conflict") throw error;
    const listening = await listen(app, { ...where, port: 0 });
    onMoved(listening.url);
    return listening;
  }
}

function toListenError(error: NodeJS.ErrnoException, address: string, what: string): SwarmError {
  if (error.code === "EADDRINUSE") {
    return new SwarmError(
      "conflict",
      `${what} cannot listen on ${address}: the port is taken; choose another or 0 for a free one`,
      { field: "port", cause: error },
    );
  }
  return new SwarmError("invalid_input", `${what} cannot listen on ${address}: ${error.message}`, {
    field: "host",
    cause: error,
  });
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/;

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.test(host);
}
