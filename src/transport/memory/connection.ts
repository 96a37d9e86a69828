// One connection to the in-memory server: what ends when it closes.
import { SwarmError } from "../../protocol/index.ts";
import type { ConnectionState, Subscription } from "../ports.ts";
import type { Puller } from "./consumer.ts";
import { type RawMessage, sizeOf } from "./message.ts";
import type { MemoryServer, Subscriber } from "./server.ts";
import type { Wire } from "./wire.ts";

/** One connection. */
export class MemoryConnection implements Puller {
  readonly server: MemoryServer;
  readonly #subscribers = new Set<Subscriber>();
  readonly #closeListeners = new Set<() => void>();
  readonly #stateListeners = new Set<(state: ConnectionState) => void>();
  #open = true;

  constructor(server: MemoryServer) {
    this.server = server;
    server.opened();
  }

  get wire(): Wire {
    return this.server.wire;
  }

  get state(): ConnectionState {
    return this.#open ? "connected" : "closed";
  }

  isOpen(): boolean {
    return this.#open;
  }

  /** @throws SwarmError `unavailable` when it is closed. */
  assertOpen(doing: string): void {
    if (!this.#open) throw new SwarmError("unavailable", `${doing}: the connection is closed`);
  }

  /** @throws SwarmError `payload_too_large`. */
  assertFits(message: RawMessage): void {
    const { maxPayloadBytes } = this.server;
    const bytes = sizeOf(message) - message.subject.length;
    if (bytes <= maxPayloadBytes) return;
    throw new SwarmError(
      "payload_too_large",
      `a message to ${message.subject} has ${bytes} bytes; the server takes at most ${maxPayloadBytes}`,
    );
  }

  subscribe(subscriber: Omit<Subscriber, "isOpen">): Subscription {
    this.assertOpen(`subscribe to ${subscriber.subject}`);
    let open = true;
    const full: Subscriber = { ...subscriber, isOpen: () => open && this.#open };
    const remove = this.server.subscribe(full);
    this.#subscribers.add(full);
    return {
      close: () => {
        open = false;
        this.#subscribers.delete(full);
        remove();
      },
    };
  }

  onClose(onClose: () => void): () => void {
    this.#closeListeners.add(onClose);
    return () => this.#closeListeners.delete(onClose);
  }

  onState(onState: (state: ConnectionState) => void): Subscription {
    this.#stateListeners.add(onState);
    return { close: () => this.#stateListeners.delete(onState) };
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    await this.server.wire.flush();
    if (!this.#open) return;
    this.#open = false;
    for (const subscriber of this.#subscribers) this.server.unsubscribe(subscriber);
    this.#subscribers.clear();
    for (const onClose of [...this.#closeListeners]) onClose();
    for (const onState of [...this.#stateListeners]) onState("closed");
    this.server.closed();
  }
}
