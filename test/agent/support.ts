// A host on an in-memory server, with what its tests need to drive it.

import { type AgentDefinition, createHost, type Host, type HostOptions } from "../../src/agent/index.ts";
import { createMeter, type Meter, silentLogger } from "../../src/base/index.ts";
import { createSubjects, makeHandOff, type Task } from "../../src/protocol/index.ts";
import { connectMemory, type Transport } from "../../src/transport/index.ts";
import type { Attempt, Slot } from "../../src/work/index.ts";

export const DEFAULTS = { priority: "normal", scope: "-", timeoutMs: 300_000, route: "queue" } as const;

/** A task with defaults. */
export function makeTask(fields: Partial<Task & { id: string }> = {}): Task & { id: string } {
  return { id: "t1", capability: "echo", input: null, ...DEFAULTS, ...fields };
}

/** An attempt that can be aborted and remembers its progress. */
export function makeAttempt(fields: { task?: Partial<Task & { id: string }>; number?: number } = {}) {
  const controller = new AbortController();
  const reports: [number, string | undefined][] = [];
  const attempt: Attempt = {
    task: makeTask(fields.task),
    number: fields.number ?? 1,
    deadlineMs: Date.now() + 60_000,
    signal: controller.signal,
    progress: (percent, note) => reports.push([percent, note]),
    handOff: (request) => {
      throw makeHandOff(request, { agent: "test", hops: [], isQuestion: false });
    },
  };
  return { attempt, reports, abort: (reason: unknown) => controller.abort(reason) };
}

/** A started host of these agents on a server of its own. */
export async function startHost(
  definitions: AgentDefinition | AgentDefinition[],
  options: Partial<HostOptions> & { transport?: Transport } = {},
): Promise<{ host: Host; transport: Transport; meter: Meter; stop: () => Promise<void> }> {
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

/** Takes a slot or fails the test. */
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

/** Resolves when `condition` holds, looking again each turn of the event loop; fails after 60 s. */
export async function until(condition: () => boolean): Promise<void> {
  const givesUpAtMs = Date.now() + 60_000;
  while (!condition()) {
    if (Date.now() > givesUpAtMs) throw new Error(`still not: ${condition}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
