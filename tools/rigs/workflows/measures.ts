// The measurements of workflows: handovers, large maps, long logs, sleeping runs, lists, and the memory of the server.
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { sleep } from "../../../src/base/index.ts";
import { ownerOf, showSummary } from "../../../src/engine/index.ts";
import { createSubjects, HEADERS, laneOf } from "../../../src/protocol/index.ts";
import { Decider, emptyFold } from "../../../src/workflow/index.ts";
import { atMost, type Figure, makeFigure } from "../office/figures.ts";
import { definitions, STEPS } from "./definitions.ts";
import { startWorkflowWorld, type WorkflowWorld } from "./world.ts";

const MIB = 1024 * 1024;
/** The starts and the raw appends in flight. */
const IN_FLIGHT = 256;
/** The wait before memory is measured, in ms: the server and the engine finish their work. */
const SETTLE_MS = 3_000;
/** The wait until the server keeps only what it must, in ms: its window of duplicates is two minutes long. */
const FORGET_MS = 130_000;

type Tell = (text: string) => void;

/** Runs `job` for each number from 0, `inFlight` at a time. */
async function forEach(
  count: number,
  job: (at: number) => Promise<unknown>,
  inFlight = IN_FLIGHT,
): Promise<void> {
  let next = 0;
  const work = async () => {
    for (let at = next++; at < count; at = next++) await job(at);
  };
  await Promise.all(Array.from({ length: Math.min(inFlight, count) }, work));
}

async function within<T>(use: (world: WorkflowWorld) => Promise<T>): Promise<T> {
  const world = await startWorkflowWorld();
  return use(world).finally(() => world.stop());
}

/** The gaps in the events of the runs of an engine that ends: by a kill, or politely. */
export async function measureHandovers(
  options: { kills: number; stops: number; runs: number },
  tell: Tell,
): Promise<Figure[]> {
  return within(async (world) => {
    const { swarm, client } = world;
    const transport = await swarm.swarm.connect();
    const last = new Map<string, number>();
    const waits = new Map<string, (gapMs: number) => void>();
    transport.bus.subscribe(createSubjects(swarm.prefix).filters.events({}), ({ subject }) => {
      const [kind, id = "", event] = subject.split(".").slice(-3);
      if (kind !== "workflow" || event !== "step-finished") return;
      const nowMs = performance.now();
      waits.get(id)?.(nowMs - (last.get(id) ?? nowMs));
      waits.delete(id);
      last.set(id, nowMs);
    });
    const keep = await world.engine("keeper");
    const gaps = { SIGKILL: [] as number[], SIGTERM: [] as number[] };
    for (let round = 0; round < options.kills + options.stops; round++) {
      const signal = round < options.kills ? "SIGKILL" : "SIGTERM";
      const engine = await world.engine(`victim-${round}`);
      const ids = Array.from({ length: options.runs }, (_, at) => `r${round}-${at}`);
      await forEach(ids.length, (at) =>
        client.start({ id: ids[at], workflow: "chain", input: { steps: 100_000 } }),
      );
      await sleep(1_500);
      const engines = [keep.id, engine.id];
      const moved = ids.filter((id) => ownerOf(laneOf(id), engines) === engine.id);
      const gone = engine.end(signal);
      await gone; // Its last events came before.
      const took = moved.map((id) => new Promise<number>((resolve) => void waits.set(id, resolve)));
      gaps[signal].push(...(await Promise.all(took)));
      tell(`${signal} ${round + 1}: ${moved.length} runs moved`);
      await forEach(ids.length, (at) => client.send(ids[at]!, { type: "cancel", undo: false }));
      await sleep(500);
    }
    return [
      makeFigure({
        name: "kill -9 of an engine, until its runs go on",
        unit: "ms",
        values: gaps.SIGKILL,
        goal: { text: "≤ 2500 ms p50, ≤ 4000 ms p99", holds: ({ p50, p99 }) => p50 <= 2_500 && p99 <= 4_000 },
      }),
      makeFigure({
        name: "polite stop of an engine, until its runs go on",
        unit: "ms",
        values: gaps.SIGTERM,
        goal: atMost(500, "ms"),
      }),
    ];
  });
}

