// The sockets of one NATS connection: dials them, reads the server's INFO line, starts TLS, and destroys every socket
// whose attempt fails or whose connection ends. Replaces the socket code of the client package (`NodeTransport`,
// transport-node 3.4.0), which leaves the socket of a failed attempt open, and waits for a peer before it closes one.
// Leaves the NATS protocol to nats-core, and the pace of the attempts to connect.ts.
// I1: after `Dialer.end` the dialer holds no socket, and each later attempt fails at once.
// I2: an attempt that fails leaves no socket, whatever ended it: the peer, a timeout, or `Dialer.end`.
// I3: no step on the way down waits for the peer.
import { lookup } from "node:dns";
import { readFile } from "node:fs/promises";
import { createConnection, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions as NodeTlsOptions, TLSSocket } from "node:tls";
import type { ConnectionOptions, NatsConnection, ServerInfo, TlsOptions } from "@nats-io/nats-core";
import {
  ConnectionError,
  checkOptions,
  NatsConnectionImpl,
  type Transport as SocketTransport,
  setTransportFactory,
} from "@nats-io/nats-core/internal";

/** The client's name and version in the `CONNECT` message, as the client package gives them. */
const CLIENT = { lang: "nats.js", version: "3.4.0" } as const;
/**
 * The longest INFO line, in bytes. The line of a server in a large cluster lists all addresses and is below 64 KiB; a peer
 * that sends more without a line end is no NATS server and must not fill the memory.
 */
const MAX_INFO_BYTES = 1024 * 1024;
const INFO_START = "INFO ";
const LINE_END = 0x0a;

/** The options of one connection, with the dialer that owns its sockets. nats-core passes them to each transport. */
interface DialOptions extends ConnectionOptions {
  dialer: Dialer;
}

/** The address of a server, as nats-core resolved it. */
interface Address {
  readonly hostname: string;
  readonly port: number;
  /** The name in the certificate that the server must present; empty for an IP address, which must be in the certificate itself. */
  readonly tlsName: string;
}

/** Owns all sockets of one connection. */
export class Dialer {
  readonly #sockets = new Set<Socket>();
  #current: NatsSocket | undefined;
  #isEnded = false;
  /**
   * The newest error of a socket that was connected. nats-core does not pass it on during the handshake: a server that refuses the
   * certificate of its client, which in TLS 1.3 comes after the connection, would look like a server that does not answer.
   */
  lastError: Error | undefined;

  /** The sockets that are open or being opened. */
  get openSockets(): number {
    return this.#sockets.size;
  }

  /** Connects to NATS; all sockets of the connection, also those of its later reconnects, belong to this dialer. */
  connect(options: ConnectionOptions): Promise<NatsConnection> {
    useOwnSockets();
    const { reconnectDelayHandler } = options;
    const dialOptions: DialOptions = {
      ...options,
      dialer: this,
      resolve: true,
      reconnectDelayHandler: () => {
        // nats-core has one global factory, and another user of the client package in this process replaces it.
        useOwnSockets();
        return reconnectDelayHandler?.() ?? 0;
      },
    };
    return NatsConnectionImpl.connect(dialOptions);
  }

  /**
   * Writes bytes of the NATS protocol to the socket of the connection, past nats-core; drops them while there is none. The
   * caller writes only while the client is connected, so never before its `CONNECT`.
   */
  write(frame: Uint8Array): void {
    this.#current?.send(frame);
  }

  /** Makes `write` use this socket. */
  use(socket: NatsSocket): void {
    this.#current = socket;
  }

  /** Destroys all sockets, and makes each attempt in flight and each later attempt fail (I1). */
  end(): void {
    this.#isEnded = true;
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  /** Takes a socket until it closes. @throws ConnectionError after `end`. */
  own<S extends Socket>(open: () => S): S {
    if (this.#isEnded) throw new ConnectionError("the connection was ended");
    const socket = open();
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    return socket;
  }
}

function useOwnSockets(): void {
  setTransportFactory({ factory: () => new NatsSocket(), dnsResolveFn: resolveHost });
}

function resolveHost(hostname: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    lookup(hostname, { all: true }, (error, addresses) => {
      if (error !== null) reject(error);
      else resolve(addresses.length === 0 ? [hostname] : addresses.map(({ address }) => address));
    });
  });
}

