// Measures the start of each kind of process: node tools/rigs/starts.ts [--help]. The CPU time and the time until its probes listen, and
// until it is ready. With --beside, another checkout is measured in turn, so that both meet the same load.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createMeter, silentLogger, sleep } from "../../src/base/index.ts";
import { foundOffice } from "../../src/coordinator/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { startNatsServer } from "../../test/support/nats-server.ts";
import { provideRedirect } from "../build/checkout-build.ts";
import { atMost, type Figure, makeFigure } from "./office/figures.ts";
import { printReport, readFlags, tellProgress } from "./office/flags.ts";

const ROLES = {
  agent: ["agent", "run", "echo"],
  coordinator: ["coordinator"],
  api: ["api"],
  engine: ["engine"],
} as const;
type RoleName = keyof typeof ROLES;
/** The goals of a pod on a quiet machine, in ms. */
const LISTEN_GOAL_MS = 500;
const READY_GOAL_MS = 3_000;
const POLL_MS = 5;
const PATIENCE_MS = 60_000;
/** The length of a tick of /proc/<pid>/stat on Linux, in ms. */
const CPU_TICK_MS = 10;

const flags = readFlags("node tools/rigs/starts.ts: the start of each kind of process.", {
  rounds: { type: "count", default: 10, about: "starts of each role" },
  only: { type: "names", names: Object.keys(ROLES), about: "roles" },
  beside: { type: "paths", value: "DIR", about: "another checkout, measured in turn" },
});
const checkouts = [
  resolve(import.meta.dirname, "../.."),
  ...flags.paths("beside").map((path) => resolve(path)),
];
/** The built programs, as packages and images start them. */
const programs = await Promise.all(checkouts.map(findProgram));
const nats = await startNatsServer();
const logs = mkdtempSync(join(tmpdir(), "murmur-starts-"));
const values = new Map<string, number[]>();

try {
  const parts = { servers: nats.url, prefix: "murmur", log: silentLogger, meter: createMeter() };
  const transport = await connectNats({ ...parts, name: "starts" });
  await transport.init();
  await foundOffice(transport);
  await transport.close();
  for (let round = 0; round <= flags.count("rounds"); round++) {
    for (const role of flags.names("only") as readonly RoleName[]) {
      for (const index of checkouts.keys()) {
        const took = await start(role, programs[index]!);
        if (round === 0) continue; // fills the compile cache
        for (const [what, value] of Object.entries(took)) {
          const key = `${role}, ${what}, checkout ${index + 1}`;
          values.set(key, [...(values.get(key) ?? []), value]);
        }
      }
    }
    tellProgress(`round ${round} of ${flags.count("rounds")}`);
  }
} finally {
  await nats.stop();
  rmSync(logs, { recursive: true, force: true });
}
const figures: Figure[] = [...values].map(([name, each]) => {
  const isTime = !name.includes("CPU");
  const limitMs = name.includes("listens") ? LISTEN_GOAL_MS : READY_GOAL_MS;
  const goal = isTime ? { goal: atMost(limitMs, "ms") } : {};
  return makeFigure({ name, unit: "ms", values: each, ...goal });
});
printReport(flags, figures, {});

async function findProgram(root: string): Promise<string> {
  const redirect = await provideRedirect(root);
  if (redirect === undefined) throw new Error(`${root} has no build`);
  return join(dirname(redirect), "main.js");
}

/** Starts a process, waits until it is ready, and ends it. */
async function start(role: RoleName, program: string) {
  const port = await findFreePort();
  const url = `http://127.0.0.1:${port}`;
  const startedMs = performance.now();
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", program, ...ROLES[role]], {
    cwd: logs,
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: process.env.PATH,
      NODE_COMPILE_CACHE: join(tmpdir(), "murmur-starts-cache"),
      MURMUR_SERVER: nats.url,
      MURMUR_COORDINATOR_ID: "a",
      MURMUR_COORDINATORS: "a",
      MURMUR_CREATE_CONSUMERS: "true",
      MURMUR_METRICS_PORT: String(port),
      MURMUR_HTTP_PORT: "0",
      MURMUR_LOG_FORMAT: "json",
    },
  });
  let lines = "";
  child.stderr.on("data", (bytes: Buffer) => {
    lines += bytes.toString();
  });
  const exited = new Promise((done) => child.once("exit", done));
  const now = () => ({ ms: performance.now() - startedMs, cpuMs: cpuOf(child.pid!) });
  try {
    const isGood = (path: string) => async () => {
      const answer = await fetch(`${url}${path}`).catch(() => undefined);
      return answer?.ok === true ? true : undefined;
    };
    await until(isGood("/livez"), () => lines);
    const listens = now();
    await until(isGood("/readyz"), () => lines);
    const ready = now();
    return {
      "until it listens": listens.ms,
      "CPU until it listens": listens.cpuMs,
      "until it is ready": ready.ms,
      "CPU until it is ready": ready.cpuMs,
    };
  } finally {
    child.kill("SIGTERM");
    await exited;
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as { port: number };
  await new Promise((done) => server.close(done));
  return port;
}

async function until<T>(look: () => Promise<T | undefined> | T | undefined, lines: () => string): Promise<T> {
  const endMs = performance.now() + PATIENCE_MS;
  while (performance.now() < endMs) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(POLL_MS);
  }
  throw new Error(`a process did not get there within ${PATIENCE_MS} ms:\n${lines().slice(-2_000)}`);
}

/** The CPU time of a process and its threads so far, in ms. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) * CPU_TICK_MS;
}
