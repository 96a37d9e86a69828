// The processes of a local swarm: takes roles and counts, gives commands with arguments and environments. Pure.
import { fileURLToPath } from "node:url";
import { checkToken, LANES, SwarmError } from "../../protocol/index.ts";
import { CONNECTION_SETTINGS } from "../connection-settings.ts";
import { type Config, environmentName, settingFacts } from "../settings.ts";
import { agentEnvironment, type LocalUsers } from "./permissions.ts";
import { NATS_ACCOUNTS } from "./state.ts";

/** The limit of agent processes for one `up`: each is a Node process of 60 MB or more. */
export const MAX_AGENT_PROCESSES = 256;

/** The limit of engines for one `up`: there are eight lanes. */
export const MAX_ENGINES = LANES.length;

/** One process to start. */
export interface ProcessPlan {
  role: string;
  /** The number within the role, from 1. */
  number: number;
  /** Unique in the swarm, for example `echo-1`. */
  name: string;
  command: string;
  args: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  /** Its working directory; undefined: that of the supervisor. */
  directory?: string | undefined;
  /** The URL of its /metrics; null for nats-server. */
  metrics: string | null;
}

/** The roles of the other processes of a swarm. An agent of such a role could not be told from them. */
export const RESERVED_ROLES: readonly string[] = ["nats", "api", "coordinator", "engine"];

/** The role of each agent process that `--agents` asks for: `echo*2,review` → echo, echo, review. */
export function parseAgents(list: string): string[] {
  const roles = list
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "")
    .flatMap((part) => {
      const [role = "", count = "1", ...rest] = part.split("*");
      checkToken(role.trim(), "agents");
      if (RESERVED_ROLES.includes(role.trim())) {
        throw new SwarmError(
          "invalid_input",
          `--agents: ${role.trim()} is the name of another process of every swarm; rename the folder of the agent`,
          { field: "agents" },
        );
      }
      if (rest.length > 0 || !/^\d{1,4}$/.test(count.trim())) {
        throw new SwarmError(
          "invalid_input",
          `--agents must be roles with counts such as echo,review*2, got ${JSON.stringify(part.slice(0, 80))}`,
          { field: "agents" },
        );
      }
      return Array.from({ length: Number(count) }, () => role.trim());
    });
  if (roles.length <= MAX_AGENT_PROCESSES) return roles;
  throw new SwarmError(
    "invalid_input",
    `--agents asks for ${roles.length} processes; at most ${MAX_AGENT_PROCESSES} fit one up (an agent process holds many agents: give the role more slots)`,
    { field: "agents" },
  );
}

/** The entry file of the program, as source or compiled. */
export const MAIN = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../main.ts" : "../main.js", import.meta.url),
);

/** The facts that all processes of a swarm share. */
export interface PlanFacts {
  config: Config;
  server: string;
  /** False when the swarm joins a server that runs already: then the processes get its credentials. */
  ownServer: boolean;
  environment: Readonly<Record<string, string | undefined>>;
  /** The working directory of the processes; undefined: that of the supervisor. */
  directory?: string | undefined;
  /** The users of a swarm with permissions; undefined: no process needs one. */
  users?: LocalUsers | undefined;
  /** The roles of agents that the processes of a role load; default: that role alone. Several roles in one process share its memory. */
  loads?: Readonly<Record<string, readonly string[]>> | undefined;
  /** The roles whose processes may only read: Node refuses them writes, programs and workers. Default: none. */
  readOnlyRoles?: ReadonlySet<string> | undefined;
  /** The program of the agent processes, which gets the roles as its arguments; default: `agent run` of this program. */
  agentProgram?: string | undefined;
}

/**
 * The rights of a process that may only read (https://nodejs.org/api/permissions.html). Native code is allowed, because parsers are native.
 * From Node 25 on the network is a right of its own, which the bus needs.
 */
function readOnlyFlags(): string[] {
  const network = process.allowedNodeEnvironmentFlags.has("--allow-net") ? ["--allow-net"] : [];
  // Node warns of each such process that native code is allowed.
  return [
    "--disable-warning=SecurityWarning",
    "--permission",
    "--allow-fs-read=*",
    "--allow-addons",
    ...network,
  ];
}

