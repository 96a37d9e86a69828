// Finds the swarm of a command: on the server that flags, environment or file name; else the swarm that runs in the data directory;
// else on a server at this machine's default port.
import { isAbsolute, resolve } from "node:path";
import { SwarmError } from "../protocol/index.ts";
import type { NatsTarget } from "../transport/index.ts";
import { rankOfSource, type Sources } from "./config.ts";
import { connectionOf } from "./connection-settings.ts";
import { readPermissions, seedFile } from "./permissions/index.ts";
import type { Config } from "./settings.ts";
import { isAlive } from "./supervisor/identity.ts";
import {
  dataFiles,
  readOwnRunningSwarm,
  readRunningSwarm,
  readState,
  type SwarmState,
} from "./supervisor/state.ts";

/** The default address of nats-server. */
const DEFAULT_SERVER = "nats://127.0.0.1:4222";

/** A swarm to connect to. */
export interface Target {
  nats: NatsTarget;
  prefix: string;
  /** The local swarm of the data directory; null when the target is another server. */
  swarm: SwarmState | null;
  /** The local swarm whose supervisor died without stopping it; null when the settings name another server. */
  deadSwarm: SwarmState | null;
  /** The context that named the server. Processes that must connect in the same way read the context themselves. */
  context: string | undefined;
}

/**
 * @param options.role the role whose user connects to a local swarm with permissions; default `api`.
 * @param options.isTrusted false when the data directory may be a stranger's: then only a swarm of this user counts; default true.
 * @throws SwarmError `not_found` or `invalid_input` for a context or settings that cannot be used.
 */
export async function resolveTarget(
  config: Config,
  sources: Sources,
  environment: NodeJS.ProcessEnv,
  { isTrusted = true, role = "api" }: { isTrusted?: boolean; role?: LocalRole | undefined } = {},
): Promise<Target> {
  const named = { swarm: null, deadSwarm: null };
  const connection = connectionOf(config, sources);
  if (config.context !== undefined && rankOfSource(sources.context) > rankOfSource(sources.server)) {
    const { readNatsContext } = await import("../transport/index.ts");
    return {
      ...named,
      nats: { ...readNatsContext(config.context, environment), ...connection },
      prefix: config.prefix,
      context: config.context,
    };
  }
  const context = undefined;
  if (config.server !== undefined) {
    return { ...named, nats: { servers: config.server, ...connection }, prefix: config.prefix, context };
  }
  const swarm = isTrusted ? readRunningSwarm(config.data) : readOwnRunningSwarm(config.data);
  if (swarm === null) {
    const nats = { servers: DEFAULT_SERVER, ...connection };
    const deadSwarm = isTrusted ? findDeadSwarm(config.data) : null;
    return { ...named, nats, prefix: config.prefix, context, deadSwarm };
  }
  const prefix = sources.prefix === "default" ? swarm.prefix : config.prefix;
  const user = swarm.permissions === null ? {} : await userOf(role, swarm.permissions);
  return { nats: { servers: swarm.server, ...user, ...connection }, prefix, swarm, deadSwarm: null, context };
}

/** A role that commands of the data directory connect as; any coordinator stands for all. */
export type LocalRole = "api" | "init" | "coordinator";

async function userOf(role: LocalRole, { file, keys }: { file: string; keys: string }) {
  if (role !== "coordinator") return localUser(keys, role);
  const [first] = (await readPermissions(file)).coordinators;
  return localUser(keys, first ?? "coordinator-1");
}

/**
 * The means to connect to a local swarm with permissions as one of its users. Commands of the data directory connect as `api`, whose
 * rights cover most operations: who may read the directory has all keys.
 */
export function localUser(keys: string, user: string): Omit<NatsTarget, "servers"> {
  return { credentials: { nkeyFile: seedFile(keys, user) }, inboxPrefix: `_INBOX.${user}` };
}

function findDeadSwarm(dataDir: string): SwarmState | null {
  const state = readState(dataDir);
  return state === null || isAlive(state.supervisor) ? null : state;
}

/**
 * Refuses a command for a swarm that died, so that no other server answers for it.
 * @throws SwarmError `unavailable` naming the swarm and the next step.
 */
export function refuseDeadSwarm({ deadSwarm }: Target, dataDir: string): void {
  if (deadSwarm === null) return;
  throw new SwarmError(
    "unavailable",
    `the swarm of ${dataFiles(dataDir).root} is dead: its supervisor (pid ${deadSwarm.supervisor.pid}) is gone. murmur up starts it again with its data, murmur down ends its remaining processes, --server asks another server`,
  );
}

/** The servers of a target as one URL list. */
export function serversOf({ nats }: Target): string {
  return [nats.servers].flat().join(",");
}

/** A path as seen from a directory. */
export function resolveFrom(directory: string, path: string): string {
  return isAbsolute(path) ? path : resolve(directory, path);
}
