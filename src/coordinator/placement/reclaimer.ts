// Brings placed tasks back to the queue when their agent is gone, or is about to go and has not begun them: whoever
// receives them there asks for a new place. Owns the order of the steps; which agent is next is asked anew, like the first
// time.
//
// B1  First the task is published to its queue, then its placed message is deleted: after a crash between the two whoever
//     holds the office next finds the placed message and does the same again. The task may run twice and has one result.
// B2  A returned task says so (`Murmur-Attempt`): whoever gets it looks for its result before it begins.
// B3  Every placed message is looked at when the office is taken and every ten seconds, so that it does not matter
//     which news was missed, nor that a task was placed on an agent in the moment in which that left.
// B4  A task whose queue still holds the message that it was placed from is left to the next look: its hand-over is under
//     way or broke off, and whoever gets that message takes the placed one for its new place and acks.
// B5  What is no placed task goes to the dead letters, as at a host that lives; nobody else would ever look at it.
import {
  createService,
  type Logger,
  type Meter,
  type Service,
  systemChance,
  systemClock,
} from "../../base/index.ts";
import {
  createSubjects,
  encode,
  HEADERS,
  type PlacedAddress,
  readPlacement,
  SwarmError,
} from "../../protocol/index.ts";
import type { Stored, Transport } from "../../transport/index.ts";
import { buryUnreadable, carriedHeaders, createResultStore, readPlacedTask } from "../../work/index.ts";
import type { Office } from "../office/office.ts";
import { isLeaving } from "../registry/availability.ts";
import type { AgentAddress, Registrar } from "../registry/registrar.ts";

/** How often all placed messages are looked at, in ms. One request to the stream, as long as there are few. */
const SWEEP_INTERVAL_MS = 10_000;
/** Placed messages that are looked at in one go; of more, the rest is the next look's. */
const MAX_PER_SWEEP = 10_000;
/** Tasks that are brought back at the same time. */
const MAX_RECLAIMS_IN_FLIGHT = 16;
/**
 * How long hosts have to say that they run a task, in ms. They answer from memory; but what runs on a host that is held up for
 * longer runs twice, while of an agent that leaves, the tasks that wait only come back a second later, sixteen at a time.
 */
const LOCATE_TIMEOUT_MS = 1_000;

