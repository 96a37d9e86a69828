// Returns placed tasks to their queue when their agent has left, or is leaving and has not started them. The host that
// then receives such a task asks for a new placement, and choose.ts chooses the agent as for any other task. Owns the
// order of the steps; placement.ts makes the reclaimer.
//
// B1  The reclaimer first publishes the task to its queue, then deletes its placed message. After a crash between the two
//     steps, the next holder of the office finds the placed message and repeats both steps. The task may then run
//     twice, but it has one result.
// B2  A returned task carries `Murmur-Attempt`: a host looks for the result of such a task before it starts it.
// B3  The reclaimer checks every placed message when this coordinator takes the office, and every ten seconds. So it
//     finds a task even if it missed an event, or if the task was placed at the moment when its agent left.
// B4  If the queue still has the message that a task was placed from, the hand-over has not finished. The host that
//     receives the queued message finds the placed message, accepts it as the placement, and acks the queued message.
//     The reclaimer leaves the task to the next sweep.
// B6  Earlier versions kept placed tasks in the task stream, where no host pulls them any more. The reclaimer returns them to
//     their queues in the same way.
// B5  A message that is no placed task goes to the dead letters. A live host does this itself; for a host without
//     agents the reclaimer does it, because no other process would read the message.
import {
  createService,
  type Logger,
  type Meter,
  type Service,
  singleFlight,
  systemChance,
  systemClock,
} from "../../base/index.ts";
import {
  classOf,
  createSubjects,
  DEFAULT_CLASS,
  encode,
  HEADERS,
  type HostRef,
  hostName,
  isName,
  isSameHost,
  isToken,
  type PlacedAddress,
  placedKey,
  readPlacement,
  type Subjects,
  SwarmError,
} from "../../protocol/index.ts";
import type { Log, Stored, Transport } from "../../transport/index.ts";
import {
  blobsOf,
  buryUnreadable,
  carriedHeaders,
  createResultStore,
  placedName,
  readPlacedTask,
  renewBlobs,
} from "../../work/index.ts";
import type { Office } from "../office/office.ts";
import { isLeaving } from "../registry/availability.ts";
import type { AgentAddress, Registrar } from "../registry/registrar.ts";
import { agentsOn } from "../registry/registry.ts";

/**
 * The time between two checks of all placed messages, in ms. A check is one request to the stream while there are few.
 */
const RECLAIM_INTERVAL_MS = 10_000;
/** The most placed messages of one sweep; the next sweep takes the rest. */
const MAX_PER_SWEEP = 10_000;
/** The most tasks that are returned at the same time. */
const MAX_RECLAIMS_IN_FLIGHT = 16;
/**
 * The wait for a host's report that it runs a task, in ms. Hosts answer from memory. If a host is delayed for longer,
 * its task runs twice. The cost of the wait: the waiting tasks of a leaving agent return one second later, sixteen at a
 * time.
 */
const LOCATE_TIMEOUT_MS = 1_000;

/** The ports of a reclaimer. */
interface ReclaimerParts {
  transport: Transport;
  office: Office;
  registrar: Registrar;
  /** Called when a task has left the place where it was placed. */
  onReturned: (taskId: string) => void;
  /**
   * Called when the placed task is the question of a ballot. The reclaimer does not return it; the asker of the ballot
   * gives the seat to another agent.
   */
  onQuestion: (at: PlacedAddress) => void;
  log: Logger;
  meter: Meter;
}

/** Returns placed tasks while this coordinator holds the office. */
export class Reclaimer {
  readonly service: Service;
  readonly #parts: ReclaimerParts;
  readonly #subjects: Subjects;
  readonly #tasks: Log;
  readonly #results;
  /** The agents that have left, or are leaving, and whose placed tasks are not checked yet, by agent id. */
  readonly #gone = new Map<string, AgentAddress>();
  readonly #sweepOnce = singleFlight(() => this.#trySweep());
  #isFullSweepDue = false;
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;
  #isStopped = false;

