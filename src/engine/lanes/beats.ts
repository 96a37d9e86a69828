// The beats of the engines: this one tells that it lives, and listens to the others. The decision about lanes is in ownership.ts.
// B1  An engine that starts says hello, and every other one answers with a beat at once: it knows all engines before it takes a lane.
// B2  An engine that stops says goodbye, so that the others take its lanes at once.
import type { Clock } from "../../base/index.ts";
import { decode, encode, lastToken, type Subjects } from "../../protocol/index.ts";
import type { Subscription, Transport } from "../../transport/index.ts";
import { BEAT_MS, HEARD_MS, lanesOf, livingEngines } from "./ownership.ts";

/** How long an engine that starts waits for the answers to its hello, in ms: many round trips. */
const HELLO_MS = 150;

/** The states that a beat tells. */
type Beat = "hello" | "alive" | "gone";

interface BeatsParts {
  readonly transport: Pick<Transport, "bus">;
  readonly subjects: Subjects;
  readonly clock: Clock;
  /** The id of this engine. */
  readonly id: string;
  /** Called with the lanes of this engine whenever they change. */
  readonly onLanes: (lanes: readonly string[]) => void;
}

/** The beats of one engine. */
export class Beats {
  readonly #parts: BeatsParts;
  readonly #heard = new Map<string, number>();
  #lanes = "";
  #subscription: Subscription | undefined;
  #cancelBeat: () => void = () => undefined;
  #mayTake = false;

  constructor(parts: BeatsParts) {
    this.#parts = parts;
  }

  /** The living engines, sorted. */
  get living(): string[] {
    return livingEngines(this.#heard, this.#parts.id, this.#parts.clock.now());
  }

  /** Resolves when this engine has heard the others (B1). */
  async start(): Promise<void> {
    const { transport, subjects, clock } = this.#parts;
    this.#subscription = transport.bus.subscribe(subjects.filters.allEngines, (message) =>
      this.#onBeat(lastToken(message.subject), message.data),
    );
    this.#tell("hello");
    await new Promise<void>((resolve) => void clock.after(HELLO_MS, resolve));
    this.#mayTake = true;
    this.#beat();
  }

  /** Says goodbye (B2). */
  stop(): void {
    this.#cancelBeat();
    this.#subscription?.close();
    if (this.#mayTake) this.#tell("gone");
    this.#mayTake = false;
  }

  #beat(): void {
    this.#tell("alive");
    this.#decide();
    this.#cancelBeat = this.#parts.clock.after(BEAT_MS, () => this.#beat());
  }

  #onBeat(id: string, data: Uint8Array): void {
    const { clock } = this.#parts;
    if (id === this.#parts.id) return;
    const state = readBeat(data);
    if (state === "gone") this.#heard.delete(id);
    else this.#heard.set(id, clock.now());
    if (state === "hello" && this.#mayTake) this.#tell("alive");
    this.#decide();
  }

  #decide(): void {
    if (!this.#mayTake) return;
    const nowMs = this.#parts.clock.now();
    for (const [id, atMs] of this.#heard) if (nowMs - atMs >= HEARD_MS) this.#heard.delete(id);
    const lanes = lanesOf(this.#parts.id, this.living);
    const key = lanes.join();
    if (key === this.#lanes) return;
    this.#lanes = key;
    this.#parts.onLanes(lanes);
  }

  #tell(state: Beat): void {
    const { transport, subjects, id } = this.#parts;
    transport.bus.publish(subjects.engine(id), encode({ state }));
  }
}

function readBeat(data: Uint8Array): Beat {
  try {
    const { state } = decode(data).value as { state?: unknown };
    return state === "hello" || state === "gone" ? state : "alive";
  } catch {
    return "alive"; // The engine of another version, which lives.
  }
}
