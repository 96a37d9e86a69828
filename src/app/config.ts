// Every setting of Murmur: one schema, four sources. Owns precedence (flags > environment > file > defaults), the texts of errors,
// and which settings are secret. The code that reads a setting owns its effect. `docs/configuration.md` is made from this file.
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { z } from "zod";
import { nearest } from "../base/index.ts";
import { PREFIX_PATTERN, type StreamLimits, SwarmError, showValue, tokenSchema } from "../protocol/index.ts";
import { flagName } from "./words.ts";

/** The configuration file of the working directory. It is read when `--config` names no other. */
export const CONFIG_FILE = "murmur.yaml";

const port = (about: string) => z.coerce.number(`must be a port, 0–65535${about}`).int().min(0).max(65_535);
const positiveMs = () => z.coerce.number("must be a number of ms").int().min(1).max(86_400_000);

/** The longest age that can be set, in days: ten years. It fits into the nanoseconds of NATS with room to spare. */
const MAX_AGE_DAYS = 3_650;
const DAY_MS = 86_400_000;
const days = () => z.coerce.number("must be a number of days").int().min(1).max(MAX_AGE_DAYS).optional();

const list = () =>
  z
    .preprocess(
      (value) => (typeof value === "string" ? value.split(",").filter((part) => part !== "") : value),
      z.array(z.string().min(1), "must be a list"),
    )
    .default([]);

/** The facts of a setting beside its type. `env`: variables of the NATS tools that are read after `MURMUR_…`. */
interface SettingFacts {
  about: string;
  env?: readonly string[];
  secret?: true;
}

function setting<S extends z.ZodType>(schema: S, facts: SettingFacts): S {
  return schema.meta({ description: facts.about, ...facts });
}

