// The bare counterpart of an engine, for `murmur bench`: it makes the same appends, publishes, pulls and acks for a run of some steps, one
// after the other, with the NATS client alone.
import type { JsMsg } from "@nats-io/jetstream";
import { connect, headers } from "@nats-io/transport-node";
import { utf8Text } from "../base/index.ts";
import { lastToken } from "../protocol/index.ts";

/** The one lane of the bare loop. */
const LANE = "w00";
/** The digits that make an entry as long as one of a run of five steps. */
const PADDING = "0".repeat(300);

/** The subject of the command that starts a run. */
export function startSubject(prefix: string, id: string): string {
  return `${prefix}.flow.${LANE}.${id}.start`;
}

/**
 * Runs each started run: on the start and on each result one append, fenced by the one before, then the task of the next step, then the ack. The
 * last entry replaces the others, and the end is a result of the capability `workflow`. Until the signal aborts.
 */
export async function engineBare(loop: {
  servers: string;
  prefix: string;
  capability: string;
  inFlight: number;
  steps: number;
  signal: AbortSignal;
  onReady: () => void;
}): Promise<void> {
  const { prefix, capability, steps, signal } = loop;
  const nc = await connect({ servers: loop.servers, noAsyncTraces: true });
  const { jetstream, jetstreamManager } = await import("@nats-io/jetstream");
  const manager = await jetstreamManager(nc);
  const js = jetstream(nc);
  const runs = new Map<string, { tip: number; input: unknown }>();
  const replacing = headers();
  replacing.set("Nats-Rollup", "sub");

  const advance = async (id: string, done: number, output: unknown) => {
    const run = runs.get(id)!;
    const isLast = done === steps;
    const entry = JSON.stringify({
      id,
      entry: done + 1,
      at: new Date().toISOString(),
      output,
      chain: PADDING,
    });
    const expect = { lastSubjectSequence: run.tip };
    const options = isLast ? { expect, headers: replacing } : { expect };
    run.tip = (await js.publish(`${prefix}.workflow.${LANE}.${id}`, entry, options)).seq;
    if (isLast) {
      runs.delete(id);
      const end = JSON.stringify({ taskId: id, status: "completed", output, attempt: 1, agent: "workflow" });
      await js.publish(`${prefix}.result.workflow.-.${id}`, end, { expect: { lastSubjectSequence: 0 } });
      return;
    }
    const task = JSON.stringify({ capability, input: run.input, scope: id });
    await js.publish(`${prefix}.task.${capability}.normal.${id}.${id}-${done + 1}`, task);
  };

  const consume = async (stream: string, filter: string, onMessage: (message: JsMsg) => Promise<void>) => {
    const name = "bare-engine";
    await manager.consumers.add(`${prefix.toUpperCase()}_${stream}`, {
      durable_name: name,
      filter_subject: filter,
      ack_policy: "explicit",
      max_ack_pending: 100_000,
    });
    const consumer = await js.consumers.get(`${prefix.toUpperCase()}_${stream}`, name);
    return consumer.consume({
      max_messages: loop.inFlight,
      callback: (message) => void onMessage(message).then(() => message.ack()),
    });
  };
  const starts = await consume("FLOW", `${prefix}.flow.${LANE}.*.*`, async (message) => {
    const id = message.subject.split(".").at(-2)!;
    const { input } = JSON.parse(utf8Text(message.data)) as { input: unknown };
    runs.set(id, { tip: 0, input });
    await advance(id, 0, null);
  });
  const results = await consume("RESULTS", `${prefix}.result.${capability}.-.*`, async (message) => {
    const taskId = lastToken(message.subject);
    const at = taskId.lastIndexOf("-");
    const { output } = JSON.parse(utf8Text(message.data)) as { output: unknown };
    await advance(taskId.slice(0, at), Number(taskId.slice(at + 1)), output);
  });
  loop.onReady();
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  await starts.close();
  await results.close();
  await nc.close();
}
