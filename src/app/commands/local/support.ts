// `support bundle`: gathers the state of a swarm, its logs, metrics and settings in one archive, for a person who was not there. Secrets
// are removed from every file in one place; bodies of tasks and results are never read. A part that cannot be had is named in the archive.
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { z } from "zod";
import { listSecrets, REDACTED, redactText, tryJson } from "../../../base/index.ts";
import { SwarmError, toSwarmError } from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { packTar } from "../../install/tar.ts";
import { findLogs, readLast } from "../../logs/files.ts";
import { listAuditEntries } from "../../operations/audit.ts";
import { listBudgets } from "../../operations/budgets.ts";
import { showOffice } from "../../operations/office.ts";
import type { Operation } from "../../operations/operation.ts";
import { showOverview } from "../../operations/overview.ts";
import { showSwarm } from "../../operations/swarm-status.ts";
import { SETTING_NAMES, settingFacts } from "../../settings.ts";
import { dataFiles, readState } from "../../supervisor/state.ts";
import { VERSION } from "../../version.ts";
import { callOperation } from "../face.ts";

/** The last entries of each log: some MiB for a swarm of ten processes. */
const MAX_ENTRIES_OF_A_LOG = 5_000;
/** The last entries of the audit log. */
const MAX_AUDIT_ENTRIES = 200;
/** How long a process may take to answer a scrape, in ms. */
const SCRAPE_TIMEOUT_MS = 2_000;
/** A shorter value of a setting is a word that also occurs in ordinary text. */
const SHORTEST_SECRET_SETTING = 4;

export const command = defineCommand({
  input: z.strictObject({
    output: z
      .string()
      .optional()
      .meta({ value: "FILE", description: "the archive (default: murmur-support-TIME.tar.gz)" }),
  }),
  output: z.object({
    file: z.string(),
    bytes: z.int(),
    files: z.array(z.string()),
    /** The parts that are not in it, with the reasons. */
    missing: z.array(z.object({ part: z.string(), reason: z.string() })),
  }),
  examples: ["support bundle", "support bundle --output /tmp/murmur.tar.gz --json"],
  details:
    "Contains: overview and problems, status, office, budgets, the end of the audit log, settings with their sources, the end of each\nlog, and the metrics of the processes of the data directory. Without secrets, and without bodies of tasks and results: but look at\nit before you send it, because logs of your own agents are in it.",
  async run(ports, { output }) {
    const nowMs = Date.now();
    const bundle = new Bundle(secretsOf(ports));
    bundle.add("murmur.json", {
      version: VERSION,
      node: process.version,
      platform: process.platform,
      at: new Date(nowMs).toISOString(),
    });
    bundle.add("settings.json", settingsOf(ports));
    const asks: readonly [string, Operation, object][] = [
      ["overview.json", showOverview as unknown as Operation, {}],
      ["status.json", showSwarm as unknown as Operation, {}],
      ["office.json", showOffice as unknown as Operation, {}],
      ["budgets.json", listBudgets as unknown as Operation, {}],
      ["audit.json", listAuditEntries as unknown as Operation, { limit: MAX_AUDIT_ENTRIES }],
    ];
    for (const [name, operation, input] of asks)
      await bundle.try(name, () => callOperation(ports, operation, input));
    addLogs(ports, bundle);
    await addMetrics(ports, bundle);
    const time = new Date(nowMs).toISOString().replaceAll(/[:.]/g, "-");
    const file = resolve(ports.directory, output ?? `murmur-support-${time}.tar.gz`);
    const archive = gzipSync(packTar(bundle.finish(), nowMs));
    try {
      writeFileSync(file, archive, { mode: 0o600 });
    } catch (error) {
      throw new SwarmError("invalid_input", `the archive cannot be written: ${toSwarmError(error).message}`, {
        field: "output",
      });
    }
    const { missing } = bundle;
    return { file, bytes: archive.length, files: bundle.names, missing };
  },
  render: ({ file, bytes, files, missing }) =>
    [
      `${file}: ${files.length} files, ${Math.ceil(bytes / 1_024)} KiB, without secrets`,
      ...missing.map(({ part, reason }) => `missing: ${part} (${reason})`),
      "look at it before you send it: logs of your own agents are in it",
    ].join("\n"),
});

