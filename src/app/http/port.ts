// Takes a port for HTTP, with the limits of a server that strangers may reach. It loads Node's own server and nothing else, so that the
// probes of a process listen before the process loads its other parts.
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";

/** A server that listens. */
export interface Listening {
  /** `http://127.0.0.1:7070`. */
  readonly url: string;
  close(): Promise<void>;
}

/** The time for a request's headers, in ms: slow clients must not hold connections. */
export const HEADERS_TIMEOUT_MS = 10_000;

/** Starts to listen. @throws SwarmError `conflict` for a taken port, `invalid_input` for an address of another machine. */
export function takePort(
  listener: RequestListener,
  options: { host: string; port: number; what: string },
): Promise<Listening> {
  const { host, port, what } = options;
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS }, listener);
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(toListenError(error, `${host}:${port}`, what)));
    server.listen(port, host, () =>
      resolve({
        url: urlOf(server.address() as AddressInfo),
        close: () =>
          new Promise<void>((closed) => {
            server.close(() => closed());
            // Open requests must not delay the end of the process.
            server.closeAllConnections();
          }),
      }),
    );
  });
}

/**
 * Starts to listen like {@link takePort}; when the port is taken and `isChosen` is false, on a free port: then `isMoved` is true.
 * @throws SwarmError `conflict` for a taken port that the user chose.
 */
export async function takePortNear(
  listener: RequestListener,
  options: { host: string; port: number; what: string; isChosen: boolean },
): Promise<Listening & { isMoved: boolean }> {
  const { isChosen, ...where } = options;
  try {
    return { ...(await takePort(listener, where)), isMoved: false };
  } catch (error) {
    if (isChosen || toSwarmError(error).code !== "conflict") throw error;
    return { ...(await takePort(listener, { ...where, port: 0 })), isMoved: true };
  }
}

/** The URL of an address. */
export function urlOf({ address, family, port }: AddressInfo): string {
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

/** The error of a port that cannot be taken. */
export function toListenError(error: NodeJS.ErrnoException, address: string, what: string): SwarmError {
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
