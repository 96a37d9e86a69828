// The bare loop that `murmur bench` compares Murmur with: the same publishes, consumes and acks, written with the NATS
// client alone as a plain program would write them. No schema, no metrics, no lifecycle, no retry. Only the benchmark
// uses it.

import type { JsMsg } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";
import { utf8Text } from "../base/index.ts";
import { DEFAULT_CLASS, lastToken, placedStream } from "../protocol/index.ts";
import { startSubject } from "./bare-engine.ts";

/** Loads the JetStream client at the first use: Murmur itself does not need it. */
const loadJetStream = () => import("@nats-io/jetstream");

/** The settings of a bare loop. */
export interface BareLoop {
  servers: string;
  prefix: string;
  capability: string;
  /** The number of tasks in flight. */
  inFlight: number;
}

/** A loop of a number of jobs. */
interface CountedLoop extends BareLoop {
  count: number;
  /** Called at the end of each job, so that the benchmark sees a loop that waits for a lost message. */
  onJob: () => void;
}

/**
 * Publishes `count` tasks, `inFlight` at a time, and waits for each `done` message. `isWorkflow`: starts runs of workflows in the place of
 * tasks. Resolves to latencies in ms.
 */
export async function publishBare(
  loop: CountedLoop & { body: Uint8Array; runId: string; isWorkflow?: boolean },
): Promise<Float64Array> {
  const { prefix, capability, count, runId, onJob, isWorkflow = false } = loop;
  const subjectOf = (id: string) =>
    isWorkflow ? startSubject(prefix, id) : `${prefix}.task.${capability}.normal.-.${id}`;
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  const { jetstream } = await loadJetStream();
  const js = jetstream(nc);
  const startedMs = new Float64Array(count);
  const latencies = new Float64Array(count);
  let next = 0;
  let done = 0;
  await new Promise<void>((resolve, reject) => {
    const publishNext = () => {
      const index = next++;
      if (index >= count) return;
      startedMs[index] = performance.now();
      const id = `${runId}-${index}`;
      js.publish(subjectOf(id), loop.body, { msgID: id }).catch(reject);
    };
    nc.subscribe(`${prefix}.done.${isWorkflow ? "workflow" : capability}.-.*`, {
      callback: (_error, message) => {
        const id = lastToken(message.subject);
        const index = Number(id.slice(runId.length + 1));
        latencies[index] = performance.now() - startedMs[index]!;
        onJob();
        if (++done === count) resolve();
        else publishNext();
      },
    });
    for (let started = 0; started < loop.inFlight; started++) publishNext();
  });
  await nc.close();
  return latencies;
}

