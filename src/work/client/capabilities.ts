// Which capabilities a swarm knows: those whose consumers exist on the task stream, whether or not an agent runs now.
import type { Clock } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";

/** How long the list of known capabilities is trusted before a look for one that is missing from it, in ms. */
const TRUST_MS = 5_000;
/** After a miss, the server is asked again at most this often, in ms. */
const MISS_INTERVAL_MS = 250;

/** The capability that a consumer's name (`<capability>-<priority>`) belongs to. */
export function capabilityOfConsumer(consumer: string): string {
  return consumer.slice(0, consumer.lastIndexOf("-"));
}

/** Knows the capabilities of the swarm; a capability once seen stays known to this process. */
export interface KnownCapabilities {
  /** @throws SwarmError `unknown_capability` listing what is known; `unavailable`. */
  check(capability: string): Promise<void> | undefined;
  list(): Promise<string[]>;
}

/** Known capabilities with a small cache. */
export function createKnownCapabilities(transport: Transport, clock: Clock): KnownCapabilities {
  let known = new Set<string>();
  let readAtMs = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | undefined;

  function read(): Promise<void> {
    reading ??= transport
      .queue("tasks")
      .consumers()
      .then((consumers) => {
        known = new Set(
          consumers
            .filter(({ filter }) => filter.includes(".task."))
            .map(({ name }) => capabilityOfConsumer(name)),
        );
        readAtMs = clock.now();
      })
      .finally(() => {
        reading = undefined;
      });
    return reading;
  }

  async function checkSlowly(capability: string): Promise<void> {
    if (clock.now() - readAtMs > MISS_INTERVAL_MS) await read();
    if (known.has(capability)) return;
    const names = [...known].sort();
    throw new SwarmError(
      "unknown_capability",
      `no agent ever offered the capability ${capability}; known: ${names.length === 0 ? "none" : names.join(", ")}`,
      { field: "capability" },
    );
  }

  return {
    check: (capability) =>
      known.has(capability) && clock.now() - readAtMs <= TRUST_MS ? undefined : checkSlowly(capability),
    async list() {
      await read();
      return [...known].sort();
    },
  };
}
