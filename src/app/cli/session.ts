// The session of one command: its settings, terminal and log, its interrupts, and connections that are made when they are needed.
import {
  createLazyLogger,
  createLogger,
  createSilentMeter,
  newInstanceId,
  silentLogger,
} from "../../base/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { TaskClient } from "../../work/index.ts";
import { findUnknownVariables, loadConfig } from "../config.ts";
import { withinTimeout } from "../operations/time-limit.ts";
import type { Advisor } from "../permissions/index.ts";
import { type SettingName, streamLimits } from "../settings.ts";
import { SUPERVISED } from "../supervisor/supervisor-link.ts";
import type { LocalRole } from "../target.ts";
import type { Tracing } from "../tracing/sdk.ts";
import type { Ports } from "./command.ts";
import { showLogLine } from "./log-lines.ts";
import { createTerminal, type TerminalStream } from "./terminal.ts";

/** How long a command waits for the swarm without --timeout, in ms. */
export const READ_TIMEOUT_MS = 5_000;
/**
 * The share of the timeout between two pings of a command's connection: three of them without an answer mean that the
 * server hangs, and a quarter of the timeout is left for another server.
 */
const PINGS_PER_TIMEOUT = 4;
/** The shortest time between two pings, in ms: a busy machine answers later than a short timeout would allow. */
const MIN_PING_INTERVAL_MS = 250;
/** The longest time limit of one attempt to connect, in ms; several servers share a shorter timeout. */
const MAX_ATTEMPT_MS = 5_000;

/** Opens a session. An interrupt aborts its signal; a second interrupt ends the process at once. */
export async function openSession(
  input: { flags: Partial<Record<SettingName, unknown>>; file: string | null | undefined; json: boolean },
  world: {
    environment: NodeJS.ProcessEnv;
    directory: string;
    /** Where progress is shown; default the process's standard error. */
    stderr?: TerminalStream | undefined;
  },
): Promise<{
  ports: Omit<Ports, "answer" | "print" | "json">;
  /** The error, with the advice of the front door in the place of a guess. */
  explain(error: unknown): Promise<unknown>;
  close(): Promise<void>;
}> {
  const { environment, directory, stderr } = world;
  const { config, sources } = await loadConfig({ ...input, environment, directory });
  const terminal = createTerminal({ quiet: input.json, environment, stream: stderr });
  warnOfUnknownVariables(environment, config.logLevel, stderr ?? process.stderr);
  const pretty =
    config.logFormat === "pretty" || (config.logFormat === "auto" && process.stderr.isTTY === true);
  const write = (line: string) => {
    process.stderr.write(`${showLogLine(line.trimEnd(), "murmur", terminal.colors)}\n`);
  };
  const log = createLazyLogger(() =>
    createLogger({ name: "murmur", level: config.logLevel, ...(pretty ? { stream: { write } } : {}) }),
  );
  const controller = new AbortController();
  const closing = new AbortController();
  const interrupts = followInterrupts(controller);
  let transport: Promise<Transport> | undefined;
  let advisor: Advisor | undefined;
  let traces: Promise<Tracing> | undefined;
  let tasks: Promise<TaskClient> | undefined;

  const connect = async (role: LocalRole | undefined) => {
    const [{ connectNats }, { refuseDeadSwarm, resolveTarget }] = await Promise.all([
      import("../../transport/index.ts"),
      import("../target.ts"),
    ]);
    const target = await resolveTarget(config, sources, environment, { role });
    refuseDeadSwarm(target, config.data);
    const { inboxPrefix } = target.nats;
    if (inboxPrefix !== undefined) {
      const { createAdvisor } = await import("../permissions/index.ts");
      advisor = createAdvisor(
        { inboxPrefix, prefix: target.prefix },
        () => null,
        (user) => async (refused) => {
          const { askForAdvice } = await import("../../work/index.ts");
          return askForAdvice({ transport: await ports.transport(), user }, refused);
        },
      );
    }
    const timeoutMs = config.timeoutMs ?? READ_TIMEOUT_MS;
    const servers = [target.nats.servers].flat().flatMap((text) => text.split(","));
    return withinTimeout(
      connectNats({
        ...target.nats,
        name: "murmur-cli",
        prefix: target.prefix,
        advise: advisor?.advise,
        replicas: config.replicas,
        limits: streamLimits(config),
        // The command's own answer contains the error; the client's log lines would only repeat it.
        log: config.logLevel === "debug" || config.logLevel === "trace" ? log : silentLogger,
        meter: createSilentMeter(),
        signal: AbortSignal.any([controller.signal, closing.signal]),
        connectTimeoutMs: Math.max(1, Math.min(MAX_ATTEMPT_MS, timeoutMs / servers.length)),
        pingIntervalMs: Math.max(MIN_PING_INTERVAL_MS, timeoutMs / PINGS_PER_TIMEOUT),
      }),
      timeoutMs,
      "no NATS server answered",
      (late) => void late.close(),
    );
  };
  const startTraces = () => {
    traces ??= import("../tracing/sdk.ts").then(({ startTracing }) =>
      startTracing(environment, {
        service: "cli",
        processId: newInstanceId("cli"),
        log,
        meter: createSilentMeter(),
      }),
    );
    return traces;
  };
  const ports: Omit<Ports, "answer" | "print" | "json"> = {
    config,
    sources,
    log,
    terminal,
    signal: controller.signal,
    directory,
    environment,
    transport: (role) => {
      // A failed attempt is not kept, so that a command that waits for NATS can try again.
      transport ??= connect(role).catch((error: unknown) => {
        transport = undefined;
        throw error;
      });
      return transport;
    },
    tasks: ({ isTraced } = { isTraced: false }) => {
      tasks ??= ports.transport().then(async (connected) => {
        const { createTaskClient } = await import("../../work/index.ts");
        const tracer = isTraced ? (await startTraces()).tracer : undefined;
        return createTaskClient({ transport: connected, meter: createSilentMeter(), tracer });
      });
      tasks.catch(() => {
        tasks = undefined;
      });
      return tasks;
    },
    readInput,
  };
  return {
    ports,
    async explain(error) {
      const failure = toSwarmError(error);
      const guess = failure.code === "not_permitted" ? advisor?.guessIn(failure.message) : undefined;
      if (advisor === undefined || guess === undefined) return error;
      const message = failure.message.replace(guess, await advisor.better(guess));
      return new SwarmError("not_permitted", message, { field: failure.field, cause: error });
    },
    close: async () => {
      interrupts.close();
      closing.abort(new SwarmError("cancelled", "the command has ended")); // ends an attempt that took too long
      (await tasks?.catch(() => undefined))?.close();
      await (await traces?.catch(() => undefined))?.close();
      await (await transport?.catch(() => undefined))?.close();
    },
  };
}

