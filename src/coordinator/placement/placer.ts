// Answers the office's request `place`: which agent shall take a task, and why. Owns what is outstanding, and has its
// outcomes added to the record; the choice is choose.ts, and the decision is stored by who publishes the placed message.
//
// W1  Only the holder of the office answers, and one that proved within the last half second that it is. A holder that was
//     deposed since then may still answer: its choice may be a worse one, and the task has one result all the same,
//     because the first writer of a result wins; a task that it sends to an agent that is gone comes back (returning.ts).
// W2  Asked again about a task a moment later, it gives the same answer: an answer may get lost on its way.
import {
  createService,
  type Logger,
  type Meter,
  newId,
  type Service,
  seededChance,
} from "../../base/index.ts";
import {
  createSubjects,
  decode,
  type ErrorCode,
  HEADERS,
  type PlaceReply,
  type PlaceRequest,
  parse,
  placeRequestSchema,
  resultSchema,
  SwarmError,
} from "../../protocol/index.ts";
import type { Incoming, Subscription, Transport } from "../../transport/index.ts";
import type { Office } from "../office/office.ts";
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
/** A question about a task that comes within this time is the same question (W2): as long as a delivery waits for its ack. */
const SAME_REQUEST_MS = 10_000;
/** How often outcomes are added to the record, in ms: one small entry of the log. */
const RECORD_INTERVAL_MS = 1_000;
/** Pairs of agent and capability whose outcomes wait to be recorded; further ones are not recorded. */
const MAX_UNRECORDED = 10_000;
/** When to ask again while every agent is busy, in ms; and while none lives. */
const RETRY_MS = { busy: 100, none: 1_000 } as const;
/** Ways to fail that say something of the agent, and not of the task or of who handed it in. */
const AGENT_FAULTS: ReadonlySet<ErrorCode> = new Set([
  "internal",
  "timeout",
  "tool_failed",
  "model_refused",
  "model_unavailable",
]);

/** Who places tasks. */
export interface Placing {
  readonly service: Service;
  /** Answers the request `place`. @throws SwarmError `unavailable`, `not_leader`, `not_found`, `invalid_input`. */
  place(body: unknown): Promise<PlaceReply>;
  /** The task is not where it was placed any more. */
  forget(taskId: string): void;
  /** Picks several agents for one question, see pick.ts; looks at the state as it is applied here. */
  pick(request: {
    count: number;
    capability: string;
    diversity: Diversity;
    exclude?: ReadonlySet<string>;
    labels?: Readonly<Record<string, string>>;
    text?: string;
  }): Picked[];
  readonly seats: SeatLoad;
}

/** Tells the placing who sits in ballots, so that seats count as load. Soft, and forgotten with the office. */
export interface SeatLoad {
  /** The agent is asked under this task id, or will be in a moment; told again, or with another agent, that one counts. */
  take(taskId: string, agent: string): void;
  /** Nobody waits for it any more. */
  leave(taskId: string): void;
}