/** Plans the Murmur processes of a swarm one by one. `metricsPort`: the port of the probes and metrics of the process. */
export interface Planner {
  api(options: { httpPort: number; metricsPort: number }): ProcessPlan;
  /** Coordinator `number` of `count`; the ids are `coordinator-1` and so on. */
  coordinator(options: { number: number; count: number; metricsPort: number }): ProcessPlan;
  agent(options: { role: string; number: number; metricsPort: number }): ProcessPlan;
  engine(options: { number: number; metricsPort: number }): ProcessPlan;
  /** Creates the streams and ends: a swarm with permissions needs it before its other processes are ready. */
  init(): ProcessPlan;
}

/** Makes the plans of a swarm whose server is known. */
export function createPlanner({
  config,
  server,
  ownServer,
  environment,
  directory,
  users,
  loads = {},
  readOnlyRoles = new Set(),
  agentProgram,
}: PlanFacts): Planner {
  const common: Record<string, string | undefined> = {
    ...environment,
    MURMUR_PREFIX: config.prefix,
    MURMUR_SERVER: server,
    MURMUR_LOG_LEVEL: config.logLevel,
    MURMUR_LOG_FORMAT: "json",
    MURMUR_METRICS_HOST: "127.0.0.1",
    MURMUR_DRAIN_GRACE_MS: String(config.drainGraceMs),
    MURMUR_SILENCE_MS: String(config.silenceMs),
    MURMUR_AGENTS_DIR: config.agentsDir,
    MURMUR_WORKFLOWS_DIR: config.workflowsDir,
    MURMUR_DATA: config.data,
    MURMUR_RESULT_DAYS: config.resultDays?.toString(),
    MURMUR_DEAD_DAYS: config.deadDays?.toString(),
    MURMUR_JOURNAL_DAYS: config.journalDays?.toString(),
    // With permissions only the user of init may create them.
    MURMUR_CREATE_CONSUMERS: String(users === undefined),
    MURMUR_EXEC_ALLOW: config.execAllow.join(","),
    MURMUR_EXEC_DIRECTORIES: config.execDirectories.join(","),
  };
  // These settings alone decide where the children connect: the environment of the caller must not override them.
  for (const name of ["server", "context", ...CONNECTION_SETTINGS] as const) {
    for (const variable of settingFacts(name).env ?? []) common[variable] = undefined;
  }
  for (const name of CONNECTION_SETTINGS)
    common[environmentName(name)] = ownServer ? undefined : config[name]?.toString();
  common.MURMUR_SERVER_FILE = undefined;
  common.MURMUR_CONTEXT = ownServer ? undefined : config.context;
  if (common.MURMUR_CONTEXT !== undefined) common.MURMUR_SERVER = undefined;
  const apply = ownServer ? ["--apply"] : [];
  const creation = users === undefined ? ["--init", ...apply] : [];
  const plan = (
    place: { role: string; number: number; metricsPort: number },
    args: readonly string[],
    extra: Record<string, string | undefined> = {},
    program = MAIN,
  ): ProcessPlan => ({
    role: place.role,
    number: place.number,
    name: `${place.role}-${place.number}`,
    command: process.execPath,
    args: [
      `--max-old-space-size=${config.heapMb}`,
      "--disable-warning=ExperimentalWarning",
      ...(readOnlyRoles.has(place.role) ? readOnlyFlags() : []),
      program,
      ...args,
    ],
    environment: { ...common, MURMUR_METRICS_PORT: String(place.metricsPort), ...extra },
    directory,
    metrics: `http://127.0.0.1:${place.metricsPort}/metrics`,
  });
  return {
    api: ({ httpPort, metricsPort }) =>
      plan({ role: "api", number: 1, metricsPort }, ["api", ...creation], {
        ...users?.environmentOf("api"),
        MURMUR_PERMISSIONS_FILE: users?.path,
        MURMUR_HTTP_HOST: config.httpHost,
        MURMUR_HTTP_PORT: String(httpPort),
        MURMUR_API_TOKEN: config.apiTokenFile === undefined ? config.apiToken : undefined,
        MURMUR_API_TOKEN_FILE: config.apiTokenFile,
        MURMUR_API_TOKENS_FILE: config.apiTokensFile,
      }),
    coordinator: ({ number, count, metricsPort }) =>
      plan({ role: "coordinator", number, metricsPort }, ["coordinator"], {
        ...users?.environmentOf(users.coordinatorUser(`coordinator-${number}`)),
        MURMUR_COORDINATOR_ID: `coordinator-${number}`,
        MURMUR_COORDINATORS: Array.from({ length: count }, (_, index) => `coordinator-${index + 1}`).join(),
      }),
    agent: (place) =>
      plan(
        place,
        [...(agentProgram === undefined ? ["agent", "run"] : []), ...(loads[place.role] ?? [place.role])],
        users === undefined ? {} : agentEnvironment(place.role, users),
        agentProgram,
      ),
    engine: ({ number, metricsPort }) =>
      plan({ role: "engine", number, metricsPort }, ["engine"], users?.environmentOf("engine")),
    init: () =>
      plan(
        { role: "init", number: 1, metricsPort: 0 },
        ["init", "--apply", ...(users === undefined ? [] : ["--permissions", users.path])],
        users?.environmentOf("init"),
      ),
  };
}

