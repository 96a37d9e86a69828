// The cluster of `npm run test:k8s`, through kubectl and Helm. Owns the commands, and the facts that are read from pods.
import { setTimeout as pause } from "node:timers/promises";
import { type Ran, run } from "./chart.ts";

/** The interval between two looks at the pods, in ms. */
const LOOK_MS = 500;

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
  kubectl(args: readonly string[], input?: string): string {
    return this.#must("kubectl", run("kubectl", ["--namespace", this.namespace, ...args], input));
  }

  /** @throws Error with the output of Helm. */
  helm(args: readonly string[]): string {
    return this.#must("helm", run("helm", ["--namespace", this.namespace, ...args]));
  }

  #must(name: string, { status, stdout, stderr }: Ran): string {
    this.warnings.push(...stderr.split("\n").filter((line) => /would violate PodSecurity/.test(line)));
    if (status !== 0) throw new Error(`${name} failed: ${stderr.trim() || stdout.trim()}`);
    return stdout;
  }

  /** The pods of the swarm, without those of finished Jobs and tests. */
  pods(): PodFacts[] {
    const { items } = JSON.parse(this.kubectl(["get", "pods", "--output", "json"])) as { items: Pod[] };
    return items.flatMap(({ metadata, status }) => {
      const component = metadata.labels?.["app.kubernetes.io/component"] ?? "";
      if (!["nats", "coordinator", "api", "agent"].includes(component)) return [];
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
      const pods = this.pods();
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

  /** The resident memory of each pod's processes, in MB, from the kubelets of their nodes. */
  residentMb(): Map<string, number> {
    const nodes = (JSON.parse(this.kubectl(["get", "nodes", "--output", "json"])) as { items: Pod[] }).items;
    return new Map(
      nodes.flatMap(({ metadata }) => {
        const path = `/api/v1/nodes/${metadata.name}/proxy/stats/summary`;
        const { pods } = JSON.parse(this.kubectl(["get", "--raw", path])) as {
          pods: {
            podRef: { name: string; namespace: string };
            containers?: { memory?: { rssBytes?: number } }[];
          }[];
        };
        return pods
          .filter(({ podRef }) => podRef.namespace === this.namespace)
          .map(({ podRef, containers = [] }): [string, number] => [
            podRef.name,
            Math.round(containers.reduce((sum, { memory }) => sum + (memory?.rssBytes ?? 0), 0) / 1e6),
          ]);
      }),
    );
  }

  /** The address of a Service inside the cluster: the tests run on a node, or have a route to it. */
  serviceAddress(name: string): string {
    return this.kubectl(["get", "service", name, "--output", "jsonpath={.spec.clusterIP}"]);
  }
}
