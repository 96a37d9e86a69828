// The cluster of `npm run test:k8s`, through kubectl and Helm. Owns the commands, and the facts that are read from pods.
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import type { Ran } from "./chart.ts";

/** The interval between two looks at the pods, in ms. */
const LOOK_MS = 500;
/** The longest run of one command, in ms. */
const COMMAND_MS = 120_000;

/** The facts that process 1 of a pod shows about itself: its start in ms since 1970, and its resident memory in bytes. */
const PROCESS_FACTS = `const { readFileSync: read } = require("node:fs");
const rss = Number(/VmRSS:\\s+(\\d+)/.exec(read("/proc/1/status", "utf8"))[1]) * 1024;
const startTicks = Number(read("/proc/1/stat", "utf8").replace(/^.*\\) /s, "").split(" ")[19]);
const uptimeMs = Number(read("/proc/uptime", "utf8").split(" ")[0]) * 1000;
console.log(JSON.stringify({ rss, startedMs: Date.now() - uptimeMs + startTicks * 10 }));`;

/** A pod, as far as the steps read it. */
export interface PodFacts {
  readonly name: string;
  readonly component: string;
  readonly isReady: boolean;
  readonly isEnding: boolean;
  readonly restarts: number;
  /** From the start of its container to its readiness, in s; null while it is not ready. The cluster has whole seconds. */
  readonly readyAfterS: number | null;
}

/** The facts of process 1 of a pod of Murmur. */
export interface ProcessFacts {
  /** Its resident memory, in MB. */
  readonly residentMb: number;
  /** From its start to its log line "… ready", in ms; null while it has none. */
  readonly readyMs: number | null;
}

interface Pod {
  metadata: { name: string; labels?: Record<string, string>; deletionTimestamp?: string };
  spec: { nodeName?: string };
  status: {
    conditions?: { type: string; status: string; lastTransitionTime: string }[];
    containerStatuses?: { restartCount: number; state: { running?: { startedAt: string } } }[];
  };
}

/** One namespace of a cluster. Every command that fails is an error with the output of the program. */
export class Cluster {
  readonly namespace: string;
  /** Warnings of the admission controller about Pod Security. */
  readonly warnings: string[] = [];

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  /** @throws Error with the output of kubectl. */
  async kubectl(args: readonly string[], input?: string): Promise<string> {
    return this.#must("kubectl", await runAside("kubectl", ["--namespace", this.namespace, ...args], input));
  }

  /** @throws Error with the output of Helm. */
  async helm(args: readonly string[]): Promise<string> {
    return this.#must("helm", await runAside("helm", ["--namespace", this.namespace, ...args]));
  }

  #must(name: string, { status, stdout, stderr }: Ran): string {
    this.warnings.push(...stderr.split("\n").filter((line) => /would violate PodSecurity/.test(line)));
    if (status !== 0) throw new Error(`${name} failed: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  }

  /** The pods of the swarm, without those of finished Jobs and tests. */
  async pods(): Promise<PodFacts[]> {
    const { items } = JSON.parse(await this.kubectl(["get", "pods", "--output", "json"])) as { items: Pod[] };
    return items.flatMap(({ metadata, status }) => {
      const component = metadata.labels?.["app.kubernetes.io/component"] ?? "";
      if (!["nats", "coordinator", "api", "engine", "agent"].includes(component)) return [];
      const ready = status.conditions?.find(({ type }) => type === "Ready");
      const container = status.containerStatuses?.[0];
      const startedAt = container?.state.running?.startedAt;
      const isReady = ready?.status === "True";
      return [
        {
          name: metadata.name,
          component,
          isReady,
          isEnding: metadata.deletionTimestamp !== undefined,
          restarts: container?.restartCount ?? 0,
          readyAfterS:
            isReady && startedAt !== undefined
              ? (Date.parse(ready.lastTransitionTime) - Date.parse(startedAt)) / 1_000
              : null,
        },
      ];
    });
  }

  /** Waits until this many pods are ready, and none is beside them. @throws Error after `timeoutMs`, with the pods. */
  async waitForPods(count: number, timeoutMs: number): Promise<PodFacts[]> {
    const endMs = performance.now() + timeoutMs;
    for (;;) {
      const pods = await this.pods();
      if (pods.length === count && pods.every(({ isReady, isEnding }) => isReady && !isEnding)) return pods;
      if (performance.now() > endMs) {
        const seen = pods.map(({ name, isReady }) => `${name} ${isReady ? "ready" : "not ready"}`).join(", ");
        throw new Error(
          `expected ${count} ready pods within ${timeoutMs / 1_000} s, found: ${seen || "none"}`,
        );
      }
      await pause(LOOK_MS);
    }
  }

  async processFacts(pod: string): Promise<ProcessFacts> {
    const shown = await this.kubectl(["exec", pod, "--", "node", "-e", PROCESS_FACTS]);
    const { rss, startedMs } = JSON.parse(shown) as { rss: number; startedMs: number };
    const log = await this.kubectl(["logs", pod]);
    const line = log.split("\n").find((each) => / (is|are) ready"/.test(each));
    const readyAtMs = line === undefined ? null : (JSON.parse(line) as { time: number }).time;
    return {
      residentMb: Math.round(rss / 1e6),
      readyMs: readyAtMs === null ? null : Math.round(readyAtMs - startedMs),
    };
  }

  /** The address of a Service inside the cluster: the tests run on a node, or have a route to it. */
  serviceAddress(name: string): Promise<string> {
    return this.kubectl(["get", "service", name, "--output", "jsonpath={.spec.clusterIP}"]);
  }
}

/** Runs a program to its end, beside the tasks and questions of the test: `spawnSync` would stop them. */
async function runAside(name: string, args: readonly string[], input = ""): Promise<Ran> {
  const child = spawn(name, args, { timeout: COMMAND_MS });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 1));
  });
  child.stdin.on("error", () => undefined).end(input); // a program that reads nothing closes it
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  return { status, stdout, stderr };
}
