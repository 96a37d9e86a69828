// Collects the facts for the problems of a swarm, and remembers what a single look cannot show: when a leader was last seen, and when a
// problem without a time of its own began. An api process keeps one watch; a command makes one for a single look.
import { type GaugeRow, type Meter, sleep, tryJson, utf8Text } from "../../base/index.ts";
import type { OfficeClient } from "../../coordinator/index.ts";
import { type AgentStatus, SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { callRoll } from "../agents/roll-call.ts";
import { KeptFact } from "../facts/kept.ts";
import { createPeopleReader, type PeopleFacts } from "../facts/people.ts";
import { type QueueFacts, readQueues } from "../facts/queues.ts";
import { readStreams, type StreamsFacts } from "../facts/streams.ts";
import { type DueFact, keepDue } from "../facts/swarm.ts";
import { createWorkflowReader, type WorkflowFacts } from "../facts/workflows.ts";
import { readCapabilities } from "../office/capabilities.ts";
import { glanceAtOffice, type OfficeGlance } from "../office/coordinators.ts";
import {
  findProblems,
  findUnknown,
  LEAVING,
  MOVERLESS_MS,
  type NewDeadLetter,
  type Problem,
  type ProblemFacts,
  VACANT_MS,
} from "./find.ts";
import { ENGINELESS_MS } from "./find-runs.ts";

/** How long coordinators may take to answer, in ms; they answer from memory. */
const OFFICE_LOOK = { timeoutMs: 1_000, stallMs: 100 } as const;
/** The time between two looks at the office, in ms: a vacant office shows within 5 s, and a look is one message. */
const OFFICE_LOOK_INTERVAL_MS = 1_000;
/** The time between two looks at the engines, in ms: as for the office; engines answer from memory. */
const ENGINES_LOOK_INTERVAL_MS = 1_000;
/** The time between two pings of the server, in ms: a server that hangs shows within 5 s. */
const PING_INTERVAL_MS = 1_000;
/**
 * The time that the server has to answer a ping: so many turns of the event loop, this many ms apart. A process whose loop was blocked
 * must not blame the server, and one turn passes however long the loop was blocked.
 */
const PING_LIMIT = { turns: 4, turnMs: 500 } as const;
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
  readonly due: KeptFact<DueFact>;
}

/** The gauges about capabilities and workflows that a watch sets. */
type WatchMeter = Pick<
  Meter,
  "capabilityAgents" | "capabilityPaused" | "workflowsWithoutEngine" | "workflowPersonWaitSeconds"
>;

/** Watches one swarm. */
export class ProblemWatch {
  readonly #transport: Transport;
  readonly #shared: SharedFacts;
  readonly #ping: KeptFact<true>;
  readonly #paused: KeptFact<ReadonlySet<string>>;
  readonly #agents: KeptFact<AgentStatus[]>;
  readonly #newDead: KeptFact<NewDeadLetter[]>;
  readonly #office: KeptFact<OfficeGlance>;
  readonly #workflows: KeptFact<WorkflowFacts>;
  readonly #people: KeptFact<PeopleFacts>;
  readonly #begun = new Map<string, number>();
  #leaderSeenAtMs: number | null = null;
  #vacantSinceMs: number | null = null;
  #enginelessSinceMs: number | null = null;
  #disconnectedAtMs: number | null;
  #readDead: { lastSeq: number; letters: NewDeadLetter[] } = { lastSeq: -1, letters: [] };