/** Brings placed tasks back while the office is held here. */
export function createReturning(parts: {
  transport: Transport;
  office: Office;
  registrar: Registrar;
  /** The task is not where it was placed any more. */
  onReturned: (taskId: string) => void;
  /** The message puts a ballot's question: whoever asks it finds another agent for the seat. */
  onQuestion: (at: PlacedAddress) => void;
  log: Logger;
  meter: Meter;
}): Service {
  const { transport, office, registrar, log, meter } = parts;
  const subjects = createSubjects(transport.prefix);
  const tasks = transport.log("tasks");
  const outcomes = createResultStore({
    transport,
    subjects,
    meter,
    clock: systemClock,
    chance: systemChance,
  });
  const gone = new Map<string, AgentAddress>();
  let isWholeDue = false;
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | null = null;
  let isStopped = false;

  /** What is to be done with the tasks of an agent. `waiting`: those that do not run come back. */
  function judge({ host, agent }: PlacedAddress): "stay" | "waiting" | "all" {
    const member = office.state.registry.members.get(agent);
    if (member?.profile.host !== host) return registrar.isHeard(agent) ? "stay" : "all";
    const status = registrar.statusOf(member);
    return status !== null && isLeaving(status) ? "waiting" : "stay";
  }

  async function look(filter: string): Promise<void> {
    const found = await tasks.subjects(filter, { max: MAX_PER_SWEEP });
    const due = [...found.keys()].filter((subject) => {
      const at = subjects.readPlaced(subject);
      return at === null ? !hasAgents(hostOf(subject)) : judge(at) !== "stay";
    });
    for (let from = 0; from < due.length && isInOffice(); from += MAX_RECLAIMS_IN_FLIGHT) {
      await Promise.all(due.slice(from, from + MAX_RECLAIMS_IN_FLIGHT).map(bringBack));
    }
  }

  const isInOffice = () => office.tenure !== null && !isStopped;
  const hasAgents = (host: string) => office.state.registry.byHost.has(host);

  async function bringBack(subject: string): Promise<void> {
    const at = subjects.readPlaced(subject);
    try {
      const stored = await tasks.last(subject, { fresh: true });
      if (stored === null || !isInOffice()) return;
      if (at === null || readPlacedTask(subjects, stored) === null) return await bury(stored); // B5
      if (judge(at) === "waiting" && (await runs(at.taskId))) return;
      if (stored.header(HEADERS.ballot) !== undefined) return parts.onQuestion(at);
      if (!(await publish(stored, at))) return; // B1, B4
      await tasks.delete(stored.seq);
      parts.onReturned(at.taskId);
      log.info({ taskId: at.taskId, agent: at.agent, host: at.host }, "a placed task went back to the queue");
    } catch (error) {
      log.warn({ err: error, subject }, "a placed task could not be brought back; it is looked at again");
    }
  }

  async function bury(stored: Stored): Promise<void> {
    if (hasAgents(hostOf(stored.subject))) return; // that host does it
    const { taskId, error } = await buryUnreadable(outcomes, stored, systemClock.now());
    await tasks.delete(stored.seq);
    log.warn({ letter: taskId, err: error }, "an unreadable placed task went to the dead letters");
  }

  async function runs(taskId: string): Promise<boolean> {
    const options = { timeoutMs: LOCATE_TIMEOUT_MS, max: 1 };
    return (await transport.bus.scatter(subjects.where(taskId), encode({}), options)).length > 0;
  }

  /** Publishes the task to its queue, once; false when its queue holds what it was placed from (B4). */
  async function publish(stored: Stored, { scope, taskId }: PlacedAddress): Promise<boolean> {
    const { capability, priority } = readPlacement(stored.header(HEADERS.placement));
    const subject = subjects.task({ capability, priority, scope, taskId });
    try {
      await tasks.append(subject, stored.data, {
        headers: {
          [HEADERS.attempt]: "1", // B2: the journal knows better, where it knows anything
          ...carriedHeaders(stored),
          [HEADERS.returned]: String(stored.seq),
        },
        messageId: `returned-${taskId}-${stored.seq}`,
      });
      return true;
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
      const queued = await tasks.last(subject, { fresh: true });
      return queued?.header(HEADERS.returned) === String(stored.seq);
    }
  }

  /** Consumers of hosts without agents: nothing will come to them, and nobody pulls. */
  async function dropConsumers(hosts: ReadonlySet<string>): Promise<void> {
    for (const host of hosts) {
      if (hasAgents(host)) continue;
      await transport.queue("tasks").deleteConsumer(`placed-${host}`);
    }
  }

  async function lookAtAll(): Promise<void> {
    while (isInOffice() && (isWholeDue || gone.size > 0)) {
      const agents = [...gone.values()];
      gone.clear();
      if (isWholeDue) {
        isWholeDue = false;
        await registrar.knowsWhoLives();
        await look(subjects.filters.allPlaced);
      } else {
        for (const { host, id } of agents) await look(subjects.filters.placedOnAgent(host, id));
      }
      await dropConsumers(new Set(agents.map(({ host }) => host)));
    }
  }

  function start(): void {
    looking ??= lookAtAll()
      .catch((error: unknown) => log.warn({ err: error }, "placed tasks are looked at again later"))
      .finally(() => {
        looking = null;
      });
  }

  function startWhole(): void {
    isWholeDue = true;
    start();
  }

  return createService({
    name: "returning",
    start() {
      office.onTenure((tenure) => {
        gone.clear();
        if (tenure !== null) startWhole();
      });
      registrar.onGone((agents) => {
        // More than one look can take is the business of a look at all.
        if (gone.size + agents.length > MAX_RECLAIMS_IN_FLIGHT) isWholeDue = true;
        for (const agent of agents) if (gone.size < MAX_PER_SWEEP) gone.set(agent.id, agent);
        start();
      });
      timer = setInterval(() => {
        if (isInOffice()) startWhole();
      }, SWEEP_INTERVAL_MS);
    },
    async stop() {
      isStopped = true;
      clearInterval(timer);
      await looking;
    },
  });
}

/** The host of a placed subject, whatever else stands in it. */
function hostOf(subject: string): string {
  return subject.split(".")[2] ?? "";
}
