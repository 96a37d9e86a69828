// Makes clients. It loads the client's code at the first call, so that a program pays for it only when it connects.
import type { Meter } from "../base/index.ts";
import type { Transport } from "../transport/index.ts";
import type { TaskClient } from "../work/index.ts";
import type { Client, ConnectOptions } from "./types.ts";

/**
 * Connects to a swarm. The client reconnects by itself for ever.
 * @throws SwarmError `unavailable` when no server answers; `not_permitted` when the server rejects the credentials;
 *   `invalid_input` for a bad URL or prefix, or an unreadable credentials file; the signal's reason.
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { openClient } = await import("./open.ts");
  return openClient(options);
}

/**
 * Makes a client over a transport that the caller owns and closes. With `tasks`, it uses that task client, which the caller
 * closes too.
 */
export async function createClient(parts: {
  transport: Transport;
  tasks?: TaskClient | undefined;
  meter?: Meter | undefined;
}): Promise<Client> {
  const { SwarmClient } = await import("./client.ts");
  return new SwarmClient(parts);
}
