// Accepts WebSockets (RFC 6455) on the server of the API. The app answers the request first, and decides whether the connection becomes
// a WebSocket; a request that it refuses gets an ordinary answer with status and body.
import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import { SocketOffer } from "./offer.ts";

/** The part of an app that answers requests. */
interface Answering {
  fetch(request: Request, env?: unknown): Response | Promise<Response>;
}

/** The largest message of a client, in bytes. Streams take no messages, so this only bounds the memory of a hostile client. */
const MAX_SOCKET_MESSAGE_BYTES = 1_024;

/** True for a request that asks for a WebSocket. Others may name an upgrade that they do not need, as `curl --http2` does. */
export function asksForSocket({ headers }: Pick<IncomingMessage, "headers">): boolean {
  return headers.upgrade?.toLowerCase() === "websocket";
}

/** Accepts the WebSockets of a server. The returned function destroys every connection that asked for one. */
export function acceptSockets(server: Server, app: Answering): () => void {
  const sockets = new WebSocketServer({
    ...{
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: MAX_SOCKET_MESSAGE_BYTES,
    },
  });
  const open = new Set<Duplex>();
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
    socket.on("error", () => socket.destroy());
    void answerUpgrade(app, { incoming, socket, head, sockets });
  });
  return () => {
    for (const socket of open) socket.destroy();
  };
}

interface Upgrade {
  incoming: IncomingMessage;
  socket: Duplex;
  head: Buffer;
  sockets: WebSocketServer;
}

async function answerUpgrade(app: Answering, { incoming, socket, head, sockets }: Upgrade): Promise<void> {
  const request = toRequest(incoming);
  if (request === undefined || !asksForSocket(incoming)) return writeAnswer(socket, badRequest());
  const offer = new SocketOffer();
  const answer = await app.fetch(request, { incoming, offer });
  if (socket.destroyed) return;
  const { taker } = offer;
  if (taker === undefined) return writeAnswer(socket, answer);
  sockets.handleUpgrade(incoming, socket, head, taker);
}

/** The request as the app sees it; undefined for one whose address or headers cannot be read. */
function toRequest({ method = "GET", url = "/", headers }: IncomingMessage): Request | undefined {
  const pairs = Object.entries(headers).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  try {
    return new Request(new URL(url, `http://${headers.host ?? "localhost"}`), { method, headers: pairs });
  } catch {
    return undefined;
  }
}

function badRequest(): Response {
  return Response.json(
    {
      error: {
        code: "invalid_input",
        message: "the header Upgrade must be websocket; leave it out of other requests",
        field: "Upgrade",
        retryable: false,
      },
    },
    { status: 400 },
  );
}

/** Writes an ordinary answer, and ends the connection. */
async function writeAnswer(socket: Duplex, answer: Response): Promise<void> {
  const body = Buffer.from(await answer.arrayBuffer());
  const headers = [...answer.headers].filter(([name]) => !HOP_HEADERS.includes(name));
  const lines = [
    `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ""}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    `content-length: ${body.length}`,
    "connection: close",
  ];
  socket.end(Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body]));
}

/** The headers that belong to one connection, or that this file writes itself. */
const HOP_HEADERS: readonly string[] = ["connection", "content-length", "keep-alive", "transfer-encoding"];