/** The time of an item of a map, and the memory of the engine. */
export async function measureMaps(sizes: readonly [number, number], tell: Tell): Promise<Figure[]> {
  return within(async (world) => {
    const engine = await world.engine("engine");
    const run = async (items: number) => {
      const startedMs = performance.now();
      await world.client.run({ workflow: "wide", input: { items } });
      const perItemMs = (performance.now() - startedMs) / items;
      tell(`map of ${items} items: ${perItemMs.toFixed(3)} ms an item`);
      return perItemMs;
    };
    const [small, large] = sizes;
    await run(small); // warm
    await sleep(SETTLE_MS);
    const smallMs = await run(small);
    await sleep(SETTLE_MS);
    const before = await engine.usage();
    const largeMs = await run(large);
    const during = await engine.usage();
    await sleep(SETTLE_MS);
    const after = await engine.usage();
    return [
      makeFigure({
        name: `time of an item in a map of ${large}, against ${small}`,
        unit: "×",
        values: [largeMs / smallMs],
        goal: atMost(1.3, "×"),
      }),
      makeFigure({
        name: `memory of the engine during a map of ${large} with 1 KiB outputs`,
        unit: "MiB more",
        values: [(during.peakBytes - before.rssBytes) / MIB],
        goal: atMost(64, "MiB"),
      }),
      makeFigure({
        name: "its heap after the run, against before",
        unit: "MiB more",
        values: [(after.heapBytes - before.heapBytes) / MIB],
        goal: atMost(8, "MiB"),
      }),
    ];
  });
}

/** The time to read and fold a long log. */
export async function measureFold(entries: number, tell: Tell): Promise<Figure[]> {
  return within(async ({ swarm, client }) => {
    const transport = await swarm.swarm.connect();
    const subject = createSubjects(swarm.prefix).workflow("long");
    const texts = makeLog("long", entries);
    for (const text of texts) await transport.log("workflows").append(subject, Buffer.from(text));
    tell(`log of ${texts.length} entries stored`);
    const values: number[] = [];
    for (let round = 0; round < 5; round++) {
      const startedMs = performance.now();
      await client.fold("long");
      values.push(performance.now() - startedMs);
    }
    return [
      makeFigure({
        name: `read and fold of ${entries} entries`,
        unit: "ms",
        values,
        goal: atMost(1_000, "ms"),
      }),
    ];
  });
}

/** The log of a run of many steps. */
function makeLog(id: string, entries: number): string[] {
  const decider = new Decider(emptyFold(id), definitions.find("chain") ?? null);
  const start = { type: "start" as const, name: "chain", version: 1, input: { steps: entries + 1 } };
  const texts = [decider.decide({ triggers: [{ type: "command", seq: 1, command: start }], nowMs: 1 }).text];
  for (let n = 1; texts.length < entries; n++) {
    const outcome = { status: "completed" as const, output: n };
    texts.push(decider.decide({ triggers: [{ type: "result", n, outcome }], nowMs: n }).text);
  }
  return texts;
}

