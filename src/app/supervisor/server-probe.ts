// A look at a NATS server before any login: the INFO line that it sends to whoever connects.
import { connect } from "node:net";
import { z } from "zod";

const infoSchema = z.looseObject({
  version: z.string(),
  jetstream: z.boolean().default(false),
  max_payload: z.number(),
});

/** What a server says of itself. */
export type ServerInfo = z.output<typeof infoSchema>;

const DEFAULT_PORT = 4222;
/** INFO lines are below 2 KiB; what is longer is no NATS server. */
const LINE_LIMIT_BYTES = 64 * 1024;

/**
 * Reads a server's INFO. @throws Error saying why there was none: refused, silent, something else than NATS. A server
 * with `handshake_first` says nothing before TLS; it shows as silent.
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
    socket.setTimeout(timeoutMs, () => fail(`no word within ${timeoutMs} ms`));
    socket.once("error", (error: NodeJS.ErrnoException) =>
      fail(error.code === "ECONNREFUSED" ? "connection refused" : error.message),
    );
    socket.on("data", (chunk: string) => {
      text += chunk;
      const end = text.indexOf("\r\n");
      if (end < 0 && text.length < LINE_LIMIT_BYTES) return;
      const info = text.startsWith("INFO ") ? infoSchema.safeParse(readJson(text.slice(5, end))) : undefined;
      if (info?.success !== true) return fail("what listens there is no NATS server");
      socket.destroy();
      resolve(info.data);
    });
    socket.once("end", () => fail("closed without a word"));
  });
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