  /** `shared`: facts that the process keeps already; without them the watch reads them. `meter`: shows agents and pauses in the gauges. */
  constructor(parts: {
    transport: Transport;
    office: OfficeClient;
    shared?: SharedFacts;
    meter?: WatchMeter;
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
      due: keepDue(transport),
    };
    this.#ping = new KeptFact({
      name: "nats",
      intervalMs: PING_INTERVAL_MS,
      dutyShare: 1, // a ping that waits costs nothing
      read: () => pingServer(transport),
    });
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
    this.#workflows = new KeptFact({
      name: "workflows",
      intervalMs: ENGINES_LOOK_INTERVAL_MS,
      read: createWorkflowReader(transport),
      show: (workflows) => this.#showWorkflows(workflows, meter),
    });
    this.#people = new KeptFact({ name: "people", read: createPeopleReader(transport) });
  }

  #showWorkflows({ engines, orphans, runs }: WorkflowFacts, meter: WatchMeter | undefined): void {
    const nowMs = this.#nowMs();
    this.#enginelessSinceMs = engines === 0 ? (this.#enginelessSinceMs ?? nowMs) : null;
    const waits = runs.flatMap(({ kind, sinceMs }) => (kind === "approval" ? [nowMs - sinceMs] : []));
    meter?.workflowsWithoutEngine.set(orphans === null ? 0 : orphans.runs + orphans.commands);
    meter?.workflowPersonWaitSeconds.set(Math.max(0, ...waits) / 1_000);
  }

  /** The facts that the keeper of the process must read, beside the shared ones. */
  get facts(): readonly [
    KeptFact<true>,
    KeptFact<ReadonlySet<string>>,
    KeptFact<AgentStatus[]>,
    KeptFact<NewDeadLetter[]>,
    KeptFact<OfficeGlance>,
    KeptFact<WorkflowFacts>,
    KeptFact<PeopleFacts>,
  ] {
    return [
      this.#ping,
      this.#paused,
      this.#agents,
      this.#newDead,
      this.#office,
      this.#workflows,
      this.#people,
    ];
  }

  /**
   * Reads everything once, for a command. A vacant office, absent engines and a due task are looked at twice: an election takes about a
   * second, the restart of an engine two, and movers move a due task at once.
   */
  async look(): Promise<ProblemReport> {
    await Promise.all([...Object.values(this.#shared), ...this.facts].map((fact) => fact.refresh()));
    const { office, workflows } = this.present();
    const isVacant = office !== null && office.leader === null && office.wasHeld;
    const { runs = 0, commands = 0 } = workflows?.orphans ?? {};
    const again = [
      { is: isVacant, fact: this.#office, afterMs: VACANT_MS },
      { is: runs + commands > 0, fact: this.#workflows, afterMs: ENGINELESS_MS },
      { is: this.#shared.due.value?.oldest != null, fact: this.#shared.due, afterMs: MOVERLESS_MS },
    ].filter(({ is }) => is);
    await sleep(Math.max(0, ...again.map(({ afterMs }) => afterMs)));
    await Promise.all(again.map(({ fact }) => fact.refresh()));
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
      due: this.#shared.due.problem,
      paused: this.#paused.problem,
      agents: this.#agents.problem,
      newDead: this.#newDead.problem,
      office: this.#office.problem ?? this.#shared.streams.problem,
      workflows: this.#workflows.problem,
      people: this.#people.problem,
    };
    const unknown = findUnknown(facts).map((part) => ({ part, reason: reasons[part] ?? "not read yet" }));
    return { problems, unknown };
  }

  /** The facts of now, as far as they are kept. Waits for nothing. */
  present(): ProblemFacts {
    const { queues, streams, due } = this.#shared;
    const kept = [queues, streams, due, ...this.facts];
    const log = streams.value?.streams.find(({ stream }) => stream === "office");
    const office = this.#office.value;
    const workflows = this.#workflows.value;
    return {
      nowMs: this.#nowMs(),
      disconnectedAtMs: this.#disconnectedAtMs,
      silentSinceMs:
        this.#ping.problem === null ? null : this.#nowMs() - (this.#ping.ageSeconds ?? 0) * 1_000,
      due: due.value,
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
      workflows: workflows === null ? null : { ...workflows, enginelessSinceMs: this.#enginelessSinceMs },
      people: this.#people.value,
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

/** Resolves when the server has answered a ping. @throws SwarmError `unavailable` after {@link PING_LIMIT}, or without a connection. */
async function pingServer({ bus }: Pick<Transport, "bus">): Promise<true> {
  const ended = new AbortController();
  const late = async () => {
    for (let turn = 0; turn < PING_LIMIT.turns; turn++)
      await sleep(PING_LIMIT.turnMs, { signal: ended.signal });
    throw new SwarmError(
      "unavailable",
      `the server did not answer a ping within ${(PING_LIMIT.turns * PING_LIMIT.turnMs) / 1_000} s`,
    );
  };
  try {
    await Promise.race([bus.flush(), late()]);
    return true;
  } finally {
    ended.abort();
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
  return `${name} ${[...hit.capabilities, ...hit.workflows].join(" ")}`;
}
