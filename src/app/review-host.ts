// The program of a review's agent processes, in a swarm that a review starts for itself: the agents that its arguments name, their host and
// worker, and nothing else. `agent run` also has settings, probes, metrics, traces, discovery and an audit log, which no one asks for in
// such a swarm; they take most of the time of its start. It needs a supervisor (supervisor/plan.ts), whose environment it reads.
// I1: it ends at SIGTERM, and when its supervisor is gone. The supervisor kills a process that does not end within its grace.
import { enableCompileCache } from "node:module";
import { z } from "zod";
import { type AgentDefinition, createHost } from "../agent/index.ts";
import {
  createLogger,
  createSilentMeter,
  type Logger,
  newInstanceId,
  type Service,
  silentLogger,
  stopAll,
  untilAborted,
} from "../base/index.ts";
import { createExec } from "../bridges/index.ts";
import { createSubjects, DEFAULT_CLASS, encode, SwarmError, toSwarmError } from "../protocol/index.ts";
import { connectNats, type Transport } from "../transport/index.ts";
import { createWorker } from "../work/index.ts";
import { waitForPlacedStream, waitForStreams } from "./processes/streams.ts";
import { isSupervised, joinSupervisor } from "./supervisor/supervisor-link.ts";
import { VERSION } from "./version.ts";

enableCompileCache();

/** The settings of the supervisor that this process reads; the names are those of the other processes. */
const environmentSchema = z.object({
  MURMUR_SERVER: z.string().min(1),
  MURMUR_PREFIX: z.string().min(1),
  MURMUR_LOG_LEVEL: z.string().default("info"),
  MURMUR_SILENCE_MS: z.coerce.number().positive(),
  MURMUR_DRAIN_GRACE_MS: z.coerce.number().positive(),
  MURMUR_AGENT_CLASS: z.string().optional(),
  /** Names with commas; empty for a process whose agents run no programs. */
  MURMUR_EXEC_ALLOW: z.string().default(""),
  MURMUR_EXEC_DIRECTORIES: z.string().default(""),
});
type Settings = z.output<typeof environmentSchema>;

/** The agents of a review. Each is loaded only by a process that runs it. */
const AGENTS: Readonly<Record<string, () => Promise<{ default: AgentDefinition }>>> = {
  "review-architecture": () => import("../../agents/review-architecture/agent.ts"),
  "review-biome": () => import("../../agents/review-biome/agent.ts"),
  "review-docs": () => import("../../agents/review-docs/agent.ts"),
  "review-eslint": () => import("../../agents/review-eslint/agent.ts"),
  "review-oxlint": () => import("../../agents/review-oxlint/agent.ts"),
  "review-performance": () => import("../../agents/review-performance/agent.ts"),
  "review-security": () => import("../../agents/review-security/agent.ts"),
  "review-tests": () => import("../../agents/review-tests/agent.ts"),
};

/** The levels at which people ask for the log of a review's own processes. */
const TOLD: ReadonlySet<string> = new Set(["trace", "debug"]);

process.exit(await main(process.argv.slice(2)));

async function main(roles: readonly string[]): Promise<number> {
  try {
    if (!isSupervised()) throw new SwarmError("invalid_input", "expected a supervisor; use `murmur review`");
    const settings = environmentSchema.parse(process.env);
    const { MURMUR_LOG_LEVEL: level } = settings;
    const log = TOLD.has(level) ? createLogger({ name: "review-host", level }) : silentLogger;
    await runHost(await loadAgents(roles), settings, log);
    return 0;
  } catch (error) {
    // The supervisor quotes the last lines of a process that does not start.
    process.stderr.write(`${toSwarmError(error).message}\n`);
    return 1;
  }
}

async function loadAgents(roles: readonly string[]): Promise<AgentDefinition[]> {
  return Promise.all(
    roles.map(async (role) => {
      const load = AGENTS[role];
      if (load !== undefined) return (await load()).default;
      throw new SwarmError(
        "invalid_input",
        `expected agents of a review, got ${JSON.stringify(role)}; known: ${Object.keys(AGENTS).join(", ")}`,
      );
    }),
  );
}

/** Runs the agents until SIGTERM, or until the supervisor is gone (I1). */
async function runHost(
  definitions: readonly AgentDefinition[],
  settings: Settings,
  log: Logger,
): Promise<void> {
  const hostId = newInstanceId("review");
  const stopper = new AbortController();
  const { signal } = stopper;
  const stop = (why: string) => stopper.abort(new SwarmError("cancelled", why));
  for (const name of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
    process.on(name, () => stop(`stopped by ${name}`));
  let transport: Transport | undefined;
  const supervisor = joinSupervisor({
    processId: hostId,
    silenceMs: settings.MURMUR_SILENCE_MS,
    onOrphaned: () => stop("the supervisor is gone"),
    // The office then gives the dead process's seats to another one at once.
    onDeath: (died) => transport?.bus.publish(createSubjects(transport.prefix).gone(died), encode({})),
  });
  const meter = createSilentMeter();
  const started: Service[] = [];
  try {
    transport = await connectNats({
      servers: settings.MURMUR_SERVER,
      prefix: settings.MURMUR_PREFIX,
      name: `murmur-review ${hostId}`,
      log,
      meter,
      signal,
      waitOnFirstConnect: true,
    });
    const { MURMUR_AGENT_CLASS: agentClass } = settings;
    const parts = { transport, meter, log, hostId, agentClass };
    await waitForStreams({ transport, log, signal, tell: () => undefined });
    const placed = { agentClass: agentClass ?? DEFAULT_CLASS, hostId, log, signal };
    await untilAborted(
      waitForPlacedStream(transport, placed, () => undefined),
      signal,
    );
    const host = createHost({
      ...parts,
      role: "review",
      version: VERSION,
      exec: execOf(settings),
      roles: definitions.map((definition) => ({ definition })),
    });
    const worker = createWorker({ ...parts, workforce: host.workforce, capabilities: host.capabilities });
    for (const service of [host.service, worker]) {
      started.push(service); // before its start: a start that fails half-way is stopped too
      await untilAborted(service.start(), signal);
    }
    await transport.bus.flush();
    supervisor.ready();
    await untilAborted(new Promise<never>(() => undefined), signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    await stopAll(started);
    await transport?.close();
    supervisor.leave();
  }
}

/** The analysers' programs, for the agents that run some. */
function execOf({ MURMUR_EXEC_ALLOW: allow, MURMUR_EXEC_DIRECTORIES: directories }: Settings) {
  const [first, ...more] = directories.split(",").filter((path) => path !== "");
  if (allow === "" || first === undefined) return undefined;
  return createExec({ allow: allow.split(","), directories: [first, ...more] });
}
