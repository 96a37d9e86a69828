// Installs the chart on a real cluster and disturbs the swarm: `npm run test:k8s -- [flags]`, with KUBECONFIG, kubectl and Helm. The machine needs
// a route to the Services of the cluster; a node has one. It makes a namespace of its own, and removes it at the end.
//
//   node tools/k8s/test-k8s.ts --image murmur:0.1.0 [--nats-image nats:2.14.5-alpine] [--tools-image murmur-tools:0.1.0] [--local-volumes DIR --node NAME] [--only STEP,STEP] [--keep]
//
// `--tools-image` names the image of the target `tools`; without it the step `commands` tells that it did nothing. `--local-volumes` makes PersistentVolumes in folders of one node, for a cluster without a provisioner.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { connect } from "../../src/client/index.ts";
import { CHART, hasTool } from "./chart.ts";
import { Cluster, type PodFacts, type ProcessFacts } from "./cluster.ts";
import { countDeliveries, startFlow, watchOffice } from "./flow.ts";
import { prepareNamespace, removeNamespace, storageClassOf } from "./namespace.ts";
import { readWork, wantedPods } from "./scaler.ts";

/** The goals, from the numbers that the project promises. */
const GOALS = { installS: 60, readyS: 3, residentMb: 150, gapMs: 500, killGapMs: 5_000 } as const;
const RELEASE = "murmur";
const TOKEN = "token-of-the-cluster-test";
const TASKS = 1_000;
const SLOTS = 4;