/** Makes the placing of a coordinator. */
export function createPlacing(parts: {
  transport: Transport;
  office: Office;
  registrar: Registrar;
  log: Logger;
  meter: Meter;
  /** Seed of the exploration. */
  seed: number;
}): Placing {
  const { transport, office, registrar, log, meter } = parts;
  const subjects = createSubjects(transport.prefix);
  const chance = seededChance(parts.seed);
  const outstanding = new InFlight();
  const subscriptions = new Map<string, Subscription>();
  const unrecorded = new Map<string, { agent: string; capability: string } & OutcomeCounts>();
  const kindsByCapability = new Map<string, Kinds>();
  const nowMs = () => performance.now();
  let kindsOf: Registry | null = null;
  let kindsRevision = -1;
  let provenMs = Number.NEGATIVE_INFINITY;
  let proving: Promise<void> | null = null;
  let timer: NodeJS.Timeout | undefined;
  let recording: Promise<void> | undefined;

  /** @throws SwarmError when the office is held by somebody else, or that cannot be known (W1). */
  async function prove(): Promise<void> {
    if (nowMs() - provenMs > FRESH_MS) {
      proving ??= proveAnew().finally(() => {
        proving = null;
      });
      await proving;
    }
    if (office.tenure === null) {
      throw new SwarmError("not_leader", "this coordinator does not hold the office: ask again");
    }
  }

  async function proveAnew(): Promise<void> {
    const askedMs = nowMs();
    await office.barrier();
    provenMs = askedMs;
  }

  /** Who offers a capability, by kind. Kept while the registry stays as it is. */
  function kindsFor(registry: Registry, capability: string): Kinds {
    if (kindsOf !== registry || kindsRevision !== registry.revision) {
      kindsByCapability.clear();
      kindsOf = registry;
      kindsRevision = registry.revision;
    }
    let kinds = kindsByCapability.get(capability);
    if (kinds === undefined) {
      const ids = [...(registry.byCapability.get(capability) ?? [])];
      kinds = groupKinds(
        ids.map((id) => toCandidate(registry, registry.members.get(id) as Member, capability)),
      );
      if (ids.length > 0) kindsByCapability.set(capability, kinds);
    }
    return kinds;
  }

  /** A member as it stands whenever it is looked at. One that was not heard yet may be dead, and takes nothing. */
  function toCandidate(registry: Registry, { profile }: Member, capability: string): Candidate {
    const { id } = profile;
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
        return outstanding.loadOf(id, statusNow()?.slots.used ?? 0);
      },
      get tasks() {
        return outstanding.tasksOf(id, statusNow()?.slots.used ?? 0);
      },
      get expectation() {
        const own = registry.members.get(id)?.record.get(capability);
        return expect(own, registry.kinds.get(kindOf(profile, capability)));
      },
    };
  }

  function decide({ capability, route, exclude, labels, text }: PlaceRequest): Choice {
    const { registry } = office.state;
    if (route === "best") {
      const kinds = without(kindsFor(registry, capability), new Set(exclude));
      const choice = choose(kinds, readWanted(labels, text), chance);
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
    const member = registry.members.get(route.agent);
    if (member !== undefined) {
      if (registrar.statusOf(member) !== null) {
        return chooseNamed(toCandidate(registry, member, capability), capability);
      }
    } else if (!registrar.isHeard(route.agent)) {
      throw new SwarmError(
        "not_found",
        `no agent ${route.agent} belongs to this swarm (any more): murmur agent ls shows those that do; route "best" lets the office choose`,
        { field: "route" },
      );
    }
    throw new SwarmError("unavailable", `agent ${route.agent} is not ready yet; the task waits`, {
      retryAfterMs: RETRY_MS.none,
    });
  }

  /** The answer that was given a moment ago, when it still holds (W2). */
  function findRepeated({ taskId, capability, route, exclude }: PlaceRequest): Choice | null {
    const placed = outstanding.get(taskId);
    if (placed === undefined || placed.capability !== capability) return null;
    const { choice, placedMs } = placed;
    if (route === "best" && exclude?.includes(choice.agent)) return null;
    if (nowMs() - placedMs > SAME_REQUEST_MS || (route !== "best" && route.agent !== choice.agent))
      return null;
    const member = office.state.registry.members.get(choice.agent);
    const status = member?.profile.host === choice.host ? registrar.statusOf(member) : null;
    return status !== null && takesWork(status) ? choice : null;
  }

  function watch(placed: Placed): void {
    const { taskId } = placed;
    for (const gone of outstanding.add(placed)) unwatch(gone.taskId);
    subscriptions.set(
      taskId,
      transport.bus.subscribe(subjects.filters.doneById(taskId), (message) => {
        unwatch(taskId);
        outstanding.remove(taskId);
        note(placed, message);
      }),
    );
  }

  function unwatch(taskId: string): void {
    subscriptions.get(taskId)?.close();
    subscriptions.delete(taskId);
  }

  /** Notes what became of a placed task. A result by reference tells nothing here, and is not fetched for it. */
  function note({ capability }: Placed, message: Incoming): void {
    const result = resultSchema.safeParse(readValue(message));
    if (!result.success) return;
    const { status, error, agent, ranMs } = result.data;
    const isFault = error !== undefined && AGENT_FAULTS.has(error.code);
    if (status !== "completed" && !isFault) return;
    const key = `${agent} ${capability}`;
    const before = unrecorded.get(key);
    if (before === undefined && unrecorded.size >= MAX_UNRECORDED) return;
    unrecorded.set(key, {
      agent,
      capability,
      count: (before?.count ?? 0) + 1,
      failures: (before?.failures ?? 0) + (status === "completed" ? 0 : 1),
      totalMs: (before?.totalMs ?? 0) + Math.max(0, ranMs),
    });
  }

  /** Adds to the record. What cannot be added now is dropped: a record may miss outcomes, and never counts one twice. */
  async function recordAll(): Promise<void> {
    const outcomes = [...unrecorded.values()];
    unrecorded.clear();
    if (office.tenure === null) return;
    for (const chunk of toChunks(outcomes)) {
      await office.submit(newId(), { type: "record-add", outcomes: chunk });
    }
  }

  function forgetAll(): void {
    for (const { taskId } of outstanding.clear()) unwatch(taskId);
    provenMs = Number.NEGATIVE_INFINITY;
  }

  return {
    service: createService({
      name: "placing",
      start() {
        office.onTenure(forgetAll);
        registrar.onHeard(({ id }) => outstanding.hear(id, nowMs()));
        timer = setInterval(() => {
          if (unrecorded.size === 0) return;
          recording ??= recordAll()
            .catch((error: unknown) => log.info({ err: error }, "some outcomes were not recorded"))
            .finally(() => {
              recording = undefined;
            });
        }, RECORD_INTERVAL_MS);
      },
      async stop() {
        clearInterval(timer);
        forgetAll();
        await recording;
      },
    }),
    async place(body) {
      const request = parse(placeRequestSchema, body, "place");
      await Promise.all([prove(), registrar.knowsWhoLives()]);
      const repeated = findRepeated(request);
      if (repeated !== null) return repeated;
      try {
        const choice = decide(request);
        const { taskId, capability } = request;
        watch({ taskId, capability, choice, placedMs: nowMs() });
        meter.placements.inc({ outcome: "chosen" });
        return choice;
      } catch (error) {
        meter.placements.inc({
          outcome: error instanceof SwarmError && error.retryable ? "waits" : "refused",
        });
        throw error;
      }
    },
    forget(taskId) {
      unwatch(taskId);
      outstanding.remove(taskId);
    },
    pick({ capability, labels, text, ...request }) {
      const kinds = kindsFor(office.state.registry, capability);
      return pick(kinds, { ...request, wanted: readWanted(labels, text) }, chance);
    },
    seats: {
      take: (taskId, agent) => outstanding.seat(taskId, agent, nowMs()),
      leave: (taskId) => outstanding.unseat(taskId),
    },
  };
}

function readValue(message: Incoming): unknown {
  try {
    return decode(message.data, message.header(HEADERS.contentType)).value;
  } catch {
    return undefined;
  }
}