/** One socket to a server, from the dial to the end of the connection; nats-core makes one for each attempt. */
class NatsSocket implements SocketTransport {
  readonly lang = CLIENT.lang;
  readonly version = CLIENT.version;
  closeError?: Error;
  #socket: Socket | undefined;
  /** Rejects the step of the attempt that is in flight. */
  #failAttempt: ((error: Error) => void) | undefined;
  #isConnected = false;
  #isClosed = false;
  // biome-ignore lint/suspicious/noConfusingVoidType: the interface of nats-core has this type.
  readonly #closed = Promise.withResolvers<void | Error>();
  /** The bytes that nats-core has not taken yet. */
  #arrived: Uint8Array[] = [];
  #onArrived: (() => void) | undefined;

  async connect(server: unknown, options: ConnectionOptions): Promise<void> {
    const { dialer, ...connection } = options as DialOptions;
    try {
      await this.#open(dialer, server as Address, connection);
    } catch (cause) {
      this.#end(toError(cause)); // I2
      throw toError(cause);
    }
  }

  async #open(dialer: Dialer, address: Address, options: ConnectionOptions): Promise<void> {
    const { hostname, port } = address;
    const isTlsFirst = options.tls?.handshakeFirst === true;
    const socket = dialer.own(() => createConnection({ port, host: hostname, noDelay: true }));
    this.#socket = socket;
    await this.#step<void>(socket, (done) => socket.once("connect", done));
    if (isTlsFirst) await this.#startTls(dialer, address, options.tls);
    const info = await this.#readInfo();
    checkOptions(info, options);
    const isTlsWanted = info.tls_required === true || (info.tls_available === true && options.tls !== null);
    if (isTlsWanted && !isTlsFirst) {
      this.#arrived = this.#arrived.map(cutAfterLine); // bytes that came before TLS must not count as protected
      await this.#startTls(dialer, address, options.tls);
    }
    this.#isConnected = true;
    dialer.use(this);
    this.#receive(dialer);
  }

  /** Waits for one step of the attempt; rejects when the socket fails or closes first, or when the attempt is ended. */
  async #step<T>(socket: Socket, start: (done: (value: T) => void, fail: (error: Error) => void) => void) {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const onClose = () => reject(new ConnectionError("the server closed the connection"));
    socket.on("error", reject);
    socket.on("close", onClose);
    this.#failAttempt = reject;
    if (this.#isClosed) reject(new ConnectionError("the attempt was ended"));
    start(resolve, reject);
    try {
      return await promise;
    } finally {
      this.#failAttempt = undefined;
      socket.off("close", onClose);
      socket.off("error", reject);
      socket.on("error", ignoreError); // an error between two steps; "close" follows
    }
  }

  async #startTls(
    dialer: Dialer,
    { hostname, tlsName }: Address,
    tls: TlsOptions | null | undefined,
  ): Promise<void> {
    const raw = this.#socket!;
    const options: NodeTlsOptions = {
      rejectUnauthorized: true,
      host: hostname, // checked against the certificate when there is no name, so for an IP address
      servername: tlsName,
      ...tls,
      ...(await readCertificates(tls ?? {})),
      socket: raw,
    };
    const socket = dialer.own(() => connectTls(options));
    this.#socket = socket;
    await this.#step<void>(socket, (done) => socket.once("secureConnect", done));
  }

  /** Reads the first line of the server. Bytes behind it stay for nats-core, as the line itself does. */
  async #readInfo(): Promise<ServerInfo> {
    const socket = this.#socket!;
    let text = Buffer.alloc(0);
    const onData = (bytes: Buffer, done: (info: ServerInfo) => void, fail: (error: Error) => void) => {
      text = Buffer.concat([text, bytes]);
      const start = text.subarray(0, INFO_START.length).toString("latin1").toUpperCase();
      const end = text.indexOf(LINE_END);
      if (!INFO_START.startsWith(start) || (end < 0 && text.length > MAX_INFO_BYTES)) {
        fail(new ConnectionError("the peer is no NATS server: its first line is no INFO"));
      } else if (end >= 0) {
        const info = readJson(text.subarray(INFO_START.length, end).toString("utf8"));
        if (info === undefined) fail(new ConnectionError("the INFO line of the server is no JSON object"));
        else done(info);
      }
    };
    let listener: ((bytes: Buffer) => void) | undefined;
    try {
      return await this.#step<ServerInfo>(socket, (done, fail) => {
        listener = (bytes) => onData(bytes, done, fail);
        socket.on("data", listener);
      });
    } finally {
      socket.pause(); // until `#receive`, or for TLS, which reads the socket itself
      if (listener !== undefined) socket.off("data", listener);
      this.#arrived.push(text);
    }
  }

  #receive(dialer: Dialer): void {
    const socket = this.#socket!;
    let error: Error | undefined;
    socket.on("data", (bytes: Uint8Array) => {
      this.#arrived.push(bytes);
      this.#wake();
    });
    socket.on("error", (cause) => {
      error = cause;
      dialer.lastError = cause;
    });
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#end(error));
    socket.resume();
  }

  #wake(): void {
    this.#onArrived?.();
    this.#onArrived = undefined;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  // biome-ignore lint/suspicious/noConfusingVoidType: the interface of nats-core has this type.
  closed(): Promise<void | Error> {
    return this.#closed.promise;
  }

  isEncrypted(): boolean {
    return this.#socket instanceof TLSSocket;
  }

  send(frame: Uint8Array): void {
    // A failed write needs no answer here: the socket closes, or the pings of nats-core find the connection dead.
    if (!this.#isClosed) this.#socket?.write(frame);
  }

  async close(error?: Error): Promise<void> {
    this.#end(error);
  }

  /** nats-core calls this for a dead connection and for a change of the server. The bytes that a dead peer has not read are lost (I3). */
  disconnect(): void {
    this.#end(undefined);
  }

  /** Ends the socket without a report to nats-core, which has begun another attempt. */
  discard(): void {
    this.#isConnected = false;
    this.#end(undefined);
  }

  #end(error: Error | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (error !== undefined) this.closeError = error;
    this.#failAttempt?.(error ?? new ConnectionError("the attempt was ended"));
    this.#socket?.destroy();
    this.#wake();
    if (this.#isConnected) this.#closed.resolve(error);
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    try {
      for (;;) {
        const arrived = this.#arrived;
        this.#arrived = [];
        for (const bytes of arrived) yield bytes;
        if (this.#isClosed) return;
        if (this.#arrived.length > 0) continue;
        await new Promise<void>((resolve) => {
          this.#onArrived = resolve;
        });
      }
    } finally {
      // nats-core stops reading when it cannot parse the bytes of the peer; without this it would wait for its pings.
      this.#end(new ConnectionError("the server sent bytes that are no NATS protocol"));
    }
  }
}

const ignoreError = () => undefined;

const cutAfterLine = (bytes: Uint8Array) => bytes.subarray(0, bytes.indexOf(LINE_END) + 1);

function toError(cause: unknown): Error {
  if ((cause as NodeJS.ErrnoException | undefined)?.code === "ECONNREFUSED")
    return new ConnectionError("connection refused", { cause });
  return cause instanceof Error ? cause : new ConnectionError("cannot connect");
}

function readJson(text: string): ServerInfo | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as ServerInfo) : undefined;
  } catch {
    return undefined;
  }
}

/** The certificates that the options name by files. @throws ConnectionError for a file that cannot be read. */
async function readCertificates({ certFile, caFile, keyFile }: TlsOptions): Promise<NodeTlsOptions> {
  const read = async (file: string) => {
    try {
      return await readFile(file);
    } catch (cause) {
      throw new ConnectionError(`the TLS file ${file} cannot be read`, { cause });
    }
  };
  return {
    ...(certFile === undefined ? {} : { cert: await read(certFile) }),
    ...(keyFile === undefined ? {} : { key: await read(keyFile) }),
    ...(caFile === undefined ? {} : { ca: [await read(caFile)] }),
  };
}
