// Load on a swarm, and the watch of its office, while a test disturbs it. Owns the counts: lost and late tasks, and the longest time
// without an answer of the office.
import { createMeter, silentLogger, sleep, utf8Text } from "../../src/base/index.ts";
import { type ConnectOptions, connect } from "../../src/client/index.ts";
import { createOfficeClient } from "../../src/coordinator/index.ts";
import { ACK_WAIT_MS, encode, toSwarmError } from "../../src/protocol/index.ts";
import { connectNats, type Transport } from "../../src/transport/index.ts";

/** How long the end of a task is awaited, in ms. A task without an end by then is lost. */
const END_TIMEOUT_MS = 90_000;
/** The pause between two questions to the office, in ms: the precision of the longest gap. */
const OFFICE_PAUSE_MS = 10;
/** A task that lasts this long may have waited for the redelivery of a message whose holder died without giving it back. */
const LATE_MS = ACK_WAIT_MS;
/** The longest wait for the counts of the consumers, in ms. */
const COUNTS_TIMEOUT_MS = 5_000;
/** The pause before the counts are read again, in ms. */
const COUNTS_PAUSE_MS = 500;
/** The most errors of a report, and the most characters of each: enough to see the causes. */
const MAX_ERRORS = 5;
const MAX_ERROR_CHARACTERS = 160;

/** The counts of a flow of tasks. */
export interface FlowReport {
  readonly submitted: number;
  readonly completed: number;
  readonly failed: number;
  readonly lost: number;
  /** Tasks that took longer than the ack-wait: they waited in the queue, or were redelivered by timeout. */
  readonly late: number;
  readonly slowestMs: number;
  readonly tasksPerSecond: number;
  /** The errors of lost tasks, the most frequent first, with their counts. */
  readonly errors: Readonly<Record<string, number>>;
}

/** Counts errors by their text, without the parts that differ from task to task. */
class ErrorCounts {
  readonly #counts = new Map<string, number>();

  add(error: unknown): void {
    const text = toSwarmError(error)
      .message.replace(/[0-9A-Z]{20,}/g, "ID")
      .slice(0, MAX_ERROR_CHARACTERS);
    this.#counts.set(text, (this.#counts.get(text) ?? 0) + 1);
  }

  list(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([, a], [, b]) => b - a).slice(0, MAX_ERRORS));
  }
}

/**
 * Submits tasks of `echo` until `stop`, `perSecond` of them each second, and awaits the end of each. `as`: the user, its key and the TLS of a
 * swarm with users.
 */
export async function startFlow(
  servers: string,
  {
    perSecond,
    limit = Number.POSITIVE_INFINITY,
    as = {},
  }: { perSecond: number; limit?: number; as?: ConnectOptions },
): Promise<{ stop(): Promise<FlowReport>; done: Promise<void> }> {
  const client = await connect({ ...as, servers, name: "murmur-test-flow" });
  const open = new Set<Promise<void>>();
  const counts = { submitted: 0, completed: 0, failed: 0, lost: 0, late: 0, slowestMs: 0 };
  const errors = new ErrorCounts();
  const startedMs = performance.now();
  let isStopping = false;
  const runOne = async (index: number) => {
    const beganMs = performance.now();
    try {
      const { status } = await client.run(
        { capability: "echo", input: { index } },
        { timeoutMs: END_TIMEOUT_MS },
      );
      if (status === "completed") counts.completed++;
      else counts.failed++;
    } catch (error) {
      errors.add(error);
      counts.lost++;
    }
    const tookMs = performance.now() - beganMs;
    counts.slowestMs = Math.max(counts.slowestMs, Math.round(tookMs));
    if (tookMs >= LATE_MS) counts.late++;
  };
  const pump = async () => {
    while (!isStopping && counts.submitted < limit) {
      const due = Math.min(limit, Math.ceil(((performance.now() - startedMs) / 1_000) * perSecond));
      while (counts.submitted < due) {
        const task = runOne(counts.submitted++).finally(() => open.delete(task));
        open.add(task);
      }
      await sleep(OFFICE_PAUSE_MS);
    }
    await Promise.all(open);
  };
  const done = pump();
  return {
    done,
    async stop() {
      isStopping = true;
      await done;
      const seconds = (performance.now() - startedMs) / 1_000;
      await client.close();
      return { ...counts, tasksPerSecond: Math.round(counts.completed / seconds), errors: errors.list() };
    },
  };
}

/** The deliveries of the task queues, counted by JetStream itself. */
export interface DeliveryReport {
  readonly deliveries: number;
  /** Deliveries that a host gave back. */
  readonly givenBack: number;
}

/** Counts the deliveries of all task queues until `stop`. A delivery that is neither the first of its task nor given back timed out. */
export async function countDeliveries(servers: string): Promise<{ stop(): Promise<DeliveryReport> }> {
  const transport = await connectTest(servers, "murmur-test-deliveries");
  let givenBack = 0;
  transport.bus.subscribe("$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED.MURMUR_TASKS.>", () => givenBack++);
  const count = async (): Promise<number> => {
    const reply = await transport.bus.request("$JS.API.CONSUMER.LIST.MURMUR_TASKS", encode({}), {
      timeoutMs: COUNTS_TIMEOUT_MS,
    });
    const { consumers, missing = [] } = JSON.parse(utf8Text(reply.data)) as {
      consumers: { delivered: { consumer_seq: number } }[];
      /** The consumers whose leader did not answer, which is so after a change of the leader. */
      missing?: string[] | null;
    };
    if ((missing ?? []).length === 0)
      return consumers.reduce((sum, { delivered }) => sum + delivered.consumer_seq, 0);
    await sleep(COUNTS_PAUSE_MS);
    return count();
  };
  const before = await count();
  return {
    async stop() {
      const deliveries = (await count()) - before;
      await transport.close();
      return { deliveries, givenBack };
    },
  };
}

function connectTest(servers: string, name: string): Promise<Transport> {
  return connectNats({ servers, name, prefix: "murmur", log: silentLogger, meter: createMeter() });
}

/** The answers of the office. */
export interface OfficeReport {
  readonly gapMs: number;
  readonly answers: number;
  readonly errors: Readonly<Record<string, number>>;
}

/** Asks the office without pause until `stop`, which tells the longest time between two answers, in ms, and the leaders. */
export async function watchOffice(
  servers: string,
): Promise<{ leader(): Promise<string | null>; stop(): Promise<OfficeReport> }> {
  const transport = await connectTest(servers, "murmur-test-office");
  const office = createOfficeClient({ transport });
  const errors = new ErrorCounts();
  let isStopping = false;
  let answers = 0;
  let gapMs = 0;
  const ask = async () => {
    let lastMs = performance.now();
    while (!isStopping) {
      const answer = await office.readNow("locks", {}).catch((error: unknown) => {
        errors.add(error);
        return null;
      });
      const nowMs = performance.now();
      if (answer !== null) {
        answers++;
        gapMs = Math.max(gapMs, nowMs - lastMs);
        lastMs = nowMs;
      }
      await sleep(OFFICE_PAUSE_MS);
    }
    gapMs = Math.max(gapMs, performance.now() - lastMs);
  };
  const asking = ask();
  return {
    leader: () =>
      office.tenure({ timeoutMs: 5_000 }).then(
        ({ leader }) => leader,
        () => null,
      ),
    async stop() {
      isStopping = true;
      await asking;
      await transport.close();
      return { gapMs: Math.round(gapMs), answers, errors: errors.list() };
    },
  };
}
