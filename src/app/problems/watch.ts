// Collects the facts for the problems of a swarm, and remembers what a single look cannot show: when a leader was last seen, and when a
// problem without a time of its own began. An api process keeps one watch; a command makes one for a single look.
import { type GaugeRow, type Meter, sleep, tryJson, utf8Text } from "../../base/index.ts";
import type { OfficeClient } from "../../coordinator/index.ts";
import type { AgentStatus } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { callRoll } from "../agents/roll-call.ts";
import { KeptFact } from "../facts/kept.ts";
import { type QueueFacts, readQueues } from "../facts/queues.ts";
import { readStreams, type StreamsFacts } from "../facts/streams.ts";
import { readCapabilities } from "../office/capabilities.ts";
import { glanceAtOffice, type OfficeGlance } from "../office/coordinators.ts";
import {
  findProblems,
  findUnknown,
  LEAVING,
  type NewDeadLetter,
  type Problem,
  type ProblemFacts,
  VACANT_MS,
} from "./find.ts";

/** How long coordinators may take to answer, in ms; they answer from memory. */
const OFFICE_LOOK = { timeoutMs: 1_000, stallMs: 100 } as const;
/** The time between two looks at the office, in ms: a vacant office shows within 5 s, and a look is one message. */
const OFFICE_LOOK_INTERVAL_MS = 1_000;
/** The most dead letters that one look reads, the newest ones: a body has up to 528 KiB. */
const MAX_NEW_DEAD = 20;
/** The most problems whose beginning is remembered; a report has fewer. */
const MAX_BEGUN = 1_000;

/** The problems of now. */
export interface ProblemReport {
  readonly problems: readonly Problem[];
  /** The parts that could not be read, so that their problems are missing, with the reasons. */
  readonly unknown: readonly { readonly part: string; readonly reason: string }[];
}

/** The facts that an api process keeps anyway. */
interface SharedFacts {
  readonly queues: KeptFact<QueueFacts[]>;
  readonly streams: KeptFact<StreamsFacts>;
}

/** The gauges about capabilities that a watch sets. */
type CapabilityMeter = Pick<Meter, "capabilityAgents" | "capabilityPaused">;

/** Watches one swarm. */
export class ProblemWatch {
  readonly #transport: Transport;
  readonly #shared: SharedFacts;
  readonly #paused: KeptFact<ReadonlySet<string>>;
  readonly #agents: KeptFact<AgentStatus[]>;
  readonly #newDead: KeptFact<NewDeadLetter[]>;
  readonly #office: KeptFact<OfficeGlance>;
  readonly #begun = new Map<string, number>();
  #leaderSeenAtMs: number | null = null;
  #vacantSinceMs: number | null = null;
  #disconnectedAtMs: number | null;
  #readDead: { lastSeq: number; letters: NewDeadLetter[] } = { lastSeq: -1, letters: [] };

