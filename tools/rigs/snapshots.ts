// Measures snapshots of the office:
//   node tools/rigs/snapshots.ts [--members 50000] [--rounds 5] [--entries 1000000] [--tail 20000]
// On a private nats-server. The first part measures how long the event loop of a holder with a large state is blocked while
// it makes snapshots (stallMs; stallCpuMs is the holder's own CPU time in it, which a loaded machine does not change; both also
// for a quiet second before), and how long commands take meanwhile. The second part measures how long a coordinator takes
// to lead: with an empty log, with a long log, and with a snapshot and a tail after it (cpuMs: of the whole process, including
// the load of its modules). Prints JSON; `--entries 0` skips the second part.
import { fork } from "node:child_process";
import { parseArgs } from "node:util";
import { createLogger, createMeter, newId, silentLogger, sleep } from "../../src/base/index.ts";
import { type LogEntry, sealEntry } from "../../src/consensus/index.ts";
import {
  createOffice,
  createOfficeClient,
  createOfficeServer,
  foundOffice,
  type Office,
  type OfficeClient,
} from "../../src/coordinator/index.ts";
import { createSubjects, encode, type Json } from "../../src/protocol/index.ts";
import { connectNats, type Log, type Transport } from "../../src/transport/index.ts";
import { startNatsServer } from "../../test/support/nats-server.ts";

/** Values that are set: as many as a swarm may hold. */
const NAMES = 1_000;
/** Commands in flight, during snapshots and without them. */
const IN_FLIGHT = 16;
/** How long commands are measured without a snapshot before each snapshot, in ms. */
const QUIET_MS = 1_000;
/** Appends in flight while a long log is written. */
const APPENDS = 1_000;
const MEMBERS_PER_COMMAND = 128;
const PATIENCE = { timeoutMs: 60_000 };

type OfficeCommand = Parameters<Office["submit"]>[1];

