// `review`: the ready-made review of a repository, in the swarm that runs here or in a swarm of its own for the duration.
// Starts and ends the review's agents; the review itself is workflows/review.
// I1: nothing is written into the reviewed directory, and every process that was started for the review ends with it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { z } from "zod";
import {
  analysersDirectory,
  LINTERS,
  REVIEW_CAPABILITIES,
  type ReviewCapability,
  SEVERITIES,
  unjudgedSchema,
} from "../../../../agents/lib/review/index.ts";
import {
  analysersVersion,
  DEFAULT_JOBS,
  EntryStore,
  FORMAT_NAMES,
  FORMATS,
  type FormatName,
  LEFT_OUT_REASONS,
  type LeftOutReason,
  prepareReview,
  REVIEW_CONFIG_FILE,
  ResultCache,
  type ReviewProgress,
  type ReviewReport,
  reaches,
  readCheckout,
  runReview,
  type Surroundings,
  type WorkDone,
  Workload,
  webUrlOf,
} from "../../../../workflows/review/index.ts";
import { listRoles, loadRoles } from "../../../agent/index.ts";
import { createSilentMeter, newInstanceId, silentLogger, tryJson } from "../../../base/index.ts";
import { createOfficeClient } from "../../../coordinator/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { connectNats, type Transport } from "../../../transport/index.ts";
import { createTaskClient, type TaskClient } from "../../../work/index.ts";
import { listAgents } from "../../agents/roster.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { showDuration } from "../../cli/terminal.ts";
import { streamLimits } from "../../config.ts";
import { provideAnalysers } from "../../install/analysers.ts";
import { natsServerFor } from "../../install/tools.ts";
import { readOwnManifest } from "../../own-package.ts";
import { trustedAgentDirectories } from "../../processes/roles.ts";
import { type Supervisor, startSupervisor } from "../../supervisor/supervisor.ts";
import { resolveFrom, resolveTarget, serversOf, type Target } from "../../target.ts";
import { listIgnored, userFolder, withTrustedPaths } from "../../untrusted.ts";
import { VERSION } from "../../version.ts";

/** The most analyses at the same time: one for each seat of 32 ballots. */
const MAX_JOBS = 96;
/** Heap of each review process, in MiB: ESLint's type-aware rules keep whole programs in memory. */
const REVIEW_HEAP_MB = 2_048;
/** How long the swarm gets to end, in ms: the work of the review agents is not needed any more. */
const REVIEW_GRACE_MS = 1_000;

const findingSchema = z.looseObject({
  fingerprint: z.string(),
  kind: z.string(),
  rule: z.string(),
  file: z.string(),
  line: z.int(),
  message: z.string(),
  severity: z.enum(SEVERITIES),
  agreedBy: z.array(z.string()),
  silent: z.array(z.string()),
  confidence: z.number().min(0).max(1).nullable(),
});
const coverageSchema = z.strictObject({
  analysers: z.array(
    z.strictObject({
      capability: z.enum(REVIEW_CAPABILITIES),
      judged: z.int(),
      unjudged: z.array(unjudgedSchema),
    }),
  ),
  unread: z.array(z.string()),
});
const leftOutSchema = z.strictObject({
  reason: z.enum(Object.keys(LEFT_OUT_REASONS) as [LeftOutReason, ...LeftOutReason[]]),
  count: z.int(),
  files: z.array(z.strictObject({ path: z.string(), because: z.string() })),
});
const configSchema = z.looseObject({
  file: z.string().nullable(),
  switchedOff: z.array(z.strictObject({ kind: z.string(), count: z.int() })),
  shown: z.int().optional(),
  shownPerKind: z.int().optional(),
});
const levelSchema = z.strictObject({
  agreeing: z.int(),
  able: z.int(),
  confidence: z.number(),
  right: z.int(),
  labelled: z.int(),
});

