// A network that can be cut, for tests with real processes: TCP connections lead through gates, and each gate knows who
// speaks to whom. Owns forwarding and cuts, per direction; knows nothing of what is said.
//
// W1  A held direction delivers nothing, no end of a connection either; when it is healed, what was held goes on in
//     order, as TCP does after a lost link.
// W2  A broken direction ends the connections that it is part of, and new ones at once.
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** What a cut does: `hold` keeps bytes back (a lost link); `break` resets connections (a firewall, a dead host). */
export type CutKind = "hold" | "break";

/** Who speaks to whom. */
export interface Direction {
  readonly from: string;
  readonly to: string;
}

/** A port of 127.0.0.1 that leads to another one. */
export interface Gate {
  readonly port: number;
}

/** One side of a connection, on its way to the other. */
interface Flow extends Direction {
  readonly source: Socket;
  readonly sink: Socket;
  isEnded: boolean;
}

/** Every connection between named parties of a test. */
export class Wires {
  readonly #servers: Server[] = [];
  readonly #flows = new Set<Flow>();
  readonly #cuts = new Map<string, CutKind>();

  /** Opens a port through which `from` reaches `to`, which listens on what `targetPort` answers at each connection. */
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

  /** Cuts these directions; a direction that is cut already changes its kind. */
  cut(directions: readonly Direction[], kind: CutKind): void {
    for (const direction of directions) this.#cuts.set(nameOf(direction), kind);
    this.#applyCuts();
  }

  /** Ends the cuts of these directions; of all without them. */
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