  constructor(parts: ReclaimerParts) {
    const { transport, meter } = parts;
    this.#parts = parts;
    this.#subjects = createSubjects(transport.prefix);
    this.#tasks = transport.log("tasks");
    this.#results = createResultStore({
      transport,
      subjects: this.#subjects,
      meter,
      clock: systemClock,
      chance: systemChance,
    });
    this.service = createService({
      name: "reclaimer",
      start: () => this.#start(),
      stop: () => this.#stop(),
    });
  }

  #start(): void {
    const { office, registrar } = this.#parts;
    office.onTenure((tenure) => {
      this.#gone.clear();
      if (tenure !== null) this.#sweepAll(); // B3
    });
    registrar.onGone((agents) => this.#onGone(agents));
    this.#timer = setInterval(() => {
      if (this.#isInOffice) this.#sweepAll(); // B3
    }, RECLAIM_INTERVAL_MS);
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  get #isInOffice(): boolean {
    return this.#parts.office.tenure !== null && !this.#isStopped;
  }

  #onGone(agents: readonly AgentAddress[]): void {
    // A full sweep is cheaper than a sweep for each of many agents.
    if (this.#gone.size + agents.length > MAX_RECLAIMS_IN_FLIGHT) this.#isFullSweepDue = true;
    for (const agent of agents) if (this.#gone.size < MAX_PER_SWEEP) this.#gone.set(agent.id, agent);
    this.#sweep();
  }

  // Sweeps

  #sweepAll(): void {
    this.#isFullSweepDue = true;
    this.#sweep();
  }

  #sweep(): void {
    this.#sweeping = this.#sweepOnce();
  }

  async #trySweep(): Promise<void> {
    try {
      await this.#sweepDue();
    } catch (error) {
      this.#parts.log.warn({ err: error }, "placed tasks not checked; retrying at the next sweep");
    }
  }

  async #sweepDue(): Promise<void> {
    const { filters } = this.#subjects;
    while (this.#isInOffice && (this.#isFullSweepDue || this.#gone.size > 0)) {
      const agents = [...this.#gone.values()];
      this.#gone.clear();
      if (this.#isFullSweepDue) {
        this.#isFullSweepDue = false;
        await this.#parts.registrar.waitForRollCall();
        for (const name of await this.#parts.transport.placedClasses())
          await this.#reclaimAll(this.#placed(name), filters.allPlaced);
        await this.#returnOld(); // B6
      } else {
        for (const { id, ...at } of agents)
          await this.#reclaimAll(
            this.#placed(classOf(at)),
            filters.placedOnAgent({ class: classOf(at), host: at.host, agent: id }),
          );
      }
    }
  }

  #placed(agentClass: string): Log {
    return this.#parts.transport.log(placedKey(agentClass));
  }

  async #reclaimAll(log: Log, filter: string): Promise<void> {
    const found = await log.subjects(filter, { max: MAX_PER_SWEEP });
    const due = [...found.keys()].filter((subject) => {
      const at = this.#subjects.readPlaced(subject);
      return at === null ? !this.#hasAgents(hostOf(subject)) : this.#judge(at) !== "none";
    });
    for (let from = 0; from < due.length && this.#isInOffice; from += MAX_RECLAIMS_IN_FLIGHT) {
      const batch = due.slice(from, from + MAX_RECLAIMS_IN_FLIGHT);
      await Promise.all(batch.map((subject) => this.#reclaim(log, subject)));
    }
  }

  #hasAgents(host: HostRef): boolean {
    return agentsOn(this.#parts.office.state.registry, host).length > 0;
  }

  /** The tasks of an agent that must return: none, the waiting tasks (tasks that do not run), or all. */
  #judge(at: PlacedAddress): "none" | "waiting" | "all" {
    const { office, registrar } = this.#parts;
    const member = office.state.registry.members.get(at.agent);
    if (member === undefined || !isSameHost(member.profile, at))
      return registrar.isHeard(at.agent) ? "none" : "all";
    const status = registrar.statusOf(member);
    return status !== null && isLeaving(status) ? "waiting" : "none";
  }

  // One placed message

  async #reclaim(placed: Log, subject: string): Promise<void> {
    const { log, onQuestion, onReturned } = this.#parts;
    const at = this.#subjects.readPlaced(subject);
    try {
      const stored = await placed.last(subject, { fresh: true });
      if (stored === null || !this.#isInOffice) return;
      if (at === null || readPlacedTask(this.#subjects, stored) === null)
        return await this.#bury(placed, stored); // B5
      if (this.#judge(at) === "waiting" && (await this.#isRunning(at.taskId))) return;
      if (stored.header(HEADERS.ballot) !== undefined) return onQuestion(at);
      if (!(await this.#publish(stored, at, placedName(this.#subjects, stored)))) return; // B1, B4
      await placed.delete(stored.seq);
      onReturned(at.taskId);
      log.info(
        { taskId: at.taskId, agent: at.agent, host: hostName(at) },
        "placed task returned to its queue",
      );
    } catch (error) {
      log.warn({ err: error, subject }, "placed task not returned; retrying at the next sweep");
    }
  }

  /** Returns the placed tasks of earlier versions in the task stream (B6); a message that is none goes to the dead letters. */
  async #returnOld(): Promise<void> {
    const { log } = this.#parts;
    const old = await this.#tasks.subjects(this.#subjects.filters.allPlaced, { max: MAX_PER_SWEEP });
    for (const subject of old.keys()) {
      if (!this.#isInOffice) return;
      const stored = await this.#tasks.last(subject, { fresh: true });
      if (stored === null) continue;
      const at = readOldPlaced(subject);
      if (at === null || !isPlacement(stored)) {
        await this.#bury(this.#tasks, stored);
        continue;
      }
      if (stored.header(HEADERS.ballot) !== undefined) this.#parts.onQuestion(at);
      else if (!(await this.#publish(stored, at, `old.${stored.seq}`))) continue;
      await this.#tasks.delete(stored.seq);
      log.info(
        { taskId: at.taskId, agent: at.agent },
        "placed task of an earlier version returned to its queue",
      );
    }
  }

  async #bury(log: Log, stored: Stored): Promise<void> {
    const isOld = log === this.#tasks;
    if (!isOld && this.#hasAgents(hostOf(stored.subject))) return; // B5: the live host moves it to the dead letters
    const { taskId, error } = await buryUnreadable(this.#results, stored, systemClock.now());
    await log.delete(stored.seq);
    this.#parts.log.warn({ letter: taskId, err: error }, "unreadable placed task moved to the dead letters");
  }

  async #isRunning(taskId: string): Promise<boolean> {
    const { bus } = this.#parts.transport;
    const options = { timeoutMs: LOCATE_TIMEOUT_MS, max: 1 };
    return (await bus.scatter(this.#subjects.where(taskId), encode({}), options)).length > 0;
  }

  /**
   * Publishes the task to its queue, once. False when the queue still has the message that the task was placed from
   * (B4).
   */
  async #publish(stored: Stored, { scope, taskId }: PlacedAddress, name: string): Promise<boolean> {
    const { capability, priority } = readPlacement(stored.header(HEADERS.placement));
    const subject = this.#subjects.task({ capability, priority, scope, taskId });
    await renewBlobs(blobsOf(stored), this.#parts.transport.blobs);
    try {
      await this.#tasks.append(subject, stored.data, {
        headers: {
          [HEADERS.attempt]: "1", // B2: if there were attempts, the journal has their number
          ...carriedHeaders(stored),
          [HEADERS.returned]: name,
        },
        // No message id: the server would answer a repeat with "duplicate" also when a host has taken the first one since, and
        // then the placed message would be the only one.
      });
      return true;
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
      const queued = await this.#tasks.last(subject, { fresh: true });
      return queued?.header(HEADERS.returned) === name;
    }
  }
}

/** Reads the address of a placed task of an earlier version, with and without class. Null for every other subject. */
function readOldPlaced(subject: string): PlacedAddress | null {
  const tokens = subject.split(".").slice(2);
  const [of = "", host = "", agent = "", scope = "", taskId = ""] =
    tokens.length === 4 ? [DEFAULT_CLASS, ...tokens] : tokens;
  if (tokens.length !== 4 && tokens.length !== 5) return null;
  const isAddress = isName(host) && isName(agent) && isToken(scope) && isName(taskId);
  return isAddress ? { class: of, host, agent, scope, taskId } : null;
}

function isPlacement(stored: Stored): boolean {
  try {
    readPlacement(stored.header(HEADERS.placement));
    return true;
  } catch {
    return false;
  }
}

/** The host in a placed subject, also in a malformed one. */
function hostOf(subject: string): HostRef {
  const [, , of = "", host = ""] = subject.split(".");
  return { class: of, host };
}