const reportSchema = z.looseObject({
  status: z.enum(["completed", "partial", "failed"]),
  directory: z.string(),
  files: z.int(),
  coverage: coverageSchema,
  leftOut: z.array(leftOutSchema),
  suppressed: z.array(findingSchema.extend({ reason: z.string(), commentLine: z.int() })),
  config: configSchema,
  durationMs: z.number(),
  agents: z.int(),
  tasks: z.int(),
  agreement: z.array(levelSchema),
  findings: z.array(findingSchema),
  failedTasks: z.array(z.looseObject({ capability: z.string(), error: z.string(), files: z.int() })),
  cache: z.strictObject({ hits: z.int(), misses: z.int() }).optional(),
});

export const command = defineCommand({
  handlesInterrupts: true,
  ignoresConfigFile: true,
  input: z.strictObject({
    directory: z
      .string()
      .min(1)
      .meta({ positional: true, value: "DIR", description: "the repository (JavaScript or TypeScript)" }),
    failOn: z
      .enum(SEVERITIES)
      .optional()
      .meta({ description: "exit code 1 when there is a finding at least this severe" }),
    format: z
      .enum(FORMAT_NAMES)
      .optional()
      .meta({
        description: `the output: ${FORMAT_NAMES.join(", ")}; default text, and json with --json (github: annotations in a job of GitHub Actions; markdown: a comment)`,
      }),
    from: z.string().min(1).optional().meta({
      description: "show the report in this file, which --json printed, instead of a new review of DIR",
      value: "FILE",
    }),
    only: z
      .array(z.enum(REVIEW_CAPABILITIES))
      .default([])
      .meta({
        description: `just this analyser; may be repeated: ${REVIEW_CAPABILITIES.join(", ")}`,
        value: "NAME",
      }),
    trustRepoConfig: z.boolean().default(false).meta({
      description: "let linters load the repository's own configuration and plugins, which runs its code",
    }),
    jobs: z.int().min(1).max(MAX_JOBS).optional().meta({
      description: "the most analyses at the same time (default: two more than the machine's cores)",
      value: "N",
    }),
    cache: z
      .boolean()
      .default(true)
      .meta({ description: "do not use or keep results of earlier reviews in the user's cache folder" }),
    reviewConfig: z
      .string()
      .min(1)
      .optional()
      .meta({
        value: "FILE",
        description: `the review's configuration (default: ${REVIEW_CONFIG_FILE} in DIR, when there is one)`,
      }),
  }),
  output: reportSchema
    // `face` is for the text and the exit code; the document of --json is the report of the contract.
    .transform(({ face: _, ...report }) => report as unknown as ReviewReport & { face?: Face }),
  examples: ["review .", "review ../project --json", "review . --fail-on high", "review . --format sarif"],
  details:
    "Uses the swarm that you run in the working directory (or --server); without a swarm it starts its own for the duration.\nThe repository is not trusted: the working directory's murmur.yaml and agents are ignored unless a flag names them.\nNothing is written into the directory. Exit code 0 when the review ran, with or without findings.",
  async run(given, input) {
    const format = input.format ?? (given.json ? "json" : "text");
    if (given.json && format !== "json") {
      throw new SwarmError(
        "invalid_input",
        `expected one format, got --json and --format ${format}; leave one out`,
        {
          field: "format",
        },
      );
    }
    const directory = resolveFrom(given.directory, input.directory);
    const ports = withTrustedPaths(given, directory);
    const show = async (report: ReviewReport) => {
      const isReached = input.failOn !== undefined && reaches(report, input.failOn);
      return { ...report, face: { format, isReached, around: await surroundings(directory, ports.signal) } };
    };
    if (input.from !== undefined) return await show(readReport(resolveFrom(ports.directory, input.from)));
    const wanted = input.only.length === 0 ? REVIEW_CAPABILITIES : input.only;
    const prepared = await prepareReview({
      directory,
      configFile:
        input.reviewConfig === undefined ? undefined : resolveFrom(ports.directory, input.reviewConfig),
    });
    const swarm = await openSwarm(ports, directory, wanted);
    const ignored = listIgnored(ports, { swarm: swarm.isShared });
    if (ignored.length > 0)
      ports.terminal.say(
        `ignored in the working directory, because a review trusts only flags: ${ignored.join(", ")}`,
      );
    const scope = newInstanceId("review");
    const cache = input.cache ? await openCache(ports, swarm) : null;
    const work = new Workload({ jobs: input.jobs ?? DEFAULT_JOBS });
    const live = work.wrap({
      ready: () => swarm.open(),
      submit: (task, signal) => swarm.tasks().run({ ...task, scope }, { signal }),
      resultOf: (taskId, signal) => swarm.tasks().result(taskId, { signal }),
      onProgress: (progress) => ports.terminal.status(showProgress(progress, work.progress())),
    });
    try {
      const report = await runReview(cache?.wrap(live) ?? live, {
        directory,
        trustRepoConfig: input.trustRepoConfig,
        prepared,
        timeoutMs: ports.config.timeoutMs,
        only: wanted,
        absent: swarm.absent,
        signal: ports.signal,
      });
      await cache?.save();
      return await show({ ...report, ...(cache === null ? {} : { cache: cache.use }) });
    } finally {
      ports.terminal.status("");
      // Tasks of this review that still run or wait are not needed any more, and must not stay in a shared swarm.
      if (swarm.isShared)
        await swarm
          .tasks()
          .cancelScope(scope)
          .catch(() => undefined);
      await swarm.close();
    }
  },
  render: ({ face, ...report }) => (face === undefined ? "" : FORMATS[face.format](report, face.around)),
  exitCode: ({ status, face }) => (face?.isReached === true || status === "failed" ? 1 : 0),
});

