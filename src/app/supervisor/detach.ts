// `up --detach`: runs the supervisor as a process of its own. The starter waits until the swarm is ready and then exits. The
// supervisor keeps none of the caller's descriptors.
// I1: when the starter dies before the swarm is ready, the supervisor stops the swarm and exits.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { createLogger } from "../../base/index.ts";
import { fromWire, SwarmError, toSwarmError, type WireError } from "../../protocol/index.ts";
import type { Config } from "../settings.ts";
import { closeInheritedDescriptors } from "./descriptors.ts";
import { LOG_FILE_BYTES } from "./log-file.ts";
import { MAIN } from "./plan.ts";
import { dataFiles, type SwarmState } from "./state.ts";
import { AlreadyRunning, startSupervisor } from "./supervisor.ts";

/** The order of the starter to the supervisor. */
interface Orders {
  config: Config;
  roles: readonly string[];
  roleFiles: Readonly<Record<string, string>>;
  watch: boolean;
  coordinators: number;
  engines: number;
  wantedEngines: number | undefined;
  httpPort: number | undefined;
  joinServer: string | undefined;
  permissionsFile: string | undefined;
}

/** A message from the supervisor to the starter: any number of steps, then one outcome. */
type Report = { ready: SwarmState } | { alreadyRunning: true } | { error: WireError } | { step: string };

/**
 * Starts a supervisor in a session of its own and resolves when the swarm is ready; null when a swarm runs there already.
 * @throws SwarmError the error that the supervisor reports; the signal's reason when the signal aborts (no process is left then).
 */
export async function startDetached(
  orders: Orders,
  options: { signal: AbortSignal; onStep: (step: string) => void },
): Promise<SwarmState | null> {
  const { logs } = dataFiles(orders.config.data);
  mkdirSync(logs, { recursive: true });
  const file = join(logs, "supervisor.log");
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_FILE_BYTES) truncateSync(file);
  const log = openSync(file, "a", 0o600);
  let child: ChildProcess;
  try {
    child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN], {
      detached: true,
      stdio: ["ignore", log, log, "ipc"],
      env: { ...process.env, MURMUR_DETACHED_SUPERVISOR: "1" },
    });
  } finally {
    closeSync(log);
  }
  return new Promise<SwarmState | null>((resolve, reject) => {
    const settle = () => {
      options.signal.removeEventListener("abort", onAbort);
      child.removeAllListeners();
      if (child.connected) child.disconnect();
      child.unref();
    };
    const fail = (error: unknown) => {
      settle();
      reject(error);
    };
    const onAbort = () => fail(options.signal.reason);
    options.signal.addEventListener("abort", onAbort, { once: true });
    child.once("error", fail);
    child.once("exit", (code, signal) =>
      fail(
        new SwarmError(
          "unavailable",
          `expected the supervisor to report a ready swarm, but it ended (${signal ?? `exit code ${code}`}); see its log: ${file}`,
        ),
      ),
    );
    child.on("message", (report: Report) => {
      if ("step" in report) options.onStep(report.step);
      else if ("error" in report) fail(fromWire(report.error));
      else {
        settle();
        resolve("ready" in report ? report.ready : null);
      }
    });
    child.send(orders);
  });
}

/** The process that {@link startDetached} starts. Resolves to its exit code when the swarm has stopped. */
export async function runDetached(): Promise<number> {
  closeInheritedDescriptors();
  delete process.env.MURMUR_DETACHED_SUPERVISOR;
  const orders = await new Promise<Orders>((resolve) => process.once("message", resolve));
  const log = createLogger({ name: "supervisor", level: orders.config.logLevel });
  const say = (report: Report) => {
    if (process.connected) process.send?.(report, undefined, undefined, () => undefined);
  };
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupted.abort(new SwarmError("cancelled", `stopped by ${signal}`)));
  }
  const onStarterGone = () =>
    interrupted.abort(new SwarmError("cancelled", "the process that started the swarm is gone"));
  process.once("disconnect", onStarterGone); // I1
  try {
    const supervisor = await startSupervisor({
      ...orders,
      environment: process.env,
      log,
      onStep: (step) => say({ step }),
      signal: interrupted.signal,
    });
    process.off("disconnect", onStarterGone);
    say({ ready: supervisor.state });
    await supervisor.stopped;
    return 0;
  } catch (error) {
    if (error instanceof AlreadyRunning) say({ alreadyRunning: true });
    else {
      log.error({ err: error }, "swarm did not start; the starter gets the error");
      say({ error: toSwarmError(error).toWire() });
    }
    return 1;
  } finally {
    if (process.connected) process.disconnect();
  }
}