/** The files of the archive. Every text passes here, so that secrets are removed in one place. */
class Bundle {
  readonly #files = new Map<string, string>();
  readonly #secrets: readonly string[];
  readonly missing: { part: string; reason: string }[] = [];

  constructor(secrets: readonly string[]) {
    this.#secrets = secrets;
  }

  get names(): string[] {
    return [...this.#files.keys()];
  }

  add(name: string, content: unknown): void {
    const text =
      typeof content === "string"
        ? content.split("\n").map(this.#cleanLine).join("\n")
        : `${JSON.stringify(this.#clean(content), null, 2)}\n`;
    this.#files.set(name, redactText(text, this.#secrets));
  }

  /** A line of a log. The strings of a JSON line are cleaned before their quotes are escaped: the patterns know plain quotes. */
  readonly #cleanLine = (line: string): string => {
    const parsed = line.startsWith("{") ? tryJson(line) : undefined;
    return parsed === undefined ? line : JSON.stringify(this.#clean(parsed));
  };

  #clean(content: unknown): unknown {
    if (typeof content === "string") return redactText(content, this.#secrets);
    if (Array.isArray(content)) return content.map((each) => this.#clean(each));
    if (typeof content !== "object" || content === null) return content;
    return Object.fromEntries(Object.entries(content).map(([key, value]) => [key, this.#clean(value)]));
  }

  /** Adds the outcome of `read`, or the reason why it failed. */
  async try(name: string, read: () => Promise<unknown>): Promise<void> {
    try {
      this.add(name, await read());
    } catch (error) {
      this.lack(name, toSwarmError(error).message);
    }
  }

  lack(part: string, reason: string): void {
    this.missing.push({ part, reason: redactText(reason, this.#secrets) });
  }

  finish(): ReadonlyMap<string, string> {
    this.add("missing.json", this.missing);
    return this.#files;
  }
}

/** The texts that are secret here: values of secret settings, passwords in URLs, and secrets of the environment. */
function secretsOf({ config, environment }: Ports): string[] {
  const values = SETTING_NAMES.flatMap((name) => {
    const value: unknown = config[name];
    return settingFacts(name).secret === true && typeof value === "string" ? [value] : [];
  });
  const parts = values.flatMap((value) =>
    value.includes("://")
      ? [...value.matchAll(/\/\/([^/@\s]+)@/g)].flatMap(([, login = ""]) => [
          login,
          ...login.split(":").slice(1),
        ])
      : [value],
  );
  const own = parts.filter(({ length }) => length >= SHORTEST_SECRET_SETTING);
  return [...new Set([...own, ...listSecrets(environment)])].sort((a, b) => b.length - a.length);
}

/** Every setting with its source; secret ones without their value. */
function settingsOf({ config, sources }: Ports): object {
  return Object.fromEntries(
    SETTING_NAMES.map((name) => {
      const isSecret = settingFacts(name).secret === true && config[name] !== undefined;
      return [name, { value: isSecret ? REDACTED : (config[name] ?? null), source: sources[name] }];
    }),
  );
}

function addLogs({ directory, config }: Ports, bundle: Bundle): void {
  const logs = findLogs(dataFiles(resolve(directory, config.data)).logs);
  if (logs.length === 0) bundle.lack("logs", "the data directory has none; in Kubernetes: kubectl logs");
  for (const log of logs) {
    const { entries, isCut } = readLast(
      log,
      { level: undefined, task: undefined, sinceMs: undefined },
      MAX_ENTRIES_OF_A_LOG,
    );
    bundle.add(`logs/${log.name}.log`, `${entries.flatMap(({ lines }) => lines).join("\n")}\n`);
    if (isCut)
      bundle.lack(`logs/${log.name}.log, older entries`, `only the last ${MAX_ENTRIES_OF_A_LOG} are in it`);
  }
}

async function addMetrics({ config }: Ports, bundle: Bundle): Promise<void> {
  const processes = readState(config.data)?.processes ?? [];
  if (processes.length === 0)
    bundle.lack("metrics", "the data directory has no processes; Prometheus has them");
  await Promise.all(
    processes.map(async ({ name, metrics }) => {
      if (metrics === null) return;
      await bundle.try(`metrics/${name}.txt`, async () => {
        const answer = await fetch(metrics, { signal: AbortSignal.timeout(SCRAPE_TIMEOUT_MS) });
        return answer.text();
      });
    }),
  );
}
