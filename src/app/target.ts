// Which swarm a command means: the server that flags, environment or file name, else the one that runs in the data
// directory, else a server on this machine's default port.
import { isAbsolute, resolve } from "node:path";
import type { NatsTarget } from "../transport/index.ts";
import type { Config, Sources } from "./config.ts";
import { readRunningSwarm, type SwarmState } from "./supervisor/state.ts";

/** Where nats-server listens when nobody says otherwise. */
const DEFAULT_SERVER = "nats://127.0.0.1:4222";

/** A swarm to connect to. */
export interface Target {
  nats: NatsTarget;
  prefix: string;
  /** The local swarm, when that is what is meant. */
  swarm: SwarmState | null;
  /** The context that named it, for processes that are to connect in the same way; they read it themselves. */
  context: string | undefined;
}

/** @throws SwarmError `not_found` or `invalid_input` for a context that cannot be used. */
export async function resolveTarget(
  config: Config,
  sources: Sources,
  environment: NodeJS.ProcessEnv,
): Promise<Target> {
  const credentials = config.creds === undefined ? {} : { credentials: { file: resolve(config.creds) } };
  if (config.context !== undefined && rank(sources.context) > rank(sources.server)) {
    const { readNatsContext } = await import("../transport/index.ts");
    return {
      nats: { ...readNatsContext(config.context, environment), ...credentials },
      prefix: config.prefix,
      swarm: null,
      context: config.context,
    };
  }
  const context = undefined;
  if (config.server !== undefined) {
    return { nats: { servers: config.server, ...credentials }, prefix: config.prefix, swarm: null, context };
  }
  const swarm = readRunningSwarm(config.data);
  if (swarm === null) {
    return { nats: { servers: DEFAULT_SERVER, ...credentials }, prefix: config.prefix, swarm: null, context };
  }
  const prefix = sources.prefix === "default" ? swarm.prefix : config.prefix;
  return { nats: { servers: swarm.server, ...credentials }, prefix, swarm, context };
}

/** The later in this list, the stronger. */
const SOURCE_KINDS = ["default", "file", "environment", "flag"] as const;

function rank(source: string): number {
  return SOURCE_KINDS.findIndex((kind) => source.startsWith(kind));
}

/** The servers of a target as one URL list. */
export function serversOf({ nats }: Target): string {
  return [nats.servers].flat().join(",");
}

/** A path as seen from a directory. */
export function resolveFrom(directory: string, path: string): string {
  return isAbsolute(path) ? path : resolve(directory, path);
}
