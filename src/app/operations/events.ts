// The operation that follows the events of the swarm. Events only hint: a stored state decides, so a reader that misses some is told
// how many, and reads the state again.
import { z } from "zod";
import { createSubjects, decode, type EventKind, nameSchema } from "../../protocol/index.ts";
import type { IncomingRequest, Transport } from "../../transport/index.ts";
import { defineOperation } from "./operation.ts";

/** The kinds of things that events are about. */
const EVENT_KINDS = ["task", "ballot", "agent", "office", "workflow"] as const satisfies readonly EventKind[];
/** The events that wait for a slow reader; later ones are dropped and counted. */
export const MAX_UNREAD_EVENTS = 1_000;
/** The most events of one call with `limit`. */
const MAX_EVENTS = 1_000_000;

const eventSchema = z.object({
  kind: z.enum(EVENT_KINDS),
  id: z.string(),
  event: z.string(),
  /** The facts of the event; null where it has none that can be read. */
  facts: z.unknown(),
});
const gapSchema = z.object({
  kind: z.literal("gap"),
  /** Events that the reader was too slow for; null when the connection to NATS was lost, so that the number is not known. */
  dropped: z.int().nullable(),
  reason: z.string(),
});
const beganSchema = z.object({
  /** From now on, every event is told or counted. */
  kind: z.literal("began"),
});
type SwarmEvent = z.output<typeof eventSchema>;
type Gap = z.output<typeof gapSchema>;

const GAP_REASONS = {
  slow: "the reader was too slow for them; read the states again",
  lost: "the connection to NATS was lost; read the states again",
} as const;

export const watchEvents = defineOperation({
  name: "event-watch",
  summary: "follow the events of the swarm",
  input: z.strictObject({
    kind: z.enum(EVENT_KINDS).optional().meta({ description: "only about things of this kind" }),
    id: nameSchema.optional().meta({ description: "only about the thing with this id" }),
    limit: z.int().min(1).max(MAX_EVENTS).optional().meta({ description: "end after this many events" }),
  }),
  output: z.object({ seen: z.int(), dropped: z.int() }),
  event: z.discriminatedUnion("kind", [beganSchema, eventSchema, gapSchema]),
  errors: [],
  access: "read",
  async *run({ transport, signal }, { kind, id, limit = Number.POSITIVE_INFINITY }) {
    const unread = new UnreadEvents();
    const subscription = transport.bus.subscribe(
      createSubjects(transport.prefix).filters.events({ kind, id }),
      (message) => {
        const event = readEvent(transport, message);
        if (event !== null) unread.add(event);
      },
    );
    const states = transport.onState((state) => {
      if (state === "disconnected") unread.lose();
    });
    const stop = () => unread.wake();
    signal.addEventListener("abort", stop, { once: true });
    let seen = 0;
    let dropped = 0;
    try {
      await transport.bus.flush();
      yield { kind: "began" as const };
      while (seen < limit && !signal.aborted) {
        const next = await unread.next(signal);
        if (next === null) break;
        if (next.kind === "gap") dropped += next.dropped ?? 0;
        else seen++;
        yield next;
      }
      return { seen, dropped };
    } finally {
      signal.removeEventListener("abort", stop);
      subscription.close();
      states.close();
    }
  },
});

/** The events that the reader has not taken yet, with the gaps between them. */
class UnreadEvents {
  readonly #events: (SwarmEvent | Gap)[] = [];
  #onNews: () => void = () => undefined;

  add(event: SwarmEvent): void {
    const last = this.#events.at(-1);
    if (this.#events.length < MAX_UNREAD_EVENTS) this.#events.push(event);
    else if (last?.kind === "gap" && last.dropped !== null) last.dropped++;
    else this.#events.push({ kind: "gap", dropped: 1, reason: GAP_REASONS.slow });
    this.wake();
  }

  /** The connection is lost, and with it an unknown number of events. */
  lose(): void {
    if (this.#events.at(-1)?.kind === "gap") return; // the reader must read the states again anyway
    this.#events.push({ kind: "gap", dropped: null, reason: GAP_REASONS.lost });
    this.wake();
  }

  wake(): void {
    this.#onNews();
  }

  /** The next event or gap; null when the signal aborts first. */
  async next(signal: AbortSignal): Promise<SwarmEvent | Gap | null> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      if (signal.aborted) return null;
      await new Promise<void>((resolve) => {
        this.#onNews = resolve;
      });
    }
  }
}

/** `<p>.event.<kind>.<id>.<event>` with its facts; null for a subject that is no event. */
function readEvent(
  { prefix }: Pick<Transport, "prefix">,
  { subject, data }: IncomingRequest,
): SwarmEvent | null {
  const [kind, id = "", ...rest] = subject.slice(`${prefix}.event.`.length).split(".");
  const parsed = eventSchema.shape.kind.safeParse(kind);
  return parsed.success && rest.length === 1
    ? { kind: parsed.data, id, event: rest[0] ?? "", facts: readFacts(data) }
    : null;
}

function readFacts(data: Uint8Array): unknown {
  if (data.length === 0) return null;
  try {
    return decode(data).value;
  } catch {
    return null;
  }
}
