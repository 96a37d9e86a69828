// `bench`: the costs of Murmur on this machine, against a bare loop of the NATS client in the same run. Owns the server of the
// measurement; the measuring itself is in bench/.
import { mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { silentLogger } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { runBench } from "../../bench/bench.ts";
import { BENCH_SCENARIOS, type BenchFigure, type BenchScenario } from "../../bench/figure.ts";
import type { GuardedBench } from "../../bench/scenario.ts";
import { defineCommand } from "../../cli/command.ts";
import { table } from "../../cli/terminal.ts";
import { natsServerFor } from "../../install/tools.ts";
import { agentUser, readPermissions, seedFile } from "../../permissions/index.ts";
import { agentDirectories } from "../../processes/roles.ts";
import { type Supervisor, startSupervisor } from "../../supervisor/supervisor.ts";
import { resolveFrom } from "../../target.ts";

const DEFAULT_SCENARIOS = ["throughput", "latency", "ask", "ballot", "idle"] as const;
const DEFAULT_BENCH_ROUNDS = 7;
const DEFAULT_TASKS = 20_000;
const DEFAULT_IDLE_AGENTS = 10_000;
const DEFAULT_QUEUED = 1_000_000;

const figureSchema = z.object({
  scenario: z.enum(BENCH_SCENARIOS),
  name: z.string(),
  unit: z.string(),
  murmur: z.number(),
  bare: z.number().nullable(),
  ratio: z.number().nullable(),
  goal: z.string().nullable(),
  met: z.boolean().nullable(),
  rounds: z.array(z.number()),
});

export const command = defineCommand({
  handlesInterrupts: true,
  input: z.strictObject({
    scenario: z
      .array(z.enum(BENCH_SCENARIOS))
      .optional()
      .meta({
        value: "NAME",
        description: `the scenario to measure; may be repeated: ${BENCH_SCENARIOS.join(", ")} (default: ${DEFAULT_SCENARIOS.join(", ")}; with --permissions: permissions)`,
      }),
    permissions: z.string().min(1).optional().meta({
      value: "FILE",
      description:
        "permissions.yaml of the scenario permissions, which compares a server with these permissions with one without",
    }),
    rounds: z.coerce.number().int().min(1).max(101).default(DEFAULT_BENCH_ROUNDS).meta({
      value: "N",
      description: `rounds of each comparison; the median counts`,
    }),
    tasks: z.coerce
      .number()
      .int()
      .min(1_000)
      .max(1_000_000)
      .default(DEFAULT_TASKS)
      .meta({ value: "N", description: `tasks of one throughput round` }),
    idleAgents: z.coerce
      .number()
      .int()
      .min(1)
      .max(20_000)
      .default(DEFAULT_IDLE_AGENTS)
      .meta({ value: "N", description: `agents of the idle scenario` }),
    queued: z.coerce
      .number()
      .int()
      .min(1_000)
      .max(10_000_000)
      .default(DEFAULT_QUEUED)
      .meta({ value: "N", description: `tasks of the queue scenario` }),
    check: z.boolean().default(false).meta({ description: "exit code 1 when a figure misses its goal" }),
  }),
  output: z.object({
    node: z.string(),
    cores: z.int(),
    rounds: z.int(),
    check: z.boolean(),
    figures: z.array(figureSchema),
  }),
  examples: [
    "bench",
    "bench --permissions deploy/permissions.yaml --rounds 9",
    "bench --scenario throughput --rounds 15",
    "bench --scenario queue --json",
  ],
  details:
    "Starts a nats-server of its own on this machine and measures with separate processes for publisher and agent.\nAbsolute figures hold for this machine only; the ratios hold elsewhere too. Let nothing else run at the same time.",
  async run(ports, input) {
    const { config, terminal, signal } = ports;
    const { permissions: file } = input;
    const scenarios: readonly BenchScenario[] =
      input.scenario ?? (file === undefined ? DEFAULT_SCENARIOS : ["permissions"]);
    if (scenarios.includes("permissions") !== (file !== undefined)) {
      const message = "the scenario permissions and --permissions FILE need each other; give both";
      throw new SwarmError("invalid_input", message, { field: "permissions" });
    }
    const guardedBy =
      file === undefined ? undefined : await readBenchFile(resolveFrom(ports.directory, file));
    const natsServer = await natsServerFor(ports);
    const data = mkdtempSync(join(tmpdir(), "murmur-bench-"));
    try {
      const start = (folder: string, prefix: string, permissionsFile?: string) =>
        startSupervisor({
          config: { ...config, natsServer, data: join(data, folder), prefix, httpHost: "127.0.0.1" },
          roles: [],
          // Agents with permissions read the journals of redelivered tasks through it.
          withApi: guardedBy !== undefined,
          permissionsFile,
          environment: ports.environment,
          log: silentLogger,
          signal,
          onStep: (step) => terminal.status(step),
        });
      const supervisor = await start("open", guardedBy?.prefix ?? config.prefix);
      let guarded: Supervisor | undefined;
      try {
        if (guardedBy !== undefined) guarded = await start("guarded", guardedBy.prefix, guardedBy.path);
        const figures = await runBench({
          scenarios,
          guarded:
            guarded === undefined || guardedBy === undefined ? undefined : guardedBench(guarded, guardedBy),
          rounds: input.rounds,
          tasks: input.tasks,
          queued: input.queued,
          idleAgents: input.idleAgents,
          servers: supervisor.state.server,
          serverPid: serverPidOf(supervisor),
          roleDirectories: agentDirectories(ports),
          onProgress: (text) => terminal.status(text),
          signal,
        });
        return {
          node: process.version,
          cores: cpus().length,
          rounds: input.rounds,
          check: input.check,
          figures,
        };
      } finally {
        await guarded?.stop({ now: true });
        await supervisor.stop({ now: true });
      }
    } finally {
      rmSync(data, { recursive: true, force: true });
    }
  },
  exitCode: ({ check, figures }) => (check && figures.some(({ met }) => met === false) ? 1 : 0),
  render({ node, cores, rounds, figures }, terminal) {
    const number = (value: number | null) =>
      value === null ? "-" : value >= 100 ? Math.round(value).toString() : value.toFixed(2);
    const row = ({ name, unit, murmur, bare, ratio, goal, met }: BenchFigure) => [
      name,
      `${number(murmur)} ${unit}`,
      bare === null ? "-" : `${number(bare)} ${unit}`,
      number(ratio),
      goal ?? "-",
      met === null ? "" : met ? terminal.colors.green("met") : terminal.colors.red("missed"),
    ];
    const lines = table(
      ["FIGURE", "MURMUR", "BARE LOOP", "RATIO", "GOAL", ""],
      figures.map(row),
      "nothing was measured",
    );
    return `${lines}\n\nNode ${node}, ${cores} cores, median of ${rounds} rounds`;
  },
});

const serverPidOf = ({ state }: Supervisor): number | null =>
  state.processes.find(({ role }) => role === "nats")?.pid ?? null;

/** The permissions file of the benchmark, with the class of its agents. */
interface BenchFile {
  readonly path: string;
  readonly prefix: string;
  readonly agentClass: string;
}

/** @throws SwarmError `invalid_input` for a file that cannot be used, and for one without a class that offers `echo`. */
async function readBenchFile(path: string): Promise<BenchFile> {
  const { classes, prefix } = await readPermissions(path);
  const agents = classes.find(({ capabilities }) => capabilities.includes("echo"));
  if (agents !== undefined) return { path, prefix, agentClass: agents.name };
  const message = `${path}: no class offers the capability echo, which the benchmark runs; add it to a class`;
  throw new SwarmError("invalid_input", message, { field: "permissions" });
}

/** The connections of the benchmark to a server with permissions. */
function guardedBench(supervisor: Supervisor, { prefix, agentClass }: BenchFile): GuardedBench {
  const keys = supervisor.state.permissions?.keys ?? "";
  const userOf = (name: string) => ({ name, nkeyFile: seedFile(keys, name), inboxPrefix: `_INBOX.${name}` });
  return {
    servers: supervisor.state.server,
    serverPid: serverPidOf(supervisor),
    prefix,
    agent: { ...userOf(agentUser(agentClass)), agentClass },
    publisher: userOf("api"),
  };
}