function showProgress({ files, failed, capability }: ReviewProgress, { share, leftMs }: WorkDone): string {
  return [
    `reviewing ${files} files: ${Math.floor(100 * share)} % of the work`,
    ...(leftMs === null ? [] : [`about ${showDuration(leftMs)} left`]),
    ...(failed > 0 ? [`${failed} tasks failed`] : []),
    ...(capability === undefined ? [] : [`last: ${capability}`]),
  ].join(", ");
}

/** The part of an answer that shows it. */
interface Face {
  format: FormatName;
  /** True when a finding is at least as severe as --fail-on. */
  isReached: boolean;
  around: Surroundings;
}

/** Reads a report. @throws SwarmError `invalid_input` when the file has none, `not_found` when it does not exist. */
function readReport(file: string): ReviewReport {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new SwarmError("not_found", `expected the report of a review in ${file}, but it cannot be read`, {
      field: "from",
      cause,
    });
  }
  const report = reportSchema.safeParse(tryJson(text));
  if (report.success) return report.data as unknown as ReviewReport;
  const [issue] = report.error.issues;
  throw new SwarmError(
    "invalid_input",
    `expected the report of a review in ${file}, as \`murmur review DIR --json\` prints it, got: ${issue?.path.join(".")}: ${issue?.message}`,
    { field: "from" },
  );
}

async function surroundings(directory: string, signal: AbortSignal): Promise<Surroundings> {
  const { repository } = readOwnManifest();
  const home = webUrlOf(repository?.url ?? "");
  return {
    version: VERSION,
    checkout: await readCheckout(directory, signal),
    pagesUrl: home === null ? null : `${home}/blob/main/`,
  };
}

/**
 * Opens the results of earlier reviews: in `XDG_CACHE_HOME`, or in `~/.cache`. Results of a swarm that ran before are not kept:
 * its agents may be those of another version. Without a cache where the user names agents: their version is unknown, too.
 */
