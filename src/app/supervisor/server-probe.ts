// Reads the INFO line that a NATS server sends to each new connection, before any login. The supervisor uses it to see that its
// server is up, and `doctor` to describe a server.
import { connect } from "node:net";
import { z } from "zod";
import { tryJson } from "../../base/index.ts";

const infoSchema = z.looseObject({
  version: z.string(),
  jetstream: z.boolean().default(false),
  max_payload: z.number(),
});

/** The facts in the INFO line of a server. */
export type ServerInfo = z.output<typeof infoSchema>;

const DEFAULT_PORT = 4222;
/** INFO lines are below 2 KiB; a longer first line means that the peer is not a NATS server. */
const LINE_LIMIT_BYTES = 64 * 1024;

/**
 * Reads the INFO line of a server.
 * @throws Error with the reason when there is none: connection refused, no answer, or another protocol than NATS. A server with
 *   `handshake_first` sends nothing before TLS, so it looks like a server without an answer.
 */
export function probeServer(url: string, timeoutMs: number): Promise<ServerInfo> {
  const { hostname, port } = new URL(url.includes("://") ? url : `nats://${url}`);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: port === "" ? DEFAULT_PORT : Number(port) });
    let text = "";
    const fail = (why: string) => {
      socket.destroy();
      reject(new Error(why));
    };
    socket.setEncoding("utf8");
    socket.setTimeout(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      fail(error.code === "ECONNREFUSED" ? "connection refused" : error.message),
    );
    socket.on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\r\n");
      if (end < 0 && text.length < LINE_LIMIT_BYTES) return;
      const info = text.startsWith("INFO ") ? infoSchema.safeParse(tryJson(text.slice(5, end))) : undefined;
      if (info?.success !== true) return fail("the program that listens there is not a NATS server");
      socket.destroy();
      resolve(info.data);
    });
    socket.once("end", () => fail("the server closed the connection without an INFO line"));
  });
}
