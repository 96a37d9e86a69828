// The placer answers the office's call `place`: which agent takes a task, and why. Owns the tasks in flight and adds their
// outcomes to the record; choose.ts makes the choice, and the host that publishes the placed message stores it.
//
// W1  Only the holder of the office answers, and only if it proved within the last half second that it is the holder. A
//     holder that was deposed since then may still answer. Its choice may be worse, but the task still has one result,
//     because the first writer of a result wins; and a task that it places on a lost agent is reclaimed (reclaimer.ts).
// W2  A repeat of a request within a short time gets the same answer, because the first answer may have been lost.
import {
  type Chance,
  createService,
  type Logger,
  type Meter,
  newId,
  type Service,
  seededChance,
  singleFlight,
} from "../../base/index.ts";
import {
  createSubjects,
  decode,
  type ErrorCode,
  HEADERS,
  isSameHost,
  type PlaceReply,
  type PlaceRequest,
  parse,
  placeRequestSchema,
  resultSchema,
  type Subjects,
  SwarmError,
} from "../../protocol/index.ts";
import type { Incoming, Subscription, Transport } from "../../transport/index.ts";
import type { Office } from "../office/office.ts";
import { describePause } from "../pauses/pauses.ts";
import { takesWork } from "../registry/availability.ts";
import { toChunks } from "../registry/chunks.ts";
import { expect, type OutcomeCounts } from "../registry/record.ts";
import type { Registrar } from "../registry/registrar.ts";
import { kindOf, type Member, type Registry } from "../registry/registry.ts";
import {
  type Candidate,
  type Choice,
  choose,
  chooseNamed,
  groupKinds,
  type Kinds,
  without,
} from "./choose.ts";
import { InFlight, type Placed } from "./in-flight.ts";
import { type Diversity, type Picked, pick } from "./pick.ts";
import { readWanted } from "./skills.ts";

/** How old the proof of holding the office may be, in ms: half of the shortest election (W1). */
const FRESH_MS = 500;
/** A request about a task within this time, in ms, is a repeat (W2): as long as a delivery waits for its ack. */
const SAME_REQUEST_MS = 10_000;
/** How often outcomes are added to the record, in ms: one small entry of the log. */
const RECORD_INTERVAL_MS = 1_000;
/** The most pairs of agent and capability with outcomes to record; outcomes of further pairs are dropped. */
const MAX_UNRECORDED = 10_000;
/** When the caller retries, in ms: while every agent is busy, and while there is none. */
const RETRY_MS = { busy: 100, none: 1_000 } as const;
/** Errors that count against the agent. All others are faults of the task or of its submitter. */
const AGENT_FAULTS: ReadonlySet<ErrorCode> = new Set([
  "internal",
  "timeout",
  "tool_failed",
  "model_refused",
  "model_unavailable",
]);

/** Counts the seats of ballots as load of their agents. Soft state, forgotten with the office. */
export interface SeatLoad {
  /** Counts a seat: the agent is asked under this task id, or will be in a moment. The last call for a task id counts. */
  take(taskId: string, agent: string): void;
  /** Removes a seat whose answer is not awaited any more. */
  leave(taskId: string): void;
}

/** The ports of a placer. */
interface PlacerParts {
  transport: Transport;
  office: Office;
  registrar: Registrar;
  log: Logger;
  meter: Meter;
  /** Seed of the exploration. */
  seed: number;
}

/** The placer of one coordinator. */
export class Placer {
  readonly service: Service;
  readonly seats: SeatLoad;
  readonly #parts: PlacerParts;
  readonly #subjects: Subjects;
  readonly #chance: Chance;
  readonly #inFlight = new InFlight();
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #unrecorded = new Map<string, { agent: string; capability: string } & OutcomeCounts>();
  readonly #kinds: KindCache;
  readonly #proveOnce = singleFlight(() => this.#confirmOffice());
  readonly #recordOnce = singleFlight(() => this.#tryRecord());
  #provenMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #recording: Promise<void> | undefined;