async function openCache(ports: Ports, swarm: ReviewSwarm): Promise<ResultCache | null> {
  if (trustedAgentDirectories(ports).length > 1) return null;
  const { XDG_CACHE_HOME: named, HOME: home } = ports.environment;
  const base = named !== undefined && isAbsolute(named) ? named : join(home ?? homedir(), ".cache");
  const debug = (message: string) => ports.log.debug(message);
  return new ResultCache({
    store: new EntryStore({ folder: join(base, "murmur", "review"), debug }),
    version: await analysersVersion(VERSION),
    isKept: () => !swarm.isShared,
  });
}

interface ReviewSwarm {
  /** Starts the swarm where it does not run yet. It waits for the installation of the analysers, too. */
  open(): Promise<void>;
  /** The tasks of the swarm, once it is open. */
  tasks(): TaskClient;
  /** True when the swarm ran before the review. */
  isShared: boolean;
  /** The analysers that no agent here offers, and the reason for each. */
  absent: ReadonlyMap<ReviewCapability, string>;
  close(): Promise<void>;
}

/** The swarm that the settings name, with the review agents that it lacks; or an own swarm. */
async function openSwarm(
  ports: Ports,
  directory: string,
  capabilities: readonly ReviewCapability[],
): Promise<ReviewSwarm> {
  const target = await resolveTarget(ports.config, ports.sources, ports.environment, { isTrusted: false });
  const isNamed = ports.sources.server !== "default" || ports.sources.context !== "default";
  if (target.swarm === null && !isNamed) {
    const roles = await knownRoles(ports, capabilities);
    return ownSwarm(ports, { directory, roles, absent: absentOf(capabilities, new Set(roles)) });
  }
  const transport = await connect(ports, target);
  try {
    const offered = new Set((await listAgents(transport)).flatMap((agent) => agent.capabilities));
    const lacking = await knownRoles(
      ports,
      capabilities.filter((capability) => !offered.has(capability)),
    );
    const absent = absentOf(capabilities, new Set([...offered, ...lacking]));
    for (const [linter, why] of await lintersWithoutOffice(transport, capabilities)) absent.set(linter, why);
    const missing = lacking.filter((role) => !absent.has(role));
    const tasks = createTaskClient({ transport, meter: createSilentMeter() });
    const shared = { open: async () => undefined, tasks: () => tasks, isShared: true, absent };
    const leave = async () => {
      tasks.close();
      await transport.close();
    };
    if (missing.length === 0) return { ...shared, close: leave };
    ports.terminal.status(`starting ${missing.join(", ")}`);
    const own = await startOwn(ports, { directory, roles: missing, join: target });
    return {
      ...shared,
      close: async () => {
        await leave();
        await own.close();
      },
    };
  } catch (error) {
    await transport.close();
    throw error;
  }
}

function absentOf(
  capabilities: readonly ReviewCapability[],
  present: ReadonlySet<string>,
): Map<ReviewCapability, string> {
  const why = "no agent offers it, and there is no role of that name to start one";
  return new Map(capabilities.filter((each) => !present.has(each)).map((each) => [each, why]));
}

/** The linters vote in a ballot, and only a coordinator opens a ballot. */
async function lintersWithoutOffice(
  transport: Transport,
  capabilities: readonly ReviewCapability[],
): Promise<[ReviewCapability, string][]> {
  const linters = LINTERS.filter((linter) => capabilities.includes(linter));
  if (linters.length === 0) return [];
  if ((await createOfficeClient({ transport }).listCoordinators()).length > 0) return [];
  const why =
    "the linters vote in a ballot, and no coordinator answers here: start one with `murmur coordinator`";
  return linters.map((linter) => [linter, why]);
}