/** Consumes tasks until the signal aborts: stores the result of each (the first writer wins), then acks it. */
export async function performBare(
  loop: BareLoop & { signal: AbortSignal; onReady: () => void },
): Promise<void> {
  const { prefix, capability } = loop;
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  const stream = `${prefix.toUpperCase()}_TASKS`;
  const name = `${capability}-normal`;
  const { jetstream, jetstreamManager } = await loadJetStream();
  const manager = await jetstreamManager(nc);
  await manager.consumers.add(stream, {
    durable_name: name,
    filter_subject: `${prefix}.task.${capability}.normal.>`,
    ack_policy: "explicit",
    max_ack_pending: 100_000,
  });
  const js = jetstream(nc);
  const consumer = await js.consumers.get(stream, name);
  const consuming = await consumer.consume({
    max_messages: loop.inFlight,
    callback: (message) => {
      const taskId = lastToken(message.subject);
      const task = JSON.parse(utf8Text(message.data)) as { input: unknown };
      const now = new Date().toISOString();
      const result = JSON.stringify({
        taskId,
        status: "completed",
        output: task.input,
        attempt: 1,
        agent: "bare",
        startedAt: now,
        finishedAt: now,
        queuedMs: 0,
        ranMs: 0,
      });
      js.publish(`${prefix}.result.${capability}.-.${taskId}`, result, {
        expect: { lastSubjectSequence: 0 },
      }).then(() => message.ack());
    },
  });
  loop.onReady();
  await new Promise<void>((resolve) =>
    loop.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  await consuming.close();
  await nc.close();
}

/**
 * Appends as the steps of `count` tasks do, `inFlight` tasks at a time: `steps` records each, one after the other, and each with the
 * last sequence as the expectation; then one record that replaces them. Resolves to the latency of each append in ms.
 */
export async function stepBare(
  loop: CountedLoop & { steps: number; body: Uint8Array; runId: string },
): Promise<Float64Array> {
  const { prefix, capability, count, steps, body, runId, onJob } = loop;
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  const { jetstream } = await loadJetStream();
  const js = jetstream(nc);
  const latencies = new Float64Array(count * steps);
  const replacing = headers();
  replacing.set("Nats-Rollup", "sub");
  let next = 0;
  let done = 0;
  const work = async () => {
    for (let index = next++; index < count; index = next++) {
      const subject = `${prefix}.journal.${capability}.${runId}-${index}`;
      let lastSubjectSequence = 0;
      for (let step = 0; step < steps; step++) {
        const startedMs = performance.now();
        const { seq } = await js.publish(subject, body, { expect: { lastSubjectSequence } });
        latencies[done++] = performance.now() - startedMs;
        lastSubjectSequence = seq;
      }
      await js.publish(subject, body, { headers: replacing });
      onJob();
    }
  };
  await Promise.all(Array.from({ length: loop.inFlight }, work));
  await nc.close();
  return latencies;
}

/** Answers each request on the ask subject with the request's own body, until the signal aborts. */
export async function respondBare(
  loop: BareLoop & { signal: AbortSignal; onReady: () => void },
): Promise<void> {
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  nc.subscribe(`${loop.prefix}.ask.${loop.capability}`, {
    queue: "bare",
    callback: (_error, message) => {
      message.respond(JSON.stringify(JSON.parse(utf8Text(message.data))));
    },
  });
  await nc.flush();
  loop.onReady();
  await new Promise<void>((resolve) =>
    loop.signal.addEventListener("abort", () => resolve(), { once: true }),
  );
  await nc.close();
}

/** Sends `count` requests, `inFlight` at a time. Resolves to latencies in ms. */
export async function askBare(loop: CountedLoop & { body: Uint8Array }): Promise<Float64Array> {
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  const subject = `${loop.prefix}.ask.${loop.capability}`;
  const latencies = new Float64Array(loop.count);
  let next = 0;
  const sendInTurn = async () => {
    for (let index = next++; index < loop.count; index = next++) {
      const startedMs = performance.now();
      const reply = await nc.request(subject, loop.body, { timeout: 10_000 });
      JSON.parse(utf8Text(reply.data));
      latencies[index] = performance.now() - startedMs;
      loop.onJob();
    }
  };
  await Promise.all(Array.from({ length: loop.inFlight }, sendInTurn));
  await nc.close();
  return latencies;
}

/** The seats of a ballot in the benchmark, and the number of equal answers that decides it. */
const BARE_SEATS = 5;
const BARE_MAJORITY = 3;

/** Hands tasks over to the process of `decideBare`, and answers the questions that `decideBare` publishes, until the abort. */
export async function voteBare(loop: BareLoop & { signal: AbortSignal; onReady: () => void }): Promise<void> {
  const { prefix, capability } = loop;
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  const { jetstream, jetstreamManager } = await loadJetStream();
  const manager = await jetstreamManager(nc);
  const js = jetstream(nc);
  const consume = async (
    { stream, name, filter }: { stream: string; name: string; filter: string },
    callback: (message: JsMsg) => void,
  ) => {
    await manager.consumers.add(stream, {
      durable_name: name,
      filter_subject: filter,
      ack_policy: "explicit",
      max_ack_pending: 100_000,
    });
    return (await js.consumers.get(stream, name)).consume({ max_messages: loop.inFlight, callback });
  };
  const queue = {
    stream: `${prefix.toUpperCase()}_TASKS`,
    name: `${capability}-normal`,
    filter: `${prefix}.task.${capability}.normal.>`,
  };
  const tasks = await consume(queue, (message) => {
    const taskId = lastToken(message.subject);
    const { input } = JSON.parse(utf8Text(message.data)) as { input: unknown };
    nc.request(`${prefix}.office.ballot-open`, JSON.stringify({ taskId, input }), { timeout: 10_000 }).then(
      () => message.ack(),
    );
  });
  const placed = {
    stream: placedStream(prefix, DEFAULT_CLASS),
    name: "bare",
    filter: `${prefix}.placed.${DEFAULT_CLASS}.bare.>`,
  };
  const questions = await consume(placed, (message) => {
    const [, , , , , scope, taskId] = message.subject.split(".");
    const { input } = JSON.parse(utf8Text(message.data)) as { input: unknown };
    const now = new Date().toISOString();
    const result = { taskId, status: "completed", output: input, attempt: 1, agent: "bare", startedAt: now };
    js.publish(`${prefix}.result.${capability}.w00.${scope}-${taskId}`, JSON.stringify(result)).then(() =>
      message.ack(),
    );
  });
  await serveUntil(loop, async () => {
    await tasks.close();
    await questions.close();
    await nc.close();
  });
}

/** Asks five seats about each task that `voteBare` hands over, and publishes the answer that three of them give. */
export async function decideBare(
  loop: BareLoop & { signal: AbortSignal; onReady: () => void },
): Promise<void> {
  const { prefix, capability } = loop;
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  const { jetstream } = await loadJetStream();
  const js = jetstream(nc);
  const counts = new Map<string, number>();
  nc.subscribe(`${prefix}.office.ballot-open`, {
    callback: (_error, message) => {
      const { taskId, input } = JSON.parse(utf8Text(message.data)) as { taskId: string; input: unknown };
      counts.set(taskId, 0);
      message.respond("{}");
      for (let seat = 1; seat <= BARE_SEATS; seat++) {
        const body = JSON.stringify({ capability, input });
        void js.publish(`${prefix}.placed.${DEFAULT_CLASS}.bare.a${seat}.${taskId}.s${seat}`, body, {
          msgID: `${taskId}-s${seat}`,
        });
      }
    },
  });
  nc.subscribe(`${prefix}.done.${capability}.w00.*`, {
    callback: (_error, message) => {
      const id = lastToken(message.subject);
      const taskId = id.slice(0, id.lastIndexOf("-"));
      const { output } = JSON.parse(utf8Text(message.data)) as { output: unknown };
      const count = (counts.get(taskId) ?? 0) + 1;
      counts.set(taskId, count);
      if (count === BARE_SEATS) counts.delete(taskId);
      if (count !== BARE_MAJORITY) return;
      const verdict = JSON.stringify({ taskId, status: "completed", output, verdict: { value: output } });
      void js.publish(`${prefix}.result.${capability}.-.${taskId}`, verdict);
    },
  });
  await nc.flush();
  await serveUntil(loop, () => nc.close());
}

/**
 * Listens for one whole heartbeat of a host under the prefix. Then encodes and publishes the same values every
 * `intervalMs`, until the process ends. Resolves when the first heartbeat is known. `intervalMs` is also the interval of
 * the host.
 */
export async function beatBare(loop: { servers: string; prefix: string; intervalMs: number }): Promise<void> {
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  const beats = new Map<string, unknown[]>();
  const subscription = nc.subscribe(`${loop.prefix}.heartbeat.>`, {
    callback: (_error, message) => {
      const value = JSON.parse(utf8Text(message.data)) as { at: string };
      beats.set(value.at, [...(beats.get(value.at) ?? []), value]);
    },
  });
  // All messages of one heartbeat have the same time. An early heartbeat of a few agents has fewer messages.
  await new Promise((resolve) => setTimeout(resolve, loop.intervalMs * 1.5));
  subscription.unsubscribe();
  const values = [...beats.values()].sort((a, b) => b.length - a.length)[0];
  if (values === undefined) throw new Error(`expected a heartbeat under ${loop.prefix}, but none came`);
  beats.clear();
  setInterval(() => {
    for (const value of values) nc.publish(`${loop.prefix}.bare-heartbeat`, JSON.stringify(value));
  }, loop.intervalMs);
}

async function serveUntil(
  { signal, onReady }: { signal: AbortSignal; onReady: () => void },
  stop: () => Promise<unknown>,
): Promise<void> {
  onReady();
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await stop();
}
