// Load on a swarm, and the watch of its office, while a test disturbs it. Owns the counts: lost and late tasks, and the longest time
// without an answer of the office.
import { createMeter, silentLogger, sleep } from "../../src/base/index.ts";
import { connect } from "../../src/client/index.ts";
import { createOfficeClient } from "../../src/coordinator/index.ts";
import { ACK_WAIT_MS } from "../../src/protocol/index.ts";
import { connectNats } from "../../src/transport/index.ts";

/** How long the end of a task is awaited, in ms. A task without an end by then is lost. */
const END_TIMEOUT_MS = 90_000;
/** The pause between two questions to the office, in ms: the precision of the longest gap. */
const OFFICE_PAUSE_MS = 10;
/** A task that lasts this long waited for the redelivery of a message whose holder died without giving it back. */
const LATE_MS = ACK_WAIT_MS;

/** The counts of a flow of tasks. */
export interface FlowReport {
  readonly submitted: number;
  readonly completed: number;
  readonly failed: number;
  readonly lost: number;
  /** Tasks that took longer than the ack-wait: they were redelivered by timeout. */
  readonly late: number;
  readonly slowestMs: number;
  readonly tasksPerSecond: number;
}

/** Submits tasks of `echo` until `stop`, `perSecond` of them each second, and awaits the end of each. */
export async function startFlow(
  servers: string,
  { perSecond, limit = Number.POSITIVE_INFINITY }: { perSecond: number; limit?: number },
): Promise<{ stop(): Promise<FlowReport>; done: Promise<void> }> {
  const client = await connect({ servers, name: "murmur-test-flow" });
  const open = new Set<Promise<void>>();
  const counts = { submitted: 0, completed: 0, failed: 0, lost: 0, late: 0, slowestMs: 0 };
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
    } catch {
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
      return { ...counts, tasksPerSecond: Math.round(counts.completed / seconds) };
    },
  };
}

/** Asks the office without pause until `stop`, which tells the longest time between two answers, in ms, and the leaders. */
export async function watchOffice(
  servers: string,
): Promise<{ leader(): Promise<string | null>; stop(): Promise<{ gapMs: number; answers: number }> }> {
  const transport = await connectNats({
    servers,
    name: "murmur-test-office",
    prefix: "murmur",
    log: silentLogger,
    meter: createMeter(),
  });
  const office = createOfficeClient({ transport });
  let isStopping = false;
  let answers = 0;
  let gapMs = 0;
  const ask = async () => {
    let lastMs = performance.now();
    while (!isStopping) {
      const answer = await office.readNow("locks", {}).catch(() => null);
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
      return { gapMs: Math.round(gapMs), answers };
    },
  };
}