/** A swarm for this review alone. It starts when it is opened: a review whose results are all known needs none. */
function ownSwarm(
  ports: Ports,
  options: { directory: string; roles: readonly string[]; absent: ReadonlyMap<ReviewCapability, string> },
): ReviewSwarm {
  const closers: (() => Promise<void> | void)[] = [];
  let client: TaskClient | undefined;
  return {
    isShared: false,
    absent: options.absent,
    async open() {
      ports.terminal.status("starting a swarm for this review");
      const own = await startOwn(ports, { ...options, join: undefined });
      closers.unshift(() => own.close());
      const transport = await connect(ports, {
        nats: { servers: own.supervisor.state.server },
        prefix: ports.config.prefix,
      });
      closers.unshift(() => transport.close());
      const tasks = createTaskClient({ transport, meter: createSilentMeter() });
      closers.unshift(() => tasks.close());
      client = tasks;
    },
    tasks() {
      if (client === undefined) throw new SwarmError("internal", "the swarm of this review is not open");
      return client;
    },
    async close() {
      for (const close of closers.splice(0)) await close();
    },
  };
}

function connect(ports: Ports, target: Pick<Target, "nats" | "prefix">): Promise<Transport> {
  return connectNats({
    ...target.nats,
    name: "murmur-review",
    prefix: target.prefix,
    limits: streamLimits(ports.config),
    log: silentLogger,
    meter: createSilentMeter(),
    signal: ports.signal,
  });
}

/** The capabilities that have a role: each review role offers the capability of its own name. The report names missing ones. */
async function knownRoles(
  ports: Ports,
  capabilities: readonly ReviewCapability[],
): Promise<ReviewCapability[]> {
  const known = new Set((await listRoles(trustedAgentDirectories(ports))).map(({ role }) => role));
  return capabilities.filter((capability) => known.has(capability));
}

async function startOwn(
  ports: Ports,
  options: { directory: string; roles: readonly string[]; join: Target | undefined },
): Promise<{ supervisor: Supervisor; close(): Promise<void> }> {
  const { config, environment, log, signal, terminal } = ports;
  await provideAnalysers(ports);
  // A joined swarm has a server.
  const install = { ...ports, directory: userFolder(environment) };
  const natsServer = options.join === undefined ? await natsServerFor(install) : config.natsServer;
  const startedMs = performance.now();
  const dataDir = mkdtempSync(join(tmpdir(), "murmur-review-"));
  // Only the linters' ballot needs a coordinator.
  const needsCoordinator = LINTERS.some((linter) => options.roles.includes(linter));
  const [agentsDir = config.agentsDir] = trustedAgentDirectories(ports);
  try {
    const definitions = await loadRoles(trustedAgentDirectories(ports), options.roles);
    const programs = new Set(definitions.flatMap((definition) => definition.exec?.allow ?? []));
    const supervisor = await startSupervisor({
      config: {
        ...config,
        natsServer,
        agentsDir,
        data: dataDir,
        prefix: options.join?.prefix ?? config.prefix,
        context: options.join?.context,
        httpHost: "127.0.0.1",
        drainGraceMs: REVIEW_GRACE_MS,
        heapMb: Math.max(config.heapMb, REVIEW_HEAP_MB),
        execAllow: [...programs],
        execDirectories: [options.directory, analysersDirectory(), tmpdir()],
      },
      roles: options.roles,
      withApi: options.join === undefined,
      coordinators: options.join === undefined && needsCoordinator ? 1 : 0,
      joinServer: options.join === undefined ? undefined : serversOf(options.join),
      environment,
      // A private folder: a `murmur.yaml` of the working directory does not reach the processes.
      directory: dataDir,
      log: config.logLevel === "debug" || config.logLevel === "trace" ? log : silentLogger,
      signal,
      onStep: (step) => terminal.status(step),
    });
    terminal.status(
      `${options.roles.length} review agents are up after ${showDuration(performance.now() - startedMs)}`,
    );
    return {
      supervisor,
      close: async () => {
        await supervisor.stop();
        rmSync(dataDir, { recursive: true, force: true });
      },
    };
  } catch (error) {
    rmSync(dataDir, { recursive: true, force: true });
    throw error;
  }
}