  /** `shared`: facts that the process keeps already; without them the watch reads them. `meter`: shows agents and pauses in the gauges. */
  constructor(parts: {
    transport: Transport;
    office: OfficeClient;
    shared?: SharedFacts;
    meter?: CapabilityMeter;
  }) {
    const { transport, office, meter } = parts;
    this.#transport = transport;
    this.#disconnectedAtMs = transport.state === "connected" ? null : this.#nowMs();
    transport.onState((state) => {
      this.#disconnectedAtMs = state === "connected" ? null : (this.#disconnectedAtMs ?? this.#nowMs());
    });
    this.#shared = parts.shared ?? {
      queues: new KeptFact({ name: "queues", read: () => readQueues(transport) }),
      streams: new KeptFact({ name: "streams", read: () => readStreams(transport) }),
    };
    this.#paused = new KeptFact<ReadonlySet<string>>({
      name: "pauses",
      read: async () => {
        const { capabilities } = await readCapabilities({ transport, office });
        return new Set(
          capabilities.filter(({ state }) => state !== "open").map(({ capability }) => capability),
        );
      },
      show: (paused) =>
        meter?.capabilityPaused.replace(
          [...paused].map((capability) => ({ labels: { capability }, value: 1 })),
        ),
    });
    this.#agents = new KeptFact({
      name: "agents",
      read: () => callRoll(transport),
      show: (agents) => meter?.capabilityAgents.replace(countAble(agents)),
    });
    this.#newDead = new KeptFact({ name: "new_dead_letters", read: () => this.#readNewDead() });
    this.#office = new KeptFact({
      name: "office",
      intervalMs: OFFICE_LOOK_INTERVAL_MS,
      read: () => glanceAtOffice(transport, OFFICE_LOOK),
      show: ({ leader }) => {
        const nowMs = this.#nowMs();
        if (leader !== null) this.#leaderSeenAtMs = nowMs;
        this.#vacantSinceMs = leader === null ? (this.#vacantSinceMs ?? nowMs) : null;
      },
    });
  }

  /** The facts that the keeper of the process must read, beside the shared ones. */
  get facts(): readonly [
    KeptFact<ReadonlySet<string>>,
    KeptFact<AgentStatus[]>,
    KeptFact<NewDeadLetter[]>,
    KeptFact<OfficeGlance>,
  ] {
    return [this.#paused, this.#agents, this.#newDead, this.#office];
  }

  /** Reads everything once, for a command. A vacant office is looked at twice: an election takes about a second. */
  async look(): Promise<ProblemReport> {
    const { queues, streams } = this.#shared;
    await Promise.all([queues, streams, ...this.facts].map((fact) => fact.refresh()));
    const { office } = this.present();
    if (office !== null && office.leader === null && office.wasHeld) {
      await sleep(VACANT_MS);
      await this.#office.refresh();
    }
    return this.report();
  }

  /** The problems by the facts that are kept. Waits for nothing. */
  report(): ProblemReport {
    const facts = this.present();
    const problems = findProblems(facts).map((problem) => this.#withSince(problem, facts.nowMs));
    const present = new Set(problems.map(keyOf));
    for (const key of this.#begun.keys()) if (!present.has(key)) this.#begun.delete(key);
    const reasons: Record<string, string | null> = {
      queues: this.#shared.queues.problem,
      streams: this.#shared.streams.problem,
      paused: this.#paused.problem,
      agents: this.#agents.problem,
      newDead: this.#newDead.problem,
      office: this.#office.problem ?? this.#shared.streams.problem,
    };
    const unknown = findUnknown(facts).map((part) => ({ part, reason: reasons[part] ?? "not read yet" }));
    return { problems, unknown };
  }

  /** The facts of now, as far as they are kept. Waits for nothing. */
  present(): ProblemFacts {
    const { queues, streams } = this.#shared;
    const kept = [queues, streams, ...this.facts];
    const log = streams.value?.streams.find(({ stream }) => stream === "office");
    const office = this.#office.value;
    return {
      nowMs: this.#nowMs(),
      disconnectedAtMs: this.#disconnectedAtMs,
      queues: queues.value,
      streams: streams.value,
      paused: this.#paused.value,
      agents: this.#agents.value,
      newDead: this.#newDead.value,
      office:
        office === null || streams.value === null
          ? null
          : {
              ...office,
              leaderSeenAtMs: this.#leaderSeenAtMs,
              vacantSinceMs: this.#vacantSinceMs,
              wasHeld: (log?.lastSeq ?? 0) > 1,
            }, // the first entry begins the log
      ages: Object.fromEntries(
        kept.map(({ name, ageSeconds }) => [name, ageSeconds === null ? null : ageSeconds * 1_000]),
      ),
    };
  }

  /** A problem without a time of its own began when this watch first found it. */
  #withSince(problem: Problem, nowMs: number): Problem {
    if (problem.since !== null) return problem;
    const key = keyOf(problem);
    const begunAtMs = this.#begun.get(key) ?? nowMs;
    if (this.#begun.size < MAX_BEGUN) this.#begun.set(key, begunAtMs);
    return { ...problem, since: new Date(begunAtMs).toISOString() };
  }

  async #readNewDead(): Promise<NewDeadLetter[]> {
    const log = this.#transport.log("dead");
    const { firstSeq, lastSeq, messages } = await log.info();
    if (messages === 0) return [];
    if (lastSeq === this.#readDead.lastSeq) return this.#keepStored(firstSeq);
    const letters: NewDeadLetter[] = [];
    for await (const { subject, data, storedAtMs } of log.read({
      fromSeq: Math.max(firstSeq, lastSeq - MAX_NEW_DEAD + 1),
      limit: MAX_NEW_DEAD,
    })) {
      const letter = tryJson(utf8Text(data)) as { reason?: { code?: unknown } } | undefined;
      const code = letter?.reason?.code;
      const capability = subject.split(".")[2] ?? "-";
      letters.push({ capability, code: typeof code === "string" ? code : null, atMs: storedAtMs });
    }
    this.#readDead = { lastSeq, letters };
    return letters;
  }

  /** Letters of an unchanged end of the stream; a purge of all shows in `firstSeq`. */
  #keepStored(firstSeq: number): NewDeadLetter[] {
    return firstSeq > this.#readDead.lastSeq ? [] : this.#readDead.letters;
  }

  #nowMs(): number {
    return this.#transport.clock.now();
  }
}

/** The agents of each capability that take its tasks, by the same rule as the problem of a capability without agents. */
export function countAble(
  agents: readonly Pick<AgentStatus, "state" | "capabilities">[],
): GaugeRow<"capability">[] {
  const counts = new Map<string, number>();
  for (const { state, capabilities } of agents) {
    const isAble = !LEAVING.includes(state);
    for (const capability of capabilities)
      counts.set(capability, (counts.get(capability) ?? 0) + (isAble ? 1 : 0));
  }
  return [...counts].map(([capability, value]) => ({ labels: { capability }, value }));
}

function keyOf({ name, hit }: Problem): string {
  return `${name} ${hit.capabilities.join(" ")}`;
}
