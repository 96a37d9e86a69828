// The settings of a benchmark, and the tools that each of its scenarios gets.
import type { BenchProcess } from "./bench-child.ts";
import type { ProcessSetup } from "./bench-process.ts";
import type { BenchScenario } from "./figure.ts";

/** The settings of a benchmark. */
export interface BenchOptions {
  scenarios: readonly BenchScenario[];
  rounds: number;
  /** The number of tasks in one throughput round. */
  tasks: number;
  /** The number of tasks in the queue scenario. */
  queued: number;
  idleAgents: number;
  /** The URL of a server with JetStream; the benchmark fills its streams. */
  servers: string;
  /** The process id of that server, for its CPU time; null when it is unknown. */
  serverPid: number | null;
  /** A second server, with permissions; only for the scenario `permissions`. */
  guarded?: GuardedBench | undefined;
  roleDirectories: readonly string[];
  onProgress(text: string): void;
  signal: AbortSignal;
}

/**
 * A server with the permissions of a file, and the users of the two processes. An api process runs at it, which reads the journals of
 * redelivered tasks for the agent, and one at the server without permissions, so that both sides bear its cost. They made the streams.
 */
export interface GuardedBench {
  readonly servers: string;
  readonly serverPid: number | null;
  /** The prefix of the streams at both servers. */
  readonly prefix: string;
  readonly agent: NonNullable<ProcessSetup["user"]>;
  readonly publisher: NonNullable<ProcessSetup["user"]>;
}

/** The tools of one scenario. */
export interface ScenarioTools extends BenchOptions {
  names: { murmur: string; bare: string };
  open(kind: ProcessSetup["kind"], prefix: string, more?: Partial<ProcessSetup>): Promise<BenchProcess>;
  closeAll(): Promise<unknown>;
}