const { values: flags } = parseArgs({
  options: {
    image: { type: "string", default: "murmur:0.1.0" },
    "nats-image": { type: "string", default: "nats:2.14.5-alpine" },
    "tools-image": { type: "string" },
    namespace: { type: "string", default: "murmur-test" },
    "local-volumes": { type: "string" },
    node: { type: "string" },
    only: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const missingTools = ["kubectl", "helm"].filter((name) => !hasTool(name));
if (missingTools.length > 0 || process.env.KUBECONFIG === undefined) {
  console.error(
    `this test needs KUBECONFIG${missingTools.map((name) => ` and ${name} on the PATH`).join("")}`,
  );
  process.exit(2);
}

const cluster = new Cluster(flags.namespace);
const folder = mkdtempSync(join(tmpdir(), "murmur-k8s-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
let failed = 0;
let passed = 0;

/** Prints one figure, and counts whether it meets its goal. */
function figure(name: string, value: number | string, isGood: boolean, goal: string): void {
  if (isGood) passed++;
  else failed++;
  console.log(`${isGood ? "ok  " : "FAIL"} ${name}: ${value} (${goal})`);
}

/** An agent of one's own, as a ConfigMap brings it. */
const GREETER = `import { defineAgent } from "murmur-swarm";
import { z } from "zod";
export default defineAgent({
  name: "greeter",
  description: "Greets.",
  capabilities: ["greet"],
  slots: 1,
  input: z.string(),
  run: (task) => \`hello \${task.input}\`,
});
`;

/** An agent whose command leaves two children behind. The first goes on; the second ends as a child of process 1. */
const LEAVER = `import { defineAgent } from "murmur-swarm";
import { z } from "zod";
export default defineAgent({
  name: "leaver",
  description: "Leaves children behind.",
  capabilities: ["leave"],
  slots: 1,
  exec: { allow: ["sh", "git"] },
  input: z.null(),
  async run(_task, ctx) {
    const git = await ctx.exec({ argv: ["git", "--version"] });
    await ctx.exec({ argv: ["sh", "-c", "sleep 1000 & (sleep 0.2 &) ; env"] });
    return git.stdout.trim();
  },
});
`;

/** The processes of a pod as "name state parent", seen from inside. */
const PROCESSES = `const { readFileSync: read, readdirSync: list } = require("node:fs");
console.log(JSON.stringify(list("/proc").filter((each) => /^\\d+$/.test(each) && Number(each) !== process.pid).flatMap((pid) => {
  try {
    const [, name, state, parent] = /\\((.*)\\) (\\S) (\\d+)/.exec(read("/proc/" + pid + "/stat", "utf8"));
    return [{ pid: Number(pid), name, state, parent: Number(parent) }];
  } catch {
    return [];
  }
})));`;

const [repository, tag] = flags.image.split(/:(?=[^:/]*$)/);
const [natsRepository, natsTag] = flags["nats-image"].split(/:(?=[^:/]*$)/);

/** The values of the release. `more` is laid over them. */
function writeValues(name: string, more: object = {}): string {
  const coordinators = (more as { coordinators?: { replicas: number } }).coordinators?.replicas ?? 3;
  const values = {
    image: { repository, tag },
    nats: {
      mode: "bundled",
      bundled: {
        image: { repository: natsRepository, tag: natsTag },
        storage: {
          size: "8Gi",
          ...(flags["local-volumes"] === undefined ? {} : { storageClassName: storageClassOf(cluster) }),
        },
      },
    },
    permissions: {
      version: 1,
      classes: [
        {
          name: "default",
          capabilities: ["echo", "greet"],
          groups: [
            { name: "echo", slots: SLOTS, capabilities: ["echo"] },
            { name: "greeter", slots: 1, capabilities: ["greet"] },
          ],
        },
      ],
      coordinators: Array.from({ length: coordinators }, (_, at) => `${RELEASE}-coordinator-${at}`),
    },
    agents: {
      echo: { roles: ["echo"], slots: SLOTS, replicas: 1, env: { MURMUR_ECHO_SLOTS: String(SLOTS) } },
      greeter: { roles: ["greeter"], roleConfigMaps: { greeter: "greeter" } },
    },
    ...more,
  };
  const file = join(folder, `${name}.yaml`);
  writeFileSync(file, JSON.stringify(values));
  return file;
}

/** The chart with a lower version: the upgrade starts from it. */
function lowerChart(): string {
  const copy = join(folder, "chart");
  cpSync(CHART, copy, { recursive: true });
  const file = join(copy, "Chart.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace(/^version: .*/m, "version: 0.0.9"));
  return copy;
}

/** Servers 3, coordinators 3, API 2, agents 2. */
const PODS = 10;
const servers = async () => `nats://${await cluster.serviceAddress(`${RELEASE}-nats`)}:4222`;
const values = writeValues("values");

/** Runs `disturb` while tasks flow and the office is watched. */
async function underLoad(
  name: string,
  { perSecond, gapMs, maxTimedOut }: { perSecond: number; gapMs: number; maxTimedOut?: number },
  disturb: (leader: string | null) => Promise<void>,
): Promise<void> {
  const address = await servers();
  const office = await watchOffice(address);
  const counted = await countDeliveries(address);
  const flow = await startFlow(address, { perSecond });
  let failure: unknown;
  try {
    await pause(3_000);
    await disturb(await office.leader());
    await pause(3_000);
  } catch (error) {
    failure = error; // the load ends first: the next step must not find it
  }
  const tasks = await flow.stop();
  const answers = await office.stop();
  const { deliveries, givenBack } = await counted.stop();
  if (failure !== undefined) {
    console.log(`     ${name}: ${JSON.stringify(tasks)}, office ${JSON.stringify(answers)}`);
    throw failure;
  }
  const { gapMs: gap } = answers;
  const timedOut = deliveries - givenBack - tasks.submitted;
  console.log(`     load average ${loadavg()[0]?.toFixed(1)} of ${availableParallelism()} cores`);
  console.log(
    `     ${name}: ${JSON.stringify(tasks)}, ${deliveries} deliveries, ${givenBack} given back, office ${JSON.stringify(answers)}`,
  );
  figure(`${name}, lost or failed tasks`, tasks.lost + tasks.failed, tasks.lost + tasks.failed === 0, "0");
  figure(
    `${name}, redeliveries by timeout`,
    timedOut,
    maxTimedOut === undefined || timedOut <= maxTimedOut,
    maxTimedOut === undefined ? "told only: the pod is killed with its tasks" : `${maxTimedOut}`,
  );
  figure(`${name}, longest gap of the office`, `${gap} ms`, gap <= gapMs, `at most ${gapMs} ms`);
}

/** The workloads of Murmur, in the order of `roll`, which starts them anew. */
const WORKLOADS = [
  `deployment/${RELEASE}-agent-echo`,
  `deployment/${RELEASE}-agent-greeter`,
  `deployment/${RELEASE}-api`,
  `statefulset/${RELEASE}-coordinator`,
];

async function restart(workload: string): Promise<void> {
  await cluster.kubectl(["rollout", "restart", workload]);
  await cluster.kubectl(["rollout", "status", workload, "--timeout=110s"]);
}

const isOfMurmur = ({ component }: PodFacts) => component !== "nats";

async function processFacts(): Promise<({ name: string } & ProcessFacts)[]> {
  const pods = (await cluster.pods()).filter(isOfMurmur);
  return Promise.all(pods.map(async ({ name }) => ({ name, ...(await cluster.processFacts(name)) })));
}

let keptTask = "";
const STEPS: Readonly<Record<string, () => Promise<void>>> = {
  async install() {
    const startedMs = performance.now();
    await cluster.helm(["install", RELEASE, lowerChart(), "--values", values]);
    const pods = await cluster.waitForPods(PODS, 180_000);
    const tookS = (performance.now() - startedMs) / 1_000;
    figure(
      "ready after helm install",
      `${tookS.toFixed(1)} s`,
      tookS <= GOALS.installS,
      `${PODS} pods within ${GOALS.installS} s`,
    );
    figure(
      "restarts",
      pods.reduce((sum, { restarts }) => sum + restarts, 0),
      pods.every(({ restarts }) => restarts === 0),
      "0",
    );
    figure("warnings of Pod Security", cluster.warnings.length, cluster.warnings.length === 0, "0");
  },
  async tasks() {
    const startedMs = performance.now();
    const flow = await startFlow(await servers(), { perSecond: 10_000, limit: TASKS });
    await flow.done;
    const tasks = await flow.stop();
    console.log(`     ${JSON.stringify(tasks)}, ${Math.round(performance.now() - startedMs)} ms`);
    figure("tasks completed", tasks.completed, tasks.completed === TASKS, `${TASKS}`);
    const client = await connect({ servers: await servers() });
    const greeted = await client.run({ capability: "greet", input: "world" }, { timeoutMs: 30_000 });
    keptTask = greeted.taskId;
    figure(
      "answer of the agent from a ConfigMap",
      String(greeted.output),
      greeted.output === "hello world",
      "hello world",
    );
    await client.close();
  },
  async "helm-test"() {
    await cluster.helm(["test", RELEASE, "--timeout", "100s"]);
    figure("helm test", "succeeded", true, "the pods of doctor end without a fault");
  },
  async memory() {
    await pause(15_000);
    const resident = await processFacts();
    const most = Math.max(...resident.map(({ residentMb }) => residentMb));
    console.log(`     ${resident.map(({ name, residentMb }) => `${name} ${residentMb}`).join(", ")}`);
    figure(
      "largest resident pod of Murmur",
      `${most} MB`,
      most <= GOALS.residentMb,
      `at most ${GOALS.residentMb} MB`,
    );
  },
  /** Starts each workload anew, one after the other and without load. */
  async ready() {
    for (const workload of WORKLOADS) await restart(workload);
    const pods = await cluster.waitForPods(PODS, 60_000);
    const slowest = Math.max(
      ...pods.filter(isOfMurmur).map(({ readyAfterS }) => readyAfterS ?? Number.POSITIVE_INFINITY),
    );
    const facts = await processFacts();
    console.log(
      `     by their logs: ${facts.map(({ name, readyMs }) => `${name} ${readyMs} ms`).join(", ")}`,
    );
    figure(
      "slowest pod of Murmur, from the start of its container to ready",
      `${slowest} s`,
      slowest <= GOALS.readyS,
      `at most ${GOALS.readyS} s; the cluster tells whole seconds`,
    );
  },
  "kill-leader": () =>
    underLoad("leader killed", { perSecond: 50, gapMs: GOALS.killGapMs, maxTimedOut: 0 }, async (leader) => {
      if (leader === null) throw new Error("no coordinator leads");
      await cluster.kubectl(["delete", "pod", leader, "--grace-period=0", "--force"]);
      await cluster.waitForPods(PODS, 60_000);
    }),
  "kill-nats": () =>
    underLoad("NATS pod killed", { perSecond: 50, gapMs: 15_000 }, async () => {
      await cluster.kubectl(["delete", "pod", `${RELEASE}-nats-1`, "--grace-period=0", "--force"]);
      await cluster.waitForPods(PODS, 120_000);
    }),
  roll: () =>
    underLoad(
      "every workload rolled at 100 tasks/s",
      { perSecond: 100, gapMs: GOALS.gapMs, maxTimedOut: 0 },
      async () => {
        for (const workload of WORKLOADS) await restart(workload);
        await cluster.waitForPods(PODS, 60_000);
      },
    ),
  grow: () =>
    underLoad("coordinators 3 to 5", { perSecond: 50, gapMs: 30_000, maxTimedOut: 0 }, async () => {
      await cluster.helm([
        "upgrade",
        RELEASE,
        lowerChart(),
        "--values",
        writeValues("five", { coordinators: { replicas: 5 } }),
      ]);
      await cluster.waitForPods(PODS + 2, 120_000);
      await cluster.helm(["upgrade", RELEASE, lowerChart(), "--values", values]);
      await cluster.waitForPods(PODS, 120_000);
    }),
  async scale() {
    const group = "echo";
    const deployment = `${RELEASE}-agent-${group}`;
    const api = `http://${await cluster.serviceAddress(`${RELEASE}-api`)}:7070`;
    await cluster.kubectl(["scale", `deployment/${deployment}`, "--replicas=0"]);
    await cluster.waitForPods(PODS - 1, 60_000);
    const client = await connect({ servers: await servers() });
    const tasks = Array.from({ length: 4 * SLOTS }, () =>
      client.run({ capability: "echo", input: { $sleepMs: 5_000 } }, { timeoutMs: 120_000 }),
    );
    const ends = Promise.all(tasks);
    let most = 0;
    let replicas = 0;
    for (let look = 0; look < 120; look++) {
      const { work } = await readWork(api, TOKEN, group);
      const wanted = wantedPods({ work, slots: SLOTS, min: 0, max: 4 });
      if (wanted !== replicas) {
        await cluster.kubectl(["scale", `deployment/${deployment}`, `--replicas=${wanted}`]);
        replicas = wanted;
      }
      most = Math.max(most, wanted);
      if (work === 0 && look > 0) break;
      await pause(500);
    }
    const results = await ends;
    figure("largest number of pods", most, most === 4, "4");
    figure(
      "tasks completed while the group scaled",
      results.filter(({ status }) => status === "completed").length,
      results.every(({ status }) => status === "completed"),
      `${4 * SLOTS}`,
    );
    await cluster.waitForPods(PODS - 1, 90_000);
    await cluster.kubectl(["scale", `deployment/${deployment}`, "--replicas=1"]);
    await cluster.waitForPods(PODS, 60_000);
    await client.close();
  },
  /** An agent that runs commands, in the image with git and an init. */
  async commands() {
    const image = flags["tools-image"];
    if (image === undefined) {
      console.log("     not tried: --tools-image names no image");
      return;
    }
    const [toolsRepository, toolsTag] = image.split(/:(?=[^:/]*$)/);
    const withTools = JSON.parse(readFileSync(values, "utf8")) as {
      permissions: { classes: [{ capabilities: string[]; groups: object[] }] };
      agents: Record<string, object>;
    };
    const [agents] = withTools.permissions.classes;
    agents.capabilities.push("leave");
    agents.groups.push({ name: "leaver", slots: 1, capabilities: ["leave"] });
    withTools.agents.leaver = {
      ...{ roles: ["leaver"], capabilities: ["leave"], roleConfigMaps: { leaver: "leaver" } },
      ...{ image: { repository: toolsRepository, tag: toolsTag }, env: { MURMUR_EXEC_ALLOW: "sh,git" } },
    };
    await cluster.helm(["upgrade", RELEASE, lowerChart(), "--values", writeValues("tools", withTools)]);
    const pods = await cluster.waitForPods(PODS + 1, 180_000);
    const pod = pods.find(({ name }) => name.startsWith(`${RELEASE}-agent-leaver-`))!.name;
    const client = await connect({ servers: await servers() });
    for (let count = 0; count < 5; count++) {
      const { output } = await client.run({ capability: "leave", input: null }, { timeoutMs: 30_000 });
      if (count === 0)
        figure("git in the image", String(output), /^git version \d/.test(String(output)), "git version …");
    }
    await client.close();
    await pause(2_000);
    const shown = await cluster.kubectl(["exec", pod, "--", "node", "-e", PROCESSES]);
    const processes = JSON.parse(shown) as { pid: number; name: string; state: string; parent: number }[];
    const init = processes.find(({ pid }) => pid === 1)?.name;
    figure("process 1", `${init}`, init === "tini", "tini");
    const left = processes
      .filter(({ pid, parent }) => pid !== 1 && parent !== 0)
      .filter(({ name }) => name === "sleep");
    figure("children that commands left behind", left.length, left.length === 0, "0 after 5 tasks");
    const zombies = processes.filter(({ state }) => state === "Z").length;
    figure("zombies", zombies, zombies === 0, "0");
    const log = await cluster.kubectl(["logs", pod]);
    figure("warnings about zombies", log.includes("zombies") ? 1 : 0, !log.includes("zombies"), "0");
    await cluster.helm(["upgrade", RELEASE, lowerChart(), "--values", values]);
    await cluster.waitForPods(PODS, 120_000);
  },
  upgrade: () =>
    underLoad(
      "upgrade to this version with another log level",
      { perSecond: 50, gapMs: GOALS.killGapMs, maxTimedOut: 0 },
      async () => {
        await cluster.helm([
          "upgrade",
          RELEASE,
          CHART,
          "--values",
          writeValues("debug", { logLevel: "debug" }),
        ]);
        await cluster.waitForPods(PODS, 120_000);
        for (const each of ["api", "agent-echo"])
          await cluster.kubectl(["rollout", "status", `deployment/${RELEASE}-${each}`, "--timeout=100s"]);
      },
    ),
  rollback: () =>
    underLoad("rollback", { perSecond: 50, gapMs: GOALS.killGapMs, maxTimedOut: 0 }, async () => {
      await cluster.helm(["rollback", RELEASE]);
      await pause(2_000);
      await cluster.waitForPods(PODS, 120_000);
    }),
  async reinstall() {
    await cluster.helm(["uninstall", RELEASE, "--wait"]);
    await cluster.waitForPods(0, 120_000);
    const claims = (await cluster.kubectl(["get", "pvc", "--output", "name"])).trim().split("\n").length;
    figure("volumes that stay after helm uninstall", claims, claims === 3, "3");
    await cluster.helm(["install", RELEASE, CHART, "--values", values]);
    await cluster.waitForPods(PODS, 180_000);
    if (keptTask === "") return;
    const client = await connect({ servers: await servers() });
    const kept = await client.wait(keptTask, { timeoutMs: 30_000 });
    figure(
      "result of a task before the uninstall",
      String(kept.output),
      kept.output === "hello world",
      "hello world",
    );
    await client.close();
  },
};

const place = { volumes: flags["local-volumes"], node: flags.node };

async function prepare(): Promise<void> {
  const name = (text: string) => ({ name: text, namespace: flags.namespace });
  await prepareNamespace(cluster, place, [
    { apiVersion: "v1", kind: "Secret", metadata: name("murmur-api-token"), stringData: { token: TOKEN } },
    { apiVersion: "v1", kind: "ConfigMap", metadata: name("greeter"), data: { "agent.ts": GREETER } },
    { apiVersion: "v1", kind: "ConfigMap", metadata: name("leaver"), data: { "agent.ts": LEAVER } },
  ]);
}

const wanted = flags.only?.split(",") ?? Object.keys(STEPS);
const unknown = wanted.filter((step) => STEPS[step] === undefined);
if (unknown.length > 0) {
  console.error(`unknown steps: ${unknown.join(", ")}; known: ${Object.keys(STEPS).join(", ")}`);
  process.exit(2);
}
// Without the step `install` the swarm of an earlier run with --keep goes on.
if (wanted.includes("install")) await prepare();
for (const step of wanted) {
  const startedMs = performance.now();
  console.log(`${step}:`);
  try {
    await STEPS[step]!();
  } catch (error) {
    figure(step, (error as Error).message, false, "no error");
  }
  console.log(`     ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
}
if (!flags.keep) await removeNamespace(cluster, place);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
