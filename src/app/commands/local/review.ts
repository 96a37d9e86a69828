// `review`: the ready-made review of a repository, in the swarm that runs here or in a swarm of its own for the duration.
// Owns the flags and the cache of a review; its swarm is in review/swarm.ts, and the review itself is workflows/review.
// I1: nothing is written into the reviewed directory, but the baseline with --write-baseline.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { z } from "zod";
import { REVIEW_CAPABILITIES, SEVERITIES } from "../../../../agents/lib/review/index.ts";
import {
  analysersVersion,
  BASELINE_FILE,
  DEFAULT_JOBS,
  EntryStore,
  FORMAT_NAMES,
  FORMATS,
  type FormatName,
  prepareReview,
  probeSandbox,
  REVIEW_CONFIG_FILE,
  ResultCache,
  type ReviewProgress,
  type ReviewReport,
  reaches,
  readCheckout,
  recordBaseline,
  reportSchema,
  runReview,
  type Surroundings,
  type WorkDone,
  Workload,
  webUrlOf,
} from "../../../../workflows/review/index.ts";
import { newInstanceId, tryJson } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { showDuration } from "../../cli/terminal.ts";
import { readOwnManifest } from "../../own-package.ts";
import { trustedAgentDirectories } from "../../processes/roles.ts";
import { resolveFrom } from "../../target.ts";
import { listIgnored, withTrustedPaths } from "../../untrusted.ts";
import { VERSION } from "../../version.ts";
import { openSwarm, type ReviewSwarm } from "./review/swarm.ts";

/** The most analyses at the same time: one for each seat of 32 ballots. */
const MAX_JOBS = 96;

export const command = defineCommand({
  handlesInterrupts: true,
  ignoresConfigFile: true,
  input: z.strictObject({
    directory: z
      .string()
      .min(1)
      .meta({ positional: true, value: "DIR", description: "the repository (JavaScript or TypeScript)" }),
    failOn: z.enum(SEVERITIES).optional().meta({
      description: "exit code 1 when there is a finding at least this severe, 3 when the review is partial",
    }),
    allowPartial: z
      .boolean()
      .default(false)
      .meta({ description: "with --fail-on, no exit code 3 for a partial review" }),
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
    all: z.boolean().default(false).meta({
      description:
        "also show, and count for --fail-on, the kinds that are off by default because they are mostly noise",
    }),
    trustRepoConfig: z.boolean().default(false).meta({
      description: "let linters load the repository's own configuration and plugins, which runs its code",
    }),
    jobs: z.int().min(1).max(MAX_JOBS).optional().meta({
      description: "the most analyses at the same time (default: one more than the machine's cores)",
      value: "N",
    }),
    cache: z
      .boolean()
      .default(true)
      .meta({ description: "do not use or keep results of earlier reviews in the user's cache folder" }),
    changed: z
      .union([z.literal(true), z.string().min(1)])
      .optional()
      .meta({
        value: "BASE",
        optionalValue: true,
        description:
          "only what changed since BASE, a commit, branch or tag (default: the remote's default branch); write it after DIR",
      }),
    baseline: z
      .union([z.literal(true), z.string().min(1)])
      .optional()
      .meta({
        value: "FILE",
        optionalValue: true,
        description: `only findings that are not in this file (default: ${BASELINE_FILE} in DIR); write it after DIR`,
      }),
    writeBaseline: z
      .boolean()
      .default(false)
      .meta({ description: "make all findings of this review the baseline, in the file of --baseline" }),
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
  examples: [
    "review .",
    "review ../project --json",
    "review . --fail-on high",
    "review . --changed --fail-on high",
    "review . --write-baseline",
    "review . --baseline --fail-on high",
    "review . --format sarif",
  ],
  details:
    "Uses the swarm that you run in the working directory (or --server); without a swarm it starts its own for the duration.\nThe repository is not trusted: the working directory's murmur.yaml and agents are ignored unless a flag names them.\nNothing is written into the directory, but the baseline with --write-baseline. Exit code 0 when the review ran, with or without findings. With --fail-on: 1 when a finding is severe\nenough, 3 when none is but the review is partial, so that a fault may be in the part that was not judged.",
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
      const isBlind = input.failOn !== undefined && report.status === "partial" && !input.allowPartial;
      return {
        ...report,
        face: { format, isReached, isBlind, around: await surroundings(format, directory, ports.signal) },
      };
    };
    if (input.from !== undefined) refuseWithFrom(input);
    if (input.from !== undefined) return await show(readReport(resolveFrom(ports.directory, input.from)));
    const wanted = input.only.length === 0 ? REVIEW_CAPABILITIES : input.only;
    const prepared = await prepareReview({
      directory,
      changed: input.changed,
      baseline:
        typeof input.baseline === "string" ? resolveFrom(ports.directory, input.baseline) : input.baseline,
      writeBaseline: input.writeBaseline,
      only: wanted,
      signal: ports.signal,
      configFile:
        input.reviewConfig === undefined ? undefined : resolveFrom(ports.directory, input.reviewConfig),
    });
    const protection = probeSandbox({ directory: prepared.directory, signal: ports.signal });
    // The review awaits it after its scan. When something else ends the review first, its failure is no news.
    protection.catch(() => undefined);
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
        protection,
        // The agents of a swarm that ran before have its rights.
        analyserRights: swarm.isShared ? undefined : { had: true, by: "node-permission" },
        timeoutMs: ports.config.timeoutMs,
        only: input.only.length === 0 ? undefined : input.only,
        all: input.all,
        absent: swarm.absent,
        signal: ports.signal,
      });
      await cache?.save();
      const recorded = input.writeBaseline ? await recordBaseline(prepared, report) : report;
      return await show({ ...recorded, ...(cache === null ? {} : { cache: cache.use }) });
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
  exitCode: ({ status, face }) =>
    face?.isReached === true || status === "failed" ? 1 : face?.isBlind === true ? 3 : 0,
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
  /** True when a partial review must not pass --fail-on. */
  isBlind: boolean;
  around: Surroundings;
}

/** Refuses flags that need a new review. */
function refuseWithFrom(input: { changed?: unknown; baseline?: unknown; writeBaseline: boolean }): void {
  const flag =
    input.changed !== undefined
      ? "--changed"
      : input.baseline !== undefined
        ? "--baseline"
        : input.writeBaseline
          ? "--write-baseline"
          : null;
  if (flag === null) return;
  throw new SwarmError(
    "invalid_input",
    `${flag} needs a new review, and --from shows an earlier one; leave one out`,
    { field: "from" },
  );
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

/** The formats with places relative to the checkout; git is asked about it for these only. */
const IN_CHECKOUT: ReadonlySet<FormatName> = new Set(["sarif", "github", "markdown"]);

async function surroundings(
  format: FormatName,
  directory: string,
  signal: AbortSignal,
): Promise<Surroundings> {
  const { repository } = readOwnManifest();
  const home = webUrlOf(repository?.url ?? "");
  return {
    version: VERSION,
    checkout: IN_CHECKOUT.has(format) ? await readCheckout(directory, signal) : null,
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