  constructor(parts: PlacerParts) {
    this.#parts = parts;
    this.#subjects = createSubjects(parts.transport.prefix);
    this.#chance = seededChance(parts.seed);
    this.#kinds = new KindCache((registry, member, capability) =>
      this.#toCandidate(registry, member, capability),
    );
    this.seats = {
      take: (taskId, agent) => this.#inFlight.seat(taskId, agent, nowMs()),
      leave: (taskId) => this.#inFlight.unseat(taskId),
    };
    this.service = createService({
      name: "placer",
      start: () => this.#start(),
      stop: () => this.#stop(),
    });
  }

  /** Answers the call `place`. @throws SwarmError `unavailable`, `not_leader`, `not_found`, `invalid_input`. */
  async place(body: unknown): Promise<PlaceReply> {
    const { registrar, meter } = this.#parts;
    const request = parse(placeRequestSchema, body, "place");
    await Promise.all([this.#prove(), registrar.waitForRollCall()]);
    const repeated = this.#findRepeated(request);
    if (repeated !== null) return repeated;
    try {
      const choice = this.#decide(request);
      const { taskId, capability } = request;
      this.#watch({ taskId, capability, choice, placedMs: nowMs() });
      meter.placements.inc({ outcome: "chosen" });
      return choice;
    } catch (error) {
      meter.placements.inc({
        outcome: error instanceof SwarmError && error.retryable ? "waits" : "refused",
      });
      throw error;
    }
  }

  /** Forgets a task that has left the place where it was placed. */
  forget(taskId: string): void {
    this.#unwatch(taskId);
    this.#inFlight.remove(taskId);
  }

  /** Picks several agents for one question, see pick.ts, from the state that is applied here. */
  pick({
    capability,
    labels,
    text,
    ...request
  }: {
    count: number;
    capability: string;
    diversity: Diversity;
    exclude?: ReadonlySet<string>;
    labels?: Readonly<Record<string, string>>;
    text?: string;
  }): Picked[] {
    const { registry, pauses } = this.#parts.office.state;
    if (pauses.has(capability)) return []; // the ballot waits, as for agents that are not there
    const kinds = this.#kinds.find(registry, capability);
    return pick(kinds, { ...request, wanted: readWanted(labels, text) }, this.#chance);
  }

  #start(): void {
    const { office, registrar } = this.#parts;
    office.onTenure(() => this.#forgetAll());
    registrar.onHeard(({ id }) => this.#inFlight.hear(id, nowMs()));
    this.#timer = setInterval(() => {
      if (this.#unrecorded.size > 0) this.#recording = this.#recordOnce();
    }, RECORD_INTERVAL_MS);
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#forgetAll();
    await this.#recording;
  }

  #forgetAll(): void {
    for (const { taskId } of this.#inFlight.clear()) this.#unwatch(taskId);
    this.#provenMs = Number.NEGATIVE_INFINITY;
  }

  // The choice

  /** @throws SwarmError when another coordinator holds the office, or the holder is unknown (W1). */
  async #prove(): Promise<void> {
    if (nowMs() - this.#provenMs > FRESH_MS) await this.#proveOnce();
    if (this.#parts.office.tenure === null) {
      throw new SwarmError("not_leader", "this coordinator does not hold the office: ask again");
    }
  }

  async #confirmOffice(): Promise<void> {
    const askedMs = nowMs();
    await this.#parts.office.barrier();
    this.#provenMs = askedMs;
  }

  /** The answer that was given a moment ago, if it is still valid (W2). */
  #findRepeated({ taskId, capability, route, exclude }: PlaceRequest): Choice | null {
    const { office, registrar } = this.#parts;
    const placed = this.#inFlight.get(taskId);
    if (placed === undefined || placed.capability !== capability) return null;
    const { choice, placedMs } = placed;
    if (route === "best" && exclude?.includes(choice.agent)) return null;
    if (nowMs() - placedMs > SAME_REQUEST_MS || (route !== "best" && route.agent !== choice.agent))
      return null;
    const member = office.state.registry.members.get(choice.agent);
    const status =
      member !== undefined && isSameHost(member.profile, choice) ? registrar.statusOf(member) : null;
    return status !== null && takesWork(status) ? choice : null;
  }

  #decide({ capability, route, exclude, labels, text }: PlaceRequest): Choice {
    const pause = this.#parts.office.state.pauses.get(capability);
    if (pause !== undefined) {
      throw new SwarmError(
        "unavailable",
        `${describePause(capability, pause)}: the task waits; \`murmur capability resume ${capability}\` ends the pause`,
        { retryAfterMs: RETRY_MS.none },
      );
    }
    const { registry } = this.#parts.office.state;
    if (route !== "best") return this.#decideNamed(registry, route.agent, capability);
    const kinds = without(this.#kinds.find(registry, capability), new Set(exclude));
    const choice = choose(kinds, readWanted(labels, text), this.#chance);
    if (choice !== null) return choice;
    const isOffered = kinds.some((kind) => kind.length > 0);
    const another = exclude === undefined ? "" : "other ";
    throw new SwarmError(
      "unavailable",
      isOffered
        ? `every ${another}agent that offers ${capability} is busy or takes no new work; the task waits`
        : `no ${another}agent offers ${capability} at the moment; the task waits for one`,
      { retryAfterMs: isOffered ? RETRY_MS.busy : RETRY_MS.none },
    );
  }

  #decideNamed(registry: Registry, agent: string, capability: string): Choice {
    const { registrar } = this.#parts;
    const member = registry.members.get(agent);
    if (member === undefined && !registrar.isHeard(agent)) {
      throw new SwarmError(
        "not_found",
        `no agent ${agent} belongs to this swarm (any more): murmur agent ls lists its agents; route "best" lets the office choose`,
        { field: "route" },
      );
    }
    if (member !== undefined && registrar.statusOf(member) !== null) {
      return chooseNamed(this.#toCandidate(registry, member, capability), capability);
    }
    throw new SwarmError("unavailable", `agent ${agent} is not ready yet; the task waits`, {
      retryAfterMs: RETRY_MS.none,
    });
  }

  /** A member whose fields are current at each read. A member that was not heard yet may be dead, and takes no work. */
  #toCandidate(registry: Registry, { profile }: Member, capability: string): Candidate {
    const { id } = profile;
    const { registrar } = this.#parts;
    const inFlight = this.#inFlight;
    const statusNow = () => {
      const member = registry.members.get(id);
      return member === undefined ? null : registrar.statusOf(member);
    };
    return {
      profile,
      get takesWork() {
        const status = statusNow();
        return status !== null && takesWork(status);
      },
      get load() {
        return inFlight.loadOf(id, statusNow()?.slots.used ?? 0);
      },
      get tasks() {
        return inFlight.tasksOf(id, statusNow()?.slots.used ?? 0);
      },
      get expectation() {
        const own = registry.members.get(id)?.record.get(capability);
        return expect(own, registry.kinds.get(kindOf(profile, capability)));
      },
    };
  }

  // Outcomes

  #watch(placed: Placed): void {
    const { taskId, capability } = placed;
    for (const replaced of this.#inFlight.add(placed)) this.#unwatch(replaced.taskId);
    this.#subscriptions.set(
      taskId,
      this.#parts.transport.bus.subscribe(
        this.#subjects.filters.doneOfTask(capability, taskId),
        (message) => {
          this.forget(taskId);
          this.#noteOutcome(placed, message);
        },
      ),
    );
  }

  #unwatch(taskId: string): void {
    this.#subscriptions.get(taskId)?.close();
    this.#subscriptions.delete(taskId);
  }

  /** Notes the outcome of a placed task. A result by reference is not fetched for it, and is not noted. */
  #noteOutcome({ capability }: Placed, message: Incoming): void {
    const result = resultSchema.safeParse(readValue(message));
    if (!result.success) return;
    const { status, error, agent, ranMs } = result.data;
    const isFault = error !== undefined && AGENT_FAULTS.has(error.code);
    if (status !== "completed" && !isFault) return;
    const key = `${agent} ${capability}`;
    const before = this.#unrecorded.get(key);
    if (before === undefined && this.#unrecorded.size >= MAX_UNRECORDED) return;
    this.#unrecorded.set(key, {
      agent,
      capability,
      count: (before?.count ?? 0) + 1,
      failures: (before?.failures ?? 0) + (status === "completed" ? 0 : 1),
      totalMs: (before?.totalMs ?? 0) + Math.max(0, ranMs),
    });
  }

  async #tryRecord(): Promise<void> {
    try {
      await this.#recordAll();
    } catch (error) {
      this.#parts.log.info({ err: error }, "outcomes not recorded; dropped");
    }
  }

  /** Adds outcomes to the record. After a failure they are dropped: a record may lack outcomes, but never counts one twice. */
  async #recordAll(): Promise<void> {
    const { office } = this.#parts;
    const outcomes = [...this.#unrecorded.values()];
    this.#unrecorded.clear();
    if (office.tenure === null) return;
    for (const chunk of toChunks(outcomes)) {
      await office.submit(newId(), { type: "record-add", outcomes: chunk });
    }
  }
}

/** The candidates for each capability, grouped by kind; kept until the registry changes. */
class KindCache {
  readonly #toCandidate: (registry: Registry, member: Member, capability: string) => Candidate;
  readonly #byCapability = new Map<string, Kinds>();
  #registry: Registry | null = null;
  #revision = -1;

  constructor(toCandidate: (registry: Registry, member: Member, capability: string) => Candidate) {
    this.#toCandidate = toCandidate;
  }

  find(registry: Registry, capability: string): Kinds {
    if (this.#registry !== registry || this.#revision !== registry.revision) {
      this.#byCapability.clear();
      this.#registry = registry;
      this.#revision = registry.revision;
    }
    const cached = this.#byCapability.get(capability);
    if (cached !== undefined) return cached;
    const ids = [...(registry.byCapability.get(capability) ?? [])];
    const kinds = groupKinds(
      ids.map((id) => this.#toCandidate(registry, registry.members.get(id) as Member, capability)),
    );
    if (ids.length > 0) this.#byCapability.set(capability, kinds);
    return kinds;
  }
}

function nowMs(): number {
  return performance.now();
}

function readValue(message: Incoming): unknown {
  try {
    return decode(message.data, message.header(HEADERS.contentType)).value;
  } catch {
    return undefined;
  }
}