const { values } = parseArgs({
  options: {
    members: { type: "string", default: "50000" },
    rounds: { type: "string", default: "5" },
    entries: { type: "string", default: "1000000" },
    tail: { type: "string", default: "20000" },
    holder: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(
    `node tools/rigs/snapshots.ts: how long snapshots of the office block its event loop, and how long a coordinator takes to lead

  --members N   members of the office's state (default 50000)
  --rounds N    snapshots that are measured (default 5)
  --entries N   entries of the long log; 0 skips the second part (default 1000000)
  --tail N      entries after the snapshot (default 20000)
`,
  );
} else if (values.holder === undefined) await measure();
else await hold(values.holder);

async function measure(): Promise<void> {
  const entries = Number(values.entries);
  const report = {
    snapshot: await withSwarm(measureSnapshots),
    ...(entries === 0 ? {} : { start: await withSwarm((swarm) => measureStarts(swarm, entries)) }),
  };
  process.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
}

interface Swarm {
  readonly url: string;
  readonly transport: Transport;
}

async function withSwarm<T>(run: (swarm: Swarm) => Promise<T>): Promise<T> {
  const server = await startNatsServer();
  const transport = await connect(server.url);
  try {
    await transport.init();
    await foundOffice(transport);
    return await run({ url: server.url, transport });
  } finally {
    await transport.close();
    await server.stop();
  }
}

function connect(servers: string): Promise<Transport> {
  return connectNats({ servers, name: "tool", prefix: "murmur", log: silentLogger, meter: createMeter() });
}

// The cost of a snapshot

async function measureSnapshots({ url, transport }: Swarm) {
  const office = createOfficeClient({ transport });
  const holder = await startHolder(url);
  const filled = await holder.ask("fill");
  const load = startLoad(office);
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round++) {
    await holder.ask("reset");
    const quietFrom = performance.now();
    await sleep(QUIET_MS);
    const quietStall = await holder.ask("reset");
    const from = performance.now();
    const made = await holder.ask("snapshot");
    const to = performance.now();
    rounds.push({
      ...made,
      quietStall,
      quiet: load.between(quietFrom, from),
      during: load.between(from, to),
    });
    process.stderr.write(`snapshot ${round + 1}: ${JSON.stringify(rounds.at(-1))}\n`);
  }
  await load.stop();
  await holder.stop();
  return { ...filled, rounds };
}

/** Writers without pause, and the times of their commands. */
function startLoad(office: OfficeClient) {
  const done: { atMs: number; tookMs: number }[] = [];
  let isStopped = false;
  const writers = Array.from({ length: IN_FLIGHT }, async (_, writer) => {
    for (let index = writer; !isStopped; index += IN_FLIGHT) {
      const atMs = performance.now();
      await office.write("config-set", { name: `n${index % NAMES}`, value: index }, PATIENCE);
      done.push({ atMs, tookMs: performance.now() - atMs });
    }
  });
  return {
    between(fromMs: number, toMs: number) {
      const times = done.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map(({ tookMs }) => tookMs);
      times.sort((a, b) => a - b);
      const at = (share: number) => round2(times[Math.floor(share * (times.length - 1))] ?? 0);
      const perSecond = Math.round(times.length / ((toMs - fromMs) / 1_000));
      return { perSecond, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
    },
    stop() {
      isStopped = true;
      return Promise.all(writers);
    },
  };
}

// The cost of a start

async function measureStarts({ url, transport }: Swarm, entries: number) {
  const log = transport.log("office");
  const lead = async () => {
    const startedMs = performance.now();
    const holder = await startHolder(url);
    const readyMs = Math.round(performance.now() - startedMs);
    return { holder, told: { ...holder.facts, readyMs } };
  };
  const empty = await lead();
  await empty.holder.stop();
  await writeEntries(transport, log, entries);
  const whole = await lead();
  await createOfficeClient({ transport }).write("config-set", { name: "n0", value: 1 }, PATIENCE);
  const snapshot = whole.holder.ask("snapshot");
  await createOfficeClient({ transport }).write("config-set", { name: "n0", value: 2 }, PATIENCE);
  const { bytes, tookMs } = await snapshot;
  await whole.holder.stop();
  await writeEntries(transport, log, Number(values.tail));
  const tail = await lead();
  await tail.holder.stop();
  return { empty: empty.told, whole: whole.told, snapshot: { bytes, tookMs }, tail: tail.told };
}

/** Appends entries of one command each, sealed as a holder would; the log's own holder must not run. */
async function writeEntries(transport: Transport, log: Log, count: number): Promise<void> {
  const subject = createSubjects(transport.prefix).officeLog;
  const { lastSeq } = await log.info();
  const last = JSON.parse(
    new TextDecoder().decode((await log.get(lastSeq))?.data),
  ) as LogEntry<OfficeCommand>;
  const { logId, term, at } = last;
  let { chain } = last;
  const pending: Promise<unknown>[] = [];
  for (let index = 0; index < count; index++) {
    const body = {
      ...({ v: 1, type: "commands", logId, term, at: at + Math.floor(index / 100) } as const),
      commands: [
        {
          key: newId(),
          command: { type: "config-set", name: `n${index % NAMES}`, value: index } as OfficeCommand,
        },
      ],
    };
    const entry = sealEntry(body, chain);
    chain = entry.chain;
    pending.push(log.append(subject, encode(entry), PATIENCE));
    if (pending.length === APPENDS) await Promise.all(pending.splice(0));
  }
  await Promise.all(pending);
}

// The holder, in its own process

type Question = "fill" | "reset" | "snapshot";
type Facts = Record<string, number>;

/** Starts a holder; resolves when it leads. */
async function startHolder(url: string) {
  const child = fork(import.meta.filename, ["--holder", url, "--members", values.members]);
  const waiting = new Map<string, (facts: Facts) => void>();
  const next = (type: string) => new Promise<Facts>((resolve) => waiting.set(type, resolve));
  child.on("message", ({ type, ...facts }: { type: string } & Facts) => waiting.get(type)?.(facts as Facts));
  const facts = await next("leads");
  return {
    facts,
    ask(question: Question): Promise<Facts> {
      child.send(question);
      return next(question);
    },
    async stop() {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    },
  };
}

async function hold(url: string): Promise<void> {
  const transport = await connect(url);
  const interval = { entries: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY };
  const stall = watchStalls();
  process.once("disconnect", () => process.exit());
  const tell = (type: string, facts: Facts = {}) => process.send?.({ type, ...facts });
  let read: Facts = {};
  const onLine = ({ msg, bytes, tookMs, pauseMs, entries }: { msg: string } & Facts) => {
    if (msg === "read the control log") read = { entries: entries as number, readMs: tookMs as number };
    if (msg === "took the office")
      tell("leads", { ...read, cpuMs: Math.round(process.cpuUsage().user / 1_000) });
    if (msg !== "made a snapshot") return;
    interval.entries = Number.POSITIVE_INFINITY;
    tell("snapshot", { bytes, tookMs, pauseMs, ...stall.take() } as Facts);
  };
  const log = createLogger({ name: "holder", stream: { write: (line) => onLine(JSON.parse(line)) } });
  const own = { transport, log, meter: createMeter(), id: "a", members: ["a"], version: "0", seed: 1 };
  const office = createOffice({ ...own, snapshotInterval: interval });
  await createOfficeServer({ transport, office, members: own.members, log }).start();
  await office.service.start();
  process.on("message", async (question: Question) => {
    if (question === "fill") return tell("fill", await fill((command) => office.submit(newId(), command)));
    const longest = stall.take();
    if (question === "reset") return tell("reset", longest);
    interval.entries = 0; // due with the next command
  });
}

/** Measures how long the event loop is blocked; `take` returns the longest block since the last call. */
function watchStalls() {
  let [stallMs, stallCpuMs] = [0, 0];
  let atMs = performance.now();
  let cpu = process.threadCpuUsage();
  setInterval(() => {
    const nowMs = performance.now();
    const { user, system } = process.threadCpuUsage(cpu);
    stallMs = Math.max(stallMs, nowMs - atMs);
    stallCpuMs = Math.max(stallCpuMs, (user + system) / 1_000);
    atMs = nowMs;
    cpu = process.threadCpuUsage();
  }, 1);
  return {
    take() {
      const longest = { stallMs: round2(stallMs), stallCpuMs: round2(stallCpuMs) };
      [stallMs, stallCpuMs] = [0, 0];
      return longest;
    },
  };
}

/** Fills the state: members, values and kept keys. */
async function fill(submit: (command: OfficeCommand) => Promise<Json>): Promise<Facts> {
  const members = Number(values.members);
  for (let from = 0; from < members; from += MEMBERS_PER_COMMAND) {
    const count = Math.min(MEMBERS_PER_COMMAND, members - from);
    const agents = Array.from({ length: count }, (_, index) => ({
      ...{
        id: `agent-${from + index}`,
        host: `host-${(from + index) % 500}`,
        pid: 4_000 + from,
        role: "backend",
      },
      ...{
        version: "1.0.0",
        capabilities: ["review", "implement"],
        slots: 4,
        since: "2026-01-01T00:00:00.000Z",
      },
      ...{
        expertise: ["typescript", "postgres", "nats"],
        triggers: ["migration", "timeout"],
        model: "model-1",
      },
    }));
    await submit({ type: "members-join", agents });
  }
  for (let index = 0; index < NAMES; index++) {
    await submit({ type: "config-set", name: `n${index}`, value: "x".repeat(100) });
  }
  return { members, values: NAMES };
}

function round2(ms: number): number {
  return Math.round(ms * 100) / 100;
}