let isWarned = false;

/**
 * Tells people about misspelt settings, once in a process. Processes of a supervisor have its environment, so they leave it to the
 * supervisor's own process.
 */
function warnOfUnknownVariables(
  environment: NodeJS.ProcessEnv,
  logLevel: string,
  stderr: { write(text: string): unknown },
): void {
  if (isWarned || environment[SUPERVISED] !== undefined || ["error", "fatal", "silent"].includes(logLevel))
    return;
  isWarned = true;
  for (const line of findUnknownVariables(environment)) stderr.write(`murmur: warning: ${line}\n`);
}

/** Waits for a read of the swarm for the session's timeout. @throws SwarmError `unavailable`. */
export function reading<T>(ports: Ports, work: Promise<T>): Promise<T> {
  return withinTimeout(work, ports.config.timeoutMs ?? READ_TIMEOUT_MS, "the swarm did not answer");
}

const INTERRUPTS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function followInterrupts(controller: AbortController): { close(): void } {
  const onInterrupt = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(signal === "SIGINT" ? 130 : 143);
    controller.abort(new SwarmError("cancelled", `stopped by ${signal}`));
  };
  for (const signal of INTERRUPTS) process.on(signal, onInterrupt);
  return {
    close: () => {
      for (const signal of INTERRUPTS) process.off(signal, onInterrupt);
    },
  };
}

/** The most bytes that are read from standard input: the largest body of a task. */
const INPUT_LIMIT_BYTES = 64 * 1024 * 1024;

async function readInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin) {
    bytes += (chunk as Buffer).length;
    if (bytes > INPUT_LIMIT_BYTES) {
      throw new SwarmError("payload_too_large", `standard input is over ${INPUT_LIMIT_BYTES} bytes`, {
        field: "input",
      });
    }
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
