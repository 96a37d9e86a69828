// One connection to the in-memory server; transport.ts makes one for each transport. Owns the subscriptions and
// listeners of the connection, and ends them when the connection closes.
import { SwarmError } from "../../protocol/index.ts";
import type { ConnectionState, RequestSubscription, Subscription } from "../ports.ts";
import { RefusedReplies } from "../reply-subjects.ts";
import type { Puller } from "./consumer.ts";
import { type RawMessage, sizeOf } from "./message.ts";
import type { MemoryServer, Subscriber } from "./server.ts";
import type { Wire } from "./wire.ts";

/** One connection to a {@link MemoryServer}. */
export class MemoryConnection implements Puller {
  readonly server: MemoryServer;
  /** The reply subjects that this connection did not publish to. */
  readonly refused = new RefusedReplies();
  readonly #subscribers = new Set<Subscriber>();
  readonly #closeListeners = new Set<() => void>();
  readonly #stateListeners = new Set<(state: ConnectionState) => void>();
  #isOpen = true;

  constructor(server: MemoryServer) {
    this.server = server;
    server.addConnection();
  }

  get wire(): Wire {
    return this.server.wire;
  }

  get state(): ConnectionState {
    return this.#isOpen ? "connected" : "closed";
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  /** Checks that the connection is open; `doing` names the action in the error. @throws SwarmError `unavailable`. */
  assertOpen(doing: string): void {
    if (!this.#isOpen) throw new SwarmError("unavailable", `${doing}: the connection is closed`);
  }

  /** Checks that the server accepts a message of this size. @throws SwarmError `payload_too_large`. */
  assertFits(message: RawMessage): void {
    const { maxPayloadBytes } = this.server;
    const bytes = sizeOf(message) - message.subject.length;
    if (bytes <= maxPayloadBytes) return;
    throw new SwarmError(
      "payload_too_large",
      `a message to ${message.subject} has ${bytes} bytes; the server accepts at most ${maxPayloadBytes}`,
    );
  }

  subscribe(subscriber: Omit<Subscriber, "isOpen">): RequestSubscription {
    this.assertOpen(`subscribe to ${subscriber.subject}`);
    let isSubscribed = true;
    const added: Subscriber = { ...subscriber, isOpen: () => isSubscribed && this.#isOpen };
    const remove = this.server.subscribe(added);
    this.#subscribers.add(added);
    const close = () => {
      isSubscribed = false;
      this.#subscribers.delete(added);
      remove();
    };
    return {
      close,
      drain: async () => {
        remove();
        await this.server.wire.flush();
        close();
      },
    };
  }

  /** Calls `onClose` when the connection closes; the returned function removes the listener. */
  onClose(onClose: () => void): () => void {
    this.#closeListeners.add(onClose);
    return () => this.#closeListeners.delete(onClose);
  }

  /** Calls `onState` when the connection closes; an in-memory connection is never "disconnected". */
  onState(onState: (state: ConnectionState) => void): Subscription {
    this.#stateListeners.add(onState);
    return { close: () => this.#stateListeners.delete(onState) };
  }

  /** Waits until the server has delivered all messages sent so far, then ends all subscriptions. Safe to repeat. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    await this.server.wire.flush();
    if (!this.#isOpen) return;
    this.#isOpen = false;
    for (const subscriber of this.#subscribers) this.server.unsubscribe(subscriber);
    this.#subscribers.clear();
    for (const onClose of [...this.#closeListeners]) onClose();
    for (const onState of [...this.#stateListeners]) onState("closed");
    this.server.removeConnection();
  }
}
