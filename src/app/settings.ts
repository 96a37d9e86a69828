// The schema of every setting of Murmur, with the facts that help pages and documentation need. The code that reads a setting owns
// its effect. `docs/configuration.md` is made from this file.
import { z } from "zod";
import {
  classSchema,
  DEFAULT_CLASS,
  MAX_KEPT_DAYS,
  nameSchema,
  PREFIX_PATTERN,
  type StreamLimits,
  tokenSchema,
} from "../protocol/index.ts";

const port = (about: string) => z.coerce.number(`must be a port, 0–65535${about}`).int().min(0).max(65_535);
const positiveMs = () => z.coerce.number("must be a number of ms").int().min(1).max(86_400_000);

const DAY_MS = 86_400_000;
const days = () => z.coerce.number("must be a number of days").int().min(1).max(MAX_KEPT_DAYS).optional();

const onOff = () =>
  z.union(
    [z.boolean(), z.stringbool({ truthy: ["true", "1"], falsy: ["false", "0"] })],
    "must be true or false",
  );

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
  serverFile: setting(z.string().min(1).optional(), {
    about: "Path of a file with the value of `server`, for a URL with a secret in it. Read at the start.",
  }),
  creds: setting(z.string().min(1).optional(), {
    about: "Path of a NATS credentials file. A changed file counts within 5 s.",
    env: ["NATS_CREDS"],
  }),
  context: setting(z.string().min(1).optional(), {
    about:
      "Name of a context of the `nats` command line tool. A server or creds that are given directly come first.",
    env: ["NATS_CONTEXT"],
  }),
  user: setting(z.string().min(1).optional(), {
    about: "User name at the NATS server, with `password` or `passwordFile`.",
    env: ["NATS_USER"],
  }),
  password: setting(z.string().min(1).optional(), {
    about: "Password of `user`. Environment or file only.",
    env: ["NATS_PASSWORD"],
    secret: true,
  }),
  passwordFile: setting(z.string().min(1).optional(), {
    about: "Path of a file with the password of `user`. A changed file counts within 5 s.",
  }),
  nkeyFile: setting(z.string().min(1).optional(), {
    about: "Path of a file with the seed of an NKey user. A changed file counts within 5 s.",
    env: ["NATS_NKEY"],
  }),
  tlsCa: setting(z.string().min(1).optional(), {
    about:
      "Path of the certificates (PEM) that sign the server's; it requires TLS. Without it: those of Node.js. A changed file counts within 5 s.",
    env: ["NATS_CA"],
  }),
  tlsCert: setting(z.string().min(1).optional(), {
    about:
      "Path of the client's certificate (PEM), with `tlsKey`; it requires TLS. A changed file counts within 5 s.",
    env: ["NATS_CERT"],
  }),
  tlsKey: setting(z.string().min(1).optional(), {
    about: "Path of the private key (PEM) of `tlsCert`.",
    env: ["NATS_KEY"],
  }),
  tlsFirst: setting(onOff().optional(), {
    about: "True: TLS begins before the server speaks, for servers with `handshake_first`. It requires TLS.",
  }),
  inboxPrefix: setting(z.string().min(1).optional(), {
    about:
      "Start of the reply subjects, for users whose permissions require one: `_INBOX` or below it, for example `_INBOX.anna`.",
    env: ["NATS_INBOX_PREFIX"],
  }),
  operateAs: setting(nameSchema.optional(), {
    about:
      "The NATS user of this program in a swarm with permissions: commands, and clients, send every operation through the front door, as this user; agents read the journal of a redelivered task there. Without it they use the streams themselves.",
  }),
  permissionsFile: setting(z.string().min(1).optional(), {
    about:
      "Path of permissions.yaml, the users of a swarm and their rights. `up` starts its own server with them; the API process takes a changed file while it runs.",
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
      "How long results are kept, in days; an id stays taken for as long. Without it: 7 for a new stream; an existing one keeps its age. `init --apply` applies it to an existing stream.",
  }),
  deadDays: setting(days(), {
    about:
      "How long dead letters are kept, in days. Without it: 30 for a new stream; an existing one keeps its age. `init --apply` applies it to an existing stream.",
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
    about:
      "Address that the HTTP API listens on. Any address but loopback needs `apiTokensFile` or `apiToken`.",
  }),
  httpPort: setting(port("").default(7070), { about: "Port of the HTTP API; 0 takes a free one." }),
  apiToken: setting(z.string().min(16, "must have at least 16 characters").optional(), {
    about: "One shared bearer token of the HTTP API, with every right. Environment or file only.",
    secret: true,
  }),
  apiTokenFile: setting(z.string().min(1).optional(), {
    about: "Path of a file with the value of `apiToken`. A changed file counts within 5 s.",
  }),
  apiTokensFile: setting(z.string().min(1).optional(), {
    about:
      "Path of a file with the tokens of the HTTP API: name, SHA-256, access and expiry of each (`murmur token new` makes its lines). A changed file counts within 5 s.",
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
  traceUrl: setting(
    z
      .string()
      .refine((text) => /^https?:\/\//.test(text) && text.includes("{traceId}"), {
        message: "must be an http or https URL with {traceId} in it",
      })
      .optional(),
    {
      about:
        "Address of one trace in your tracing system, with `{traceId}` in the place of its id: `task show` and the HTTP API then link each traced task to it.",
    },
  ),
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
  hostId: setting(nameSchema.optional(), {
    about:
      "The id of an agent process as a host of agents; two processes must not share one. In a StatefulSet: the pod's name. Without it: the role and a random part. The processes of `up` always have such ids of their own.",
  }),
  agentClass: setting(classSchema.default(DEFAULT_CLASS), {
    about:
      "The class of the agents of this process: 1–16 of a–z 0–9. NATS permissions are given to classes. `init` creates the stream of placed tasks of this class.",
  }),
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
  createConsumers: setting(onOff().default(false), {
    about:
      "Whether an agent process creates the queue consumers of its capabilities. `up` sets it for its agents. Elsewhere `murmur init` creates them, and agents wait, because a user that may create consumers can read everything.",
  }),
  execAllow: setting(list(), {
    about:
      "Programs that agents may run, by name or absolute path, separated by commas. An agent's own list narrows it. Empty: agents that run commands are refused.",
  }),
  execDirectories: setting(list(), {
    about:
      "Directories that commands of agents may run in, separated by commas. Empty: the working directory.",
  }),
  workflowsDir: setting(z.string().min(1).default("workflows"), {
    about:
      "Folder of the definitions of workflows, which engines load: `<name>.yaml`, `<name>.ts`, or `<name>/workflow.ts`.",
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

/** The settings that decide which streams the swarm has, and their limits. */
const STREAM_SETTINGS = [
  "prefix",
  "replicas",
  "resultDays",
  "deadDays",
  "journalDays",
  "agentClass",
] as const satisfies readonly SettingName[];

/** The values of the settings that decide the streams; null for a setting without a value. */
export function streamValues(config: Config): Record<string, string | number | null> {
  return Object.fromEntries(STREAM_SETTINGS.map((name) => [name, config[name] ?? null]));
}

/** `httpPort` → `MURMUR_HTTP_PORT`. */
export function environmentName(name: SettingName): string {
  return `MURMUR_${name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}