/** The cost of sleeping runs, and the time until all of them are decided that come due at once. */
export async function measureSleepers(count: number, tell: Tell): Promise<Figure[]> {
  return within(async (world) => {
    const { swarm, client } = world;
    const engine = await world.engine("engine");
    const transport = await swarm.swarm.connect();
    let [ended, lastMs] = [0, 0];
    transport.bus.subscribe(createSubjects(swarm.prefix).filters.events({}), ({ subject }) => {
      if (!subject.endsWith(".completed")) return;
      ended++;
      lastMs = Date.now();
    });
    await client.run({ workflow: "chain", input: { steps: STEPS } }); // warm
    ended = 0;
    const before = await engine.usage();
    const untilMs = Date.now() + Math.max(60_000, count * 8);
    const startedMs = performance.now();
    await forEach(count, (at) => client.start({ id: `s${at}`, workflow: "sleeper", input: { untilMs } }));
    tell(`${count} runs started in ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
    await sleep(SETTLE_MS);
    const asleep = await engine.usage();
    const idleMs = 10_000;
    await sleep(idleMs);
    const later = await engine.usage();
    if (Date.now() > untilMs) throw new Error("the runs came due before the measurement ended; take fewer");
    await sleep(untilMs - Date.now());
    while (ended < count && Date.now() - untilMs < 120_000) await sleep(50);
    tell(`${ended} of ${count} runs ended`);
    if (ended < count) throw new Error(`${count - ended} runs did not wake`);
    return [
      makeFigure({
        name: `heap of the engine for ${count} sleeping runs`,
        unit: "MiB",
        values: [(asleep.heapBytes - before.heapBytes) / MIB],
        goal: { text: "< 50 MiB", holds: ({ max }) => max < 50 },
      }),
      makeFigure({
        name: "CPU time of the engine while they sleep",
        unit: "% of a core",
        values: [((later.cpuMs - asleep.cpuMs) / idleMs) * 100],
        goal: { text: "< 2 %", holds: ({ max }) => max < 2 },
      }),
      makeFigure({
        name: "from the time at which all are due, until all are decided",
        unit: "ms",
        values: [lastMs - untilMs],
        goal: atMost(5_000, "ms"),
      }),
    ];
  });
}

/** The time of a list over many runs. */
export async function measureList(count: number, tell: Tell): Promise<Figure[]> {
  return within(async ({ swarm, client }) => {
    const transport = await swarm.swarm.connect();
    const subjects = createSubjects(swarm.prefix);
    const summary = {
      name: "chain",
      version: 1,
      state: "completed" as const,
      generation: 1,
      entries: 6,
      bytes: 2_000,
    };
    await forEach(count, (at) => {
      const id = `run-${at}`;
      const headers = { [HEADERS.run]: showSummary({ id, ...summary }) };
      return transport
        .log("workflows")
        .append(subjects.workflow(id), Buffer.from("x".repeat(2_000)), { headers });
    });
    tell(`${count} logs stored`);
    const values: number[] = [];
    for (let round = 0; round < 5; round++) {
      const startedMs = performance.now();
      const { seen } = await client.list({}, 100);
      if (seen !== count) throw new Error(`the list has seen ${seen} of ${count} runs`);
      values.push(performance.now() - startedMs);
    }
    return [makeFigure({ name: `list over ${count} runs`, unit: "ms", values, goal: atMost(3_000, "ms") })];
  });
}

/**
 * The memory of the server for finished runs of five steps: its live heap, after the caches of written blocks are dropped and the ids of the tasks
 * have left the window of duplicates. The resident size shows the garbage collector of Go more than the runs.
 */
export async function measureServer(count: number, tell: Tell): Promise<Figure[]> {
  const profilePort = await findFreePort();
  const world = await startWorkflowWorld({ config: `prof_port: ${profilePort}` });
  const settle = async () => {
    tell(`waiting ${FORGET_MS / 1_000} s until the server has dropped its caches`);
    await sleep(FORGET_MS);
    return liveHeapOf(profilePort);
  };
  try {
    await world.engine("engine");
    const run = () => world.client.run({ workflow: "chain", input: { steps: STEPS } });
    await forEach(Math.ceil(count / 5), run, 64); // buffers of the server have grown
    const before = await settle();
    const startedMs = performance.now();
    await forEach(count, run, 64);
    tell(`${count} runs ended at ${((1_000 * count) / (performance.now() - startedMs)).toFixed(0)} a second`);
    const soonAfter = (await liveHeapOf(profilePort)) - before;
    const kept = (await settle()) - before;
    tell(`${(soonAfter / count / 1_024).toFixed(1)} KiB a run before the caches were dropped`);
    return [
      makeFigure({
        name: `live heap of nats-server for a finished run of ${STEPS} steps (${count} runs)`,
        unit: "KiB",
        values: [kept / count / 1_024],
        goal: atMost(2.5, "KiB"),
      }),
    ];
  } finally {
    await world.stop();
  }
}

/** The live heap of nats-server after a collection of its garbage, in bytes. */
async function liveHeapOf(profilePort: number): Promise<number> {
  const page = await fetch(`http://127.0.0.1:${profilePort}/debug/pprof/heap?gc=1&debug=1`);
  const [, bytes] = /# HeapAlloc = (\d+)/.exec(await page.text()) ?? [];
  if (bytes === undefined) throw new Error("expected HeapAlloc in the profile of nats-server");
  return Number(bytes);
}

async function findFreePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, "close");
  return port;
}
