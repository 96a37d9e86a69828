// The capabilities that a swarm knows: each capability with a queue consumer on the task stream, whether or not an
// agent for it runs now. submit.ts checks each task against them.
import { type Clock, singleFlight } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { capabilityOfConsumer, isQueueFilter } from "../stores/consumers.ts";

/** The cached list of capabilities is stale after this time, in ms. */
const TRUST_MS = 5_000;
/** The shortest time, in ms, between two reads of the list for capabilities that are missing from it. */
const MISS_INTERVAL_MS = 250;

/** The capabilities of the swarm, with a small cache. */
export class KnownCapabilities {
  readonly #clock: Clock;
  readonly #read: () => Promise<void>;
  #names = new Set<string>();
  #readAtMs = Number.NEGATIVE_INFINITY;

  constructor(transport: Transport, clock: Clock) {
    this.#clock = clock;
    this.#read = singleFlight(async () => {
      this.#names = new Set(await listCapabilities(transport));
      this.#readAtMs = clock.now();
    });
  }

  /**
   * Checks that the swarm knows a capability. Returns undefined, without a promise, when the valid cache contains it.
   * @throws SwarmError `unknown_capability`, with the known names; `unavailable`.
   */
  check(capability: string): Promise<void> | undefined {
    const isTrusted = this.#clock.now() - this.#readAtMs <= TRUST_MS;
    return isTrusted && this.#names.has(capability) ? undefined : this.#checkAgain(capability);
  }

  async #checkAgain(capability: string): Promise<void> {
    if (this.#clock.now() - this.#readAtMs > MISS_INTERVAL_MS) await this.#read();
    if (this.#names.has(capability)) return;
    const names = [...this.#names].sort().join(", ") || "none";
    throw new SwarmError(
      "unknown_capability",
      `no agent has offered the capability ${capability} yet; known: ${names}`,
      { field: "capability" },
    );
  }

  /** All known capabilities, in order of their names. @throws SwarmError `unavailable`. */
  async list(): Promise<string[]> {
    await this.#read();
    return [...this.#names].sort();
  }
}

/** The capabilities that the swarm knows, in order of their names. @throws SwarmError `unavailable`. */
export async function listCapabilities(transport: Transport): Promise<string[]> {
  const consumers = await transport.queue("tasks").consumers();
  const queues = consumers.filter(({ filter }) => isQueueFilter(transport.prefix, filter));
  return [...new Set(queues.map(({ name }) => capabilityOfConsumer(name)))].sort();
}
