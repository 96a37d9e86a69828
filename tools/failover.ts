// Measures the office: node tools/failover.ts [--kills 30] [--seconds 5]. Three coordinators as processes on a private
// nats-server; the leader is killed again and again under a load of commands, and every answer is checked afterwards.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createMeter, newId, silentLogger, sleep } from "../src/base/index.ts";
import { createOfficeClient, foundOffice, type OfficeClient } from "../src/coordinator/index.ts";
import { connectNats, type Transport } from "../src/transport/index.ts";
import { startNatsServer } from "../test/support/nats-server.ts";

const MAIN = join(import.meta.dirname, "../src/app/main.ts");
const MEMBERS = ["a", "b", "c"];
/** Writers that never pause, while leaders are killed. */
const WRITERS = 4;
/** Names that they write to: below the number of values that a swarm may hold. */
const NAMES = 500;
/** After a restart a coordinator abstains for 1 s; a kill must not find the majority abstaining. */
const SETTLE_MS = 1_500;
const PATIENCE_MS = 30_000;

const { values } = parseArgs({
  options: { kills: { type: "string", default: "30" }, seconds: { type: "string", default: "5" } },
});
const kills = Number(values.kills);
const seconds = Number(values.seconds);

/** What was acknowledged: the revision of each write, by its key. */
type History = Map<string, number>;

const server = await startNatsServer();
const processes = new Map<string, ChildProcess>();
const connect = () =>
  connectNats({
    servers: server.url,
    name: "failover",
    prefix: "murmur",
    log: silentLogger,
    meter: createMeter(),
  });
const transport = await connect();
try {
  await transport.init();
  await foundOffice(transport);
  for (const id of MEMBERS) startCoordinator(id);
  const office = createOfficeClient({ transport });
  await office.tenure({ timeoutMs: PATIENCE_MS });
  await untilAllAnswer(office);

  const history: History = new Map();
  const stopping = new AbortController();
  const writing = Array.from({ length: WRITERS }, () => write(office, history, stopping.signal));
  const failovers = await measureKills(office);
  stopping.abort();
  await Promise.all(writing);
  const transfers = await measureTransfers(office);
  const oneAtATimeMs = await measureOneAtATime(office);
  const perSecond = await measureThroughput(office, 64);
  const verdict = await check(transport, office, history);
  process.stdout.write(
    `${JSON.stringify(
      {
        kills,
        failoverMs: summarise(failovers),
        transferMs: summarise(transfers),
        oneAtATimeMs: summarise(oneAtATimeMs),
        commandsPerSecondAt64: Math.round(perSecond),
        ...verdict,
      },
      null,
      2,
    )}\n`,
  );
  if (verdict.lost > 0 || verdict.appliedTwice > 0) process.exitCode = 1;
} finally {
  for (const child of processes.values()) child.kill("SIGKILL");
  await transport.close();
  await server.stop();
}

function startCoordinator(id: string): void {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, "coordinator"], {
    stdio: "ignore",
    env: {
      ...process.env,
      MURMUR_SERVER: server.url,
      MURMUR_COORDINATOR_ID: id,
      MURMUR_COORDINATORS: MEMBERS.join(","),
      MURMUR_METRICS_PORT: "0",
    },
  });
  processes.set(id, child);
}

async function untilAllAnswer(office: OfficeClient): Promise<void> {
  while ((await office.listCoordinators()).length < MEMBERS.length) await sleep(50);
  await sleep(SETTLE_MS);
}

/** From the kill of the leader to the first answer of a new one. */
async function measureKills(office: OfficeClient): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < kills; round++) {
    const { leader } = await office.tenure({ timeoutMs: PATIENCE_MS });
    const startedMs = performance.now();
    processes.get(leader)?.kill("SIGKILL");
    await office.write("config-set", { name: "probe", value: round }, { timeoutMs: PATIENCE_MS });
    times.push(performance.now() - startedMs);
    process.stderr.write(`kill ${round + 1}: ${Math.round(times.at(-1) ?? 0)} ms\n`);
    startCoordinator(leader);
    await untilAllAnswer(office);
  }
  return times;
}

async function measureTransfers(office: OfficeClient): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < 10; round++) {
    const startedMs = performance.now();
    const { term } = await office.transfer(undefined, { timeoutMs: PATIENCE_MS });
    while ((await office.tenure({ timeoutMs: PATIENCE_MS })).term === term);
    times.push(performance.now() - startedMs);
  }
  return times;
}

async function measureOneAtATime(office: OfficeClient): Promise<number[]> {
  const times: number[] = [];
  for (let index = 0; index < 500; index++) {
    const startedMs = performance.now();
    await office.write("config-set", { name: `n${index % NAMES}`, value: index });
    times.push(performance.now() - startedMs);
  }
  return times;
}

async function measureThroughput(office: OfficeClient, inFlight: number): Promise<number> {
  const endMs = performance.now() + seconds * 1_000;
  let done = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < endMs) {
        await office.write("config-set", { name: `n${done % NAMES}`, value: done });
        done++;
      }
    }),
  );
  return done / seconds;
}

async function write(office: OfficeClient, history: History, signal: AbortSignal): Promise<void> {
  for (let index = 0; !signal.aborted; index++) {
    const key = newId();
    const body = { name: `n${index % NAMES}`, value: key };
    const { revision } = await office.write("config-set", body, { key, timeoutMs: PATIENCE_MS });
    history.set(key, revision as number);
  }
}

/**
 * Holds the history against the log. Revisions count decisions: a write that was decided twice would have used two, so
 * the last revision would be above the number of different keys in the log.
 */
async function check(from: Transport, office: OfficeClient, history: History) {
  const { revision } = await office.write("config-set", { name: "probe", value: "last" });
  const keys = new Set<string>();
  for await (const stored of from.log("office").read()) {
    const entry = JSON.parse(new TextDecoder().decode(stored.data)) as { commands?: { key: string }[] };
    for (const { key } of entry.commands ?? []) keys.add(key);
  }
  const lost = [...history.keys()].filter((key) => !keys.has(`c.${key}`)).length;
  const answeredTwice = history.size - new Set(history.values()).size;
  return { acknowledged: history.size, lost, appliedTwice: (revision as number) - keys.size + answeredTwice };
}

function summarise(times: number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) =>
    Number((sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(2));
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
