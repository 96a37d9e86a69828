// A TCP peer that is no healthy NATS server: it accepts connections and then misbehaves in one way. Tests and
// tools/rigs/stops.ts use it. It counts its open connections, so that a test can see that the other side closed them.
import { type AddressInfo, createServer, type Socket } from "node:net";

/** How a peer misbehaves, by name. */
export const PEER_KINDS = {
  silent: "accepts and never speaks",
  half: "sends INFO, then nothing",
  mute: "completes the handshake and answers pings, then swallows every request",
  http: "speaks HTTP",
  tls: "asks for TLS and never answers the handshake",
  reset: "resets each connection when it was accepted",
  "reset-later": "completes the handshake, then resets the connection",
  flood: "sends bytes without a line end",
  garbage: "sends INFO, then bytes that are no NATS protocol",
} as const;

export type PeerKind = keyof typeof PEER_KINDS;

/** A listening peer. */
export interface FakePeer {
  /** `nats://127.0.0.1:<port>`. */
  readonly url: string;
  /** The connections that are open now. */
  readonly openConnections: number;
  /** The connections that it has accepted so far. */
  readonly accepted: number;
  /** Resets the open connections and stops listening. */
  close(): Promise<void>;
}

/** The time after which `reset-later` resets a connection, in ms. */
const RESET_AFTER_MS = 50;
const FLOOD_CHUNK = Buffer.alloc(64 * 1024, "x");

/** Starts a peer on a port of 127.0.0.1; 0 takes a free one. */
export async function startFakePeer(kind: PeerKind, listenPort = 0): Promise<FakePeer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createServer({ noDelay: true }, (socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("error", () => undefined); // "close" follows
    socket.once("close", () => sockets.delete(socket));
    BEHAVIOURS[kind](socket);
  });
  await new Promise<void>((resolve) => server.listen(listenPort, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `nats://127.0.0.1:${port}`,
    get openConnections() {
      return sockets.size;
    },
    get accepted() {
      return accepted;
    },
    close: () => {
      for (const socket of sockets) socket.resetAndDestroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const BEHAVIOURS: Readonly<Record<PeerKind, (socket: Socket) => void>> = {
  silent: swallow,
  half(socket) {
    swallow(socket);
    sendInfo(socket);
  },
  mute: (socket) => answerPings(socket),
  http(socket) {
    socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
  },
  tls(socket) {
    swallow(socket);
    sendInfo(socket, { tls_required: true });
  },
  reset: (socket) => void socket.resetAndDestroy(),
  "reset-later"(socket) {
    answerPings(socket);
    setTimeout(() => socket.resetAndDestroy(), RESET_AFTER_MS).unref();
  },
  flood(socket) {
    const send = () => {
      while (!socket.destroyed && socket.write(FLOOD_CHUNK));
    };
    swallow(socket);
    socket.on("drain", send);
    send();
  },
  garbage(socket) {
    swallow(socket);
    sendInfo(socket);
    socket.write("\u0000\u0001\u0002 no such command\r\n");
  },
};

function swallow(socket: Socket): void {
  socket.on("data", () => undefined);
}

function sendInfo(socket: Socket, more: Record<string, unknown> = {}): void {
  const info = {
    server_id: "FAKE",
    server_name: "fake",
    version: "2.14.5",
    proto: 1,
    headers: true,
    jetstream: true,
    max_payload: 1024 * 1024,
    ...more,
  };
  socket.write(`INFO ${JSON.stringify(info)}\r\n`);
}

/** Answers each PING line. Bodies of messages that contain such a line do not occur in these tests. */
function answerPings(socket: Socket): void {
  let rest = "";
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    const lines = (rest + text).split("\r\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line === "PING") socket.write("PONG\r\n");
  });
  sendInfo(socket);
}