/** The processes of a swarm without nats-server: one api process, the coordinators, and one process for each role given. */
export function planProcesses(
  options: PlanFacts & {
    roles: readonly string[];
    /** The number of coordinators. */
    coordinators: number;
    /** The number of engines; default none. */
    engines?: number | undefined;
    /** The port of the api process; undefined: no api process. */
    httpPort: number | undefined;
    /** One port for the api, one for each coordinator, one for each role and one for each engine. */
    metricsPorts: readonly number[];
  },
): ProcessPlan[] {
  const { roles, coordinators, httpPort, engines = 0 } = options;
  const planner = createPlanner(options);
  const [apiMetricsPort = 0, ...ports] = options.metricsPorts;
  const counts = new Map<string, number>();
  return [
    ...(httpPort === undefined ? [] : [planner.api({ httpPort, metricsPort: apiMetricsPort })]),
    ...Array.from({ length: coordinators }, (_, index) =>
      planner.coordinator({ number: index + 1, count: coordinators, metricsPort: ports[index]! }),
    ),
    ...roles.map((role, index) => {
      const number = (counts.get(role) ?? 0) + 1;
      counts.set(role, number);
      return planner.agent({ role, number, metricsPort: ports[coordinators + index]! });
    }),
    ...Array.from({ length: engines }, (_, index) =>
      planner.engine({ number: index + 1, metricsPort: ports[coordinators + roles.length + index]! }),
    ),
  ];
}

/** The private nats-server: on loopback only, with its store under the data directory. */
export function planNats(options: { config: Config; configFile: string }): ProcessPlan {
  return {
    role: "nats",
    number: 1,
    name: "nats-1",
    command: options.config.natsServer,
    args: ["--config", options.configFile],
    environment: process.env,
    metrics: null,
  };
}

/** The configuration of nats-server. Strings are written as JSON, which its format accepts. */
export function natsConfig(options: {
  port: number;
  storeDir: string;
  logFile: string;
  sync: Config["sync"];
  /** True: the accounts are in {@link NATS_ACCOUNTS}, beside this file. */
  hasAccounts?: boolean;
}): string {
  return [
    "# Written by `murmur up`; changes are lost at its next start.",
    'host: "127.0.0.1"',
    `port: ${options.port}`,
    'server_name: "murmur"',
    `log_file: ${JSON.stringify(options.logFile)}`,
    "logfile_size_limit: 10MB",
    "logfile_max_num: 2",
    // Bodies over 512 KiB travel as blobs, in pieces of 128 KiB; the default of 1 MiB leaves room for headers.
    "max_payload: 1MB",
    "jetstream {",
    `  store_dir: ${JSON.stringify(options.storeDir)}`,
    // nats-server reserves the limits of streams against this figure, so it must not depend on free disk space.
    "  max_file_store: 1TB",
    "  max_memory_store: 256MB",
    `  sync_interval: ${options.sync === "always" ? "always" : '"2m"'}`,
    "}",
    // nats-server takes the path from the folder of this file.
    ...(options.hasAccounts === true ? [`include ${JSON.stringify(NATS_ACCOUNTS)}`] : []),
    "",
  ].join("\n");
}