/** The schema of all settings. The keys of the file are its keys; `httpPort` is `MURMUR_HTTP_PORT` in the environment. */
export const configSchema = z.strictObject({
  prefix: setting(
    z
      .string()
      .regex(PREFIX_PATTERN, "must be 1–32 of a–z 0–9 _ -, starting with a letter or digit")
      .default("murmur"),
    {
      about: "The swarm's name on NATS: the first token of its subjects and, in upper case, of its streams.",
    },
  ),
  server: setting(z.string().min(1).optional(), {
    about:
      "URL of the NATS server; several URLs are separated by commas. Without it: the swarm that runs in the data directory, else nats://127.0.0.1:4222.",
    env: ["NATS_URL"],
    secret: true,
  }),
  creds: setting(z.string().min(1).optional(), {
    about: "Path of a NATS credentials file.",
    env: ["NATS_CREDS"],
  }),
  context: setting(z.string().min(1).optional(), {
    about:
      "Name of a context of the `nats` command line tool. A server or creds that are given directly come first.",
    env: ["NATS_CONTEXT"],
  }),
  replicas: setting(
    z.coerce
      .number("must be a number of copies")
      .int()
      .min(1)
      .max(5)
      .refine((count) => count % 2 === 1, "must be 1, 3 or 5")
      .optional(),
    {
      about:
        "Copies of each stream that `init` and the api of `up` create: 1, 3 or 5. Without it: 3 in a cluster, 1 on a single server. When it is given, existing streams must have that many copies.",
    },
  ),
  resultDays: setting(days(), {
    about:
      "How long results are kept, in days; an id stays taken for as long. Without it: 7 for a new stream; an existing one keeps its age. `init --update` applies it to an existing stream.",
  }),
  deadDays: setting(days(), {
    about:
      "How long dead letters are kept, in days. Without it: 30 for a new stream; an existing one keeps its age. `init --update` applies it to an existing stream.",
  }),
  journalDays: setting(days(), {
    about:
      "How long the journal of an ended task is kept, in days; give it to all processes. Without it: 7. The journal of a task that has not ended never expires.",
  }),
  data: setting(z.string().min(1).default(".murmur"), {
    about: "Directory of a local swarm: its JetStream store, logs and state.",
  }),
  timeoutMs: setting(positiveMs().optional(), {
    about: "How long a command waits for the swarm, in ms. Reads: 5,000 by default, then exit code 3.",
  }),
  httpHost: setting(z.string().min(1).default("127.0.0.1"), {
    about: "Address that the HTTP API listens on. Any address but loopback needs `apiToken`.",
  }),
  httpPort: setting(port("").default(7070), { about: "Port of the HTTP API; 0 takes a free one." }),
  apiToken: setting(z.string().min(16, "must have at least 16 characters").optional(), {
    about: "Bearer token that the HTTP API requires. Environment or file only.",
    secret: true,
  }),
  metricsHost: setting(z.string().min(1).default("127.0.0.1"), {
    about: "Address of /livez, /readyz and /metrics. In a pod: 0.0.0.0.",
  }),
  metricsPort: setting(port("").default(9464), {
    about:
      "Port of /livez, /readyz and /metrics; 0 takes a free one. When 9464 is taken and the setting is not given, a process takes a free port and logs it.",
  }),
  logLevel: setting(z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"), {
    about: "The least severe log lines that are written.",
  }),
  logFormat: setting(z.enum(["auto", "json", "pretty"]).default("auto"), {
    about: "`auto`: readable when standard error is a terminal, else one JSON object a line.",
  }),
  drainGraceMs: setting(positiveMs().default(10_000), {
    about: "How long running tasks may continue after SIGTERM, in ms. Then they return to the queue.",
  }),
  silenceMs: setting(
    z.coerce.number("must be a number of ms").int().min(300).max(86_400_000).default(15_000),
    {
      about:
        "The supervisor of `up` kills and restarts a process that is silent for this long, in ms (a blocked event loop). Processes report three times in it.",
    },
  ),
  heapMb: setting(z.coerce.number("must be a number of MiB").int().min(64).max(65_536).default(512), {
    about:
      "JavaScript heap limit of each agent and API process under `up`, in MiB. A task that allocates without end ends only its own process.",
  }),
  sync: setting(z.enum(["default", "always"]).default("default"), {
    about:
      "When the private server of `up` fsyncs: every two minutes (default), or before each acknowledgement (always; about 1,000 writes a second).",
  }),
  natsServer: setting(z.string().min(1).default("nats-server"), {
    about:
      "The nats-server binary that `up`, `bench` and `review` start. Without it: the first one on the PATH, else an installed one.",
  }),
  natsReleases: setting(
    z
      .url({ protocol: /^https?$/, error: "must be an http or https URL" })
      .default("https://github.com/nats-io/nats-server/releases/download"),
    {
      about:
        "Base URL of nats-server's releases, or of a mirror: an archive and its SHA256SUMS are below `v<version>/`. It is read when no nats-server is found and neither pip, uv nor Go can provide one.",
    },
  ),
  coordinatorId: setting(tokenSchema.default("coordinator-1"), {
    about:
      "The id of the coordinator in this process: one of `coordinators`. In a StatefulSet: the pod's name.",
  }),
  coordinators: setting(
    list().transform((ids) => (ids.length === 0 ? ["coordinator-1"] : ids)),
    {
      about:
        "The ids of all coordinators, the same for each of them, separated by commas: 1, 3, 5 or 7. Empty: `coordinator-1` alone.",
    },
  ),
  execAllow: setting(list(), {
    about:
      "Programs that agents may run, by name or absolute path, separated by commas. An agent's own list narrows it. Empty: agents that run commands are refused.",
  }),
  execDirectories: setting(list(), {
    about:
      "Directories that commands of agents may run in, separated by commas. Empty: the working directory.",
  }),
  agentsDir: setting(z.string().min(1).default("agents"), {
    about:
      "Directory of your own agents (`<role>/agent.ts`). It is searched before the agents that ship with Murmur.",
  }),
});

/** All settings, with defaults filled in. */
export type Config = z.output<typeof configSchema>;
/** The name of a setting. */
export type SettingName = keyof Config;
/** The source of each value: `flag --prefix`, `environment MURMUR_PREFIX`, `file murmur.yaml`, or `default`. */
export type Sources = Readonly<Record<SettingName, string>>;

/** The names of all settings, in the order of the schema. */
export const SETTING_NAMES = Object.keys(configSchema.shape) as SettingName[];

/** The facts of a setting. */
export function settingFacts(name: SettingName): SettingFacts {
  const facts = configSchema.shape[name].meta() as SettingFacts | undefined;
  if (facts === undefined) throw new Error(`setting ${name} has no facts: define it with setting()`);
  return facts;
}

/** The ages of the settings as limits of the streams. */
export function streamLimits(config: Pick<Config, "resultDays" | "deadDays" | "journalDays">): StreamLimits {
  const toMs = (ageDays: number | undefined) => (ageDays === undefined ? undefined : ageDays * DAY_MS);
  return {
    resultAgeMs: toMs(config.resultDays),
    deadAgeMs: toMs(config.deadDays),
    journalAgeMs: toMs(config.journalDays),
  };
}

