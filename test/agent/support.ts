// Hosts on an in-memory server, and helpers to drive them: tasks, attempts, gates, mailbox requests, heartbeats.

import {
  type AgentContext,
  type AgentDefinition,
  createHost,
  defineAgent,
  type Host,
  type HostOptions,
} from "../../src/agent/index.ts";
import { createMeter, type RegisteredMeter, silentLogger } from "../../src/base/index.ts";
import { createSubjects, decode, type Heartbeat, makeHandOff, type Task } from "../../src/protocol/index.ts";
import { connectMemory, type Transport } from "../../src/transport/index.ts";
import type { Attempt, Slot } from "../../src/work/index.ts";

export const DEFAULTS = { priority: "normal", scope: "-", timeoutMs: 300_000, route: "queue" } as const;

/** Makes a task with defaults. */
export function makeTask(fields: Partial<Task & { id: string }> = {}): Task & { id: string } {
  return { id: "t1", capability: "echo", input: null, ...DEFAULTS, ...fields };
}

/** Makes an attempt that a test can abort, and that records its progress reports. */
export function makeAttempt(fields: { task?: Partial<Task & { id: string }>; number?: number } = {}) {
  const controller = new AbortController();
  const reports: [number, string | undefined][] = [];
  const attempt: Attempt = {
    task: makeTask(fields.task),
    number: fields.number ?? 1,
    key: fields.task?.id ?? "t1",
    deadlineMs: Date.now() + 60_000,
    signal: controller.signal,
    progress: (percent, note) => reports.push([percent, note]),
    step: async (name, _, work) => work({ name, effectKey: `t1/${name}` }),
    handOff: (request) => {
      throw makeHandOff(request, { agent: "test", hops: [], isQuestion: false });
    },
  };
  return { attempt, reports, abort: (reason: unknown) => controller.abort(reason) };
}

/** Starts a host of these agents, by default on an in-memory server of its own. */
export async function startHost(
  definitions: AgentDefinition | AgentDefinition[],
  options: Partial<HostOptions> & { transport?: Transport } = {},
): Promise<{ host: Host; transport: Transport; meter: RegisteredMeter; stop: () => Promise<void> }> {
  const transport = options.transport ?? connectMemory({ prefix: "murmur" });
  const meter = createMeter();
  const host = createHost({
    transport,
    meter,
    log: silentLogger,
    hostId: "host-1",
    role: "test",
    version: "1.2.3",
    roles: [definitions].flat().map((definition) => ({ definition })),
    ...options,
  });
  await host.service.start();
  return {
    host,
    transport,
    meter,
    stop: async () => {
      await host.service.stop();
      await transport.close();
    },
  };
}

export const subjects = createSubjects("murmur");

/** Takes a slot, or fails the test. */
export function takeSlot(host: Host, capability: string): Slot {
  const slot = host.workforce.take(capability);
  if (slot === null) throw new Error(`no free slot for ${capability}`);
  return slot;
}

/** Performs a task as the worker does: take, perform, release. */
export async function perform(host: Host, input: unknown, capability = "echo"): Promise<unknown> {
  const slot = takeSlot(host, capability);
  try {
    return await slot.perform(makeAttempt({ task: { input, capability } }).attempt);
  } finally {
    slot.release();
  }
}

/** Resolves when `condition` is true, checked each turn of the event loop; fails after 60 s. */
export async function until(condition: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > deadlineMs) throw new Error(`still false after 60 s: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Defines an agent of capability `echo`. By default it returns its input. */
export const defineEcho = (
  run: (input: unknown, ctx: AgentContext) => unknown = (input) => input,
  facts: { slots?: number; name?: string } = {},
): AgentDefinition =>
  defineAgent({ name: "echo", capabilities: ["echo"], run: (task, ctx) => run(task.input, ctx), ...facts });

/** Makes a gate at which attempts wait: `arrived` counts them, `open` lets all of them pass. */
export function makeGate() {
  const opened = Promise.withResolvers<void>();
  const gate = {
    arrived: 0,
    open: () => opened.resolve(),
    pass: async (input: unknown) => {
      gate.arrived++;
      await opened.promise;
      return input;
    },
  };
  return gate;
}

export const linkOf = (transport: Transport) => ({ bus: transport.bus, subjects });

/** Sends a verb to an agent's mailbox and returns the reply. */
export async function sendVerb(transport: Transport, agentId: string, verb: string, agentClass = "default") {
  const reply = await transport.bus.request(
    subjects.agent({ class: agentClass, agent: agentId }, verb),
    new Uint8Array(),
    {
      timeoutMs: 60_000,
    },
  );
  return decode(reply.data).value as Record<string, unknown>;
}

/** Collects all heartbeats from now on. */
export function collectHeartbeats(transport: Transport) {
  const beats: (Heartbeat & { subject: string })[] = [];
  transport.bus.subscribe(subjects.filters.allHeartbeats, ({ subject, data }) => {
    beats.push({ subject, ...(decode(data).value as Heartbeat) });
  });
  return beats;
}
