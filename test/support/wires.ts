// A network for tests with real processes, where a test can cut connections: TCP connections lead through gates, and each
// gate knows its two parties. Owns the forwarding and the cuts of each direction; never interprets the bytes.
//
// W1  A held direction delivers nothing, not even the end of a connection. After the cut is healed, it delivers the held
//     bytes in order, as TCP does after a lost link.
// W2  A broken direction resets its connections, and each new connection at once.
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** The kind of a cut: `hold` keeps bytes back (a lost link); `break` resets connections (a firewall, a dead host). */
export type CutKind = "hold" | "break";

/** One direction between two parties. */
export interface Direction {
  readonly from: string;
  readonly to: string;
}

/** A port of 127.0.0.1 that leads to another port. */
export interface Gate {
  readonly port: number;
}

/** The bytes of a connection in one direction. */
interface Flow extends Direction {
  readonly source: Socket;
  readonly sink: Socket;
  isEnded: boolean;
}

/** All connections between the named parties of a test. */
export class Wires {
  readonly #servers: Server[] = [];
  readonly #flows = new Set<Flow>();
  readonly #cuts = new Map<string, CutKind>();

  /** Opens a port that leads `from` to `to`. For each connection, it asks `targetPort` for the port of `to`. */
  async openGate({ from, to }: Direction, targetPort: () => number): Promise<Gate> {
    const server = createServer({ noDelay: true, pauseOnConnect: true }, (near) => {
      const far = connect({ port: targetPort(), host: "127.0.0.1", noDelay: true });
      this.#join({ from, to, source: near, sink: far, isEnded: false });
      this.#join({ from: to, to: from, source: far, sink: near, isEnded: false });
      near.resume();
      this.#applyCuts();
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return { port: (server.address() as AddressInfo).port };
  }

  /** Cuts these directions. A direction that is already cut changes to the new kind. */
  cut(directions: readonly Direction[], kind: CutKind): void {
    for (const direction of directions) this.#cuts.set(nameOf(direction), kind);
    this.#applyCuts();
  }

  /** Ends the cuts of these directions (default: all directions). */
  heal(directions?: readonly Direction[]): void {
    if (directions === undefined) this.#cuts.clear();
    else for (const direction of directions) this.#cuts.delete(nameOf(direction));
    this.#applyCuts();
  }

  /** Ends all connections and closes all gates. */
  close(): void {
    for (const server of this.#servers) server.close();
    for (const { source } of this.#flows) source.destroy();
  }

  #join(flow: Flow): void {
    const { source, sink } = flow;
    this.#flows.add(flow);
    source.on("data", (bytes) => {
      if (!sink.write(bytes)) source.pause();
    });
    sink.on("drain", () => {
      if (this.#cutOf(flow) !== "hold") source.resume();
    });
    source.on("error", () => undefined); // "close" follows
    source.on("close", () => {
      flow.isEnded = true;
      this.#applyCut(flow);
    });
  }

  #applyCuts(): void {
    for (const flow of [...this.#flows]) this.#applyCut(flow);
  }

  #applyCut(flow: Flow): void {
    const { source, sink } = flow;
    const kind = this.#cutOf(flow);
    if (kind === "hold") {
      source.pause(); // W1
      return;
    }
    if (flow.isEnded) {
      this.#flows.delete(flow);
      sink.destroySoon();
    } else if (kind === "break") {
      source.resetAndDestroy(); // W2
      sink.resetAndDestroy();
    } else if (!sink.writableNeedDrain) source.resume();
  }

  #cutOf(direction: Direction): CutKind | undefined {
    return this.#cuts.get(nameOf(direction));
  }
}

/** Both directions between each of `some` and each of `others`. */
export function between(some: readonly string[], others: readonly string[]): Direction[] {
  return some.flatMap((one) =>
    others.flatMap((other) => [
      { from: one, to: other },
      { from: other, to: one },
    ]),
  );
}

function nameOf({ from, to }: Direction): string {
  return `${from} ${to}`;
}