/** `httpPort` → `MURMUR_HTTP_PORT`. */
export function environmentName(name: SettingName): string {
  return `MURMUR_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

/** The variables with our prefix that are no settings, and the code that reads each. */
export const OTHER_VARIABLES: Readonly<Record<string, string>> = {
  MURMUR_ANALYSERS_DIR: "agents/lib/review/toolbox.ts",
  MURMUR_DETACHED_SUPERVISOR: "src/app/main.ts",
  MURMUR_ECHO_DIR: "agents/echo/agent.ts",
  MURMUR_ECHO_SLOTS: "agents/echo/agent.ts",
  MURMUR_NATS_IMAGE: "test/transport/testcontainers.test.ts",
  MURMUR_SUPERVISED: "src/app/supervisor/supervisor-link.ts",
  MURMUR_TEST_SCALE: "test/support/scale.ts",
};

/** Describes each variable `MURMUR_…` that nothing reads: probably a misspelt setting, which would have no effect in silence. */
export function findUnknownVariables(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = [...SETTING_NAMES.map(environmentName), ...Object.keys(OTHER_VARIABLES)];
  return Object.keys(environment)
    .filter((name) => name.startsWith("MURMUR_") && environment[name] !== undefined && !known.includes(name))
    .sort()
    .map((name) => {
      const meant = nearest(name, known);
      return `${name} is not a setting and has no effect${meant === undefined ? "" : `; did you mean ${meant}?`} (docs/configuration.md lists all)`;
    });
}

/**
 * Reads the settings from all sources.
 * @param input.flags the flags of the command line; an undefined value counts as not given.
 * @throws SwarmError `invalid_input` naming source and field: an unknown field, a wrong value, an unreadable file.
 */
export async function loadConfig(input: {
  flags: Readonly<Partial<Record<SettingName, unknown>>>;
  environment: Readonly<Record<string, string | undefined>>;
  directory: string;
  /** The file named by `--config`; without it `murmur.yaml` in `directory`, when it is there. */
  file?: string | undefined;
}): Promise<{ config: Config; sources: Sources }> {
  const fromFile = await readConfigFile(input.directory, input.file);
  const values: Record<string, unknown> = {};
  const sources: Record<string, string> = {};
  for (const name of SETTING_NAMES) {
    const found =
      fromFlag(name, input.flags) ?? fromEnvironment(name, input.environment) ?? fromFile.get(name);
    sources[name] = found?.source ?? "default";
    values[name] = parseSetting(name, found);
  }
  return { config: values as Config, sources: sources as Sources };
}

interface Found {
  value: unknown;
  source: string;
}

function fromFlag(
  name: SettingName,
  flags: Readonly<Partial<Record<SettingName, unknown>>>,
): Found | undefined {
  const value = flags[name];
  return value === undefined ? undefined : { value, source: `flag ${flagName(name)}` };
}

function fromEnvironment(
  name: SettingName,
  environment: Readonly<Record<string, string | undefined>>,
): Found | undefined {
  for (const variable of [environmentName(name), ...(settingFacts(name).env ?? [])]) {
    const value = environment[variable];
    // A shell or a manifest switches a variable off by making it empty.
    if (value !== undefined && value !== "") return { value, source: `environment ${variable}` };
  }
  return undefined;
}

async function readConfigFile(directory: string, named: string | undefined): Promise<Map<string, Found>> {
  const path = resolve(directory, named ?? CONFIG_FILE);
  const source = `file ${named ?? CONFIG_FILE}`;
  if (!existsSync(path)) {
    if (named === undefined) return new Map();
    throw new SwarmError("invalid_input", `--config: there is no file ${path}`, { field: "config" });
  }
  // The parser takes 50 ms to load, so it is loaded only when there is a file.
  const { parse } = await import("yaml");
  let content: unknown;
  try {
    content = parse(await readFile(path, "utf8")) ?? {};
  } catch (error) {
    throw new SwarmError("invalid_input", `${source}: must be YAML: ${(error as Error).message}`, {
      field: "config",
    });
  }
  if (typeof content !== "object" || Array.isArray(content)) {
    throw new SwarmError("invalid_input", `${source}: must be a map of settings, got ${showValue(content)}`, {
      field: "config",
    });
  }
  const found = new Map<string, Found>();
  for (const [key, value] of Object.entries(content as object)) {
    if (!SETTING_NAMES.includes(key as SettingName)) {
      const meant = nearest(key, SETTING_NAMES);
      throw new SwarmError(
        "invalid_input",
        `${source}: ${key} is not a setting${meant === undefined ? "" : `; did you mean ${meant}?`} (docs/configuration.md lists all)`,
        { field: key },
      );
    }
    if (value !== null) found.set(key, { value, source });
  }
  return found;
}

function parseSetting(name: SettingName, found: Found | undefined): unknown {
  const parsed = configSchema.shape[name].safeParse(found?.value);
  if (parsed.success) return parsed.data;
  const got = settingFacts(name).secret === true ? "" : `, got ${showValue(found?.value)}`;
  throw new SwarmError(
    "invalid_input",
    `${found?.source ?? "default"}: ${name}: ${parsed.error.issues[0]?.message ?? "does not fit"}${got}`,
    { field: name },
  );
}
