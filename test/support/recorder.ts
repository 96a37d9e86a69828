// A TCP proxy in front of nats-server that records every subject that a client publishes to or subscribes. A test that gives
// each process of a swarm its own recorder knows the user of each subject.
// R1  The recorder forwards every byte unchanged, in both directions, and knows only as much of the protocol as it needs:
//     lines end in CRLF, and PUB and HPUB are followed by as many bytes as their last number says, and CRLF.
import { type AddressInfo, connect, createServer } from "node:net";

/** A running recorder. */
export interface Recorder {
  /** The server's URL for the process whose subjects are recorded. */
  readonly url: string;
  /** The subjects that it published to and subscribed, each once, in their order. */
  readonly published: ReadonlySet<string>;
  readonly subscribed: ReadonlySet<string>;
  close(): void;
}

/** Starts a recorder in front of the server at `targetPort`. */
export async function startRecorder(targetPort: number): Promise<Recorder> {
  const published = new Set<string>();
  const subscribed = new Set<string>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    const reader = new ClientReader(published, subscribed);
    near.on("data", (bytes) => reader.read(bytes));
    near.pipe(far);
    far.pipe(near);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", () => other.destroy());
      one.on("close", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    // The server tells its clients its own address, which would lead past the recorder; a test's server advertises none.
    url: `nats://127.0.0.1:${port}`,
    published,
    subscribed,
    close: () => server.close(),
  };
}

/** Reads the lines of one client (R1). */
class ClientReader {
  #rest: Buffer = Buffer.alloc(0);
  #skipBytes = 0;
  readonly #published: Set<string>;
  readonly #subscribed: Set<string>;

  constructor(published: Set<string>, subscribed: Set<string>) {
    this.#published = published;
    this.#subscribed = subscribed;
  }

  read(bytes: Buffer): void {
    let at = Math.min(this.#skipBytes, bytes.length);
    this.#skipBytes -= at;
    let left = Buffer.concat([this.#rest, bytes.subarray(at)]);
    for (;;) {
      at = left.indexOf("\r\n");
      if (at === -1) break;
      const bodyBytes = this.#readLine(left.subarray(0, at).toString());
      const next = at + 2 + bodyBytes;
      if (next > left.length) this.#skipBytes = next - left.length;
      left = left.subarray(Math.min(next, left.length));
    }
    this.#rest = left;
  }

  /** Notes the subject of a line, and returns the bytes of the body that follows it. */
  #readLine(line: string): number {
    const [verb = "", subject = "", ...rest] = line.split(/\s+/);
    if (/^SUB$/i.test(verb)) this.#subscribed.add(subject);
    if (!/^H?PUB$/i.test(verb)) return 0;
    this.#published.add(subject);
    return Number(rest.at(-1)) + 2;
  }
}
