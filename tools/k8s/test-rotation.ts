// Replaces the Secrets of a running swarm with users, on a real cluster: the CA and the certificate of the servers, the key of a user and the
// token of the API. Each must count within 5 s of the change of its file in the pod, without a restart and without a lost task.
//
//   node tools/k8s/test-rotation.ts --image murmur:0.1.0 [--nats-image nats:2.14.5-alpine] [--local-volumes DIR --node NAME] [--keep]
//
// It needs KUBECONFIG, kubectl, Helm and openssl, and a route to the Services of the cluster, as test-k8s.ts does.
import { spawnSync } from "node:child_process";
import { randomBytes, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { parseArgs } from "node:util";
import { CHART, hasTool, root } from "./chart.ts";
import { Cluster, type PodFacts } from "./cluster.ts";
import { startFlow } from "./flow.ts";
import { prepareNamespace, removeNamespace, storageClassOf } from "./namespace.ts";

const RELEASE = "murmur";
/** Servers 3, coordinators 3, API 2, agents 2. */
const PODS = 10;
/** The address that the test gives the Service of the servers, so that their certificate can name it. */
const NATS_ADDRESS = "10.96.222.42";
/** A changed file counts within this time, in ms. */
const COUNTS_MS = 5_000;
/** kubelet renews a mounted Secret with each look at its pod: about once a minute. */
const MOUNT_TIMEOUT_MS = 150_000;
/** How long the effect of a change is awaited, in ms: a late one is told with its time. */
const EFFECT_TIMEOUT_MS = 60_000;
/** The interval of the readiness probes, in ms. */
const READY_LOOK_MS = 2_000;
/** The tasks of each second while Secrets are replaced. */
const PER_SECOND = 20;

const { values: flags } = parseArgs({
  options: {
    image: { type: "string", default: "murmur:0.1.0" },
    "nats-image": { type: "string", default: "nats:2.14.5-alpine" },
    namespace: { type: "string", default: "murmur-rotation" },
    "local-volumes": { type: "string" },
    node: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const missingTools = ["kubectl", "helm", "openssl"].filter((name) => !hasTool(name));
if (missingTools.length > 0 || process.env.KUBECONFIG === undefined) {
  console.error(
    `this test needs KUBECONFIG${missingTools.map((name) => ` and ${name} on the PATH`).join("")}`,
  );
  process.exit(2);
}

const cluster = new Cluster(flags.namespace);
const place = { volumes: flags["local-volumes"], node: flags.node };
const folder = mkdtempSync(join(tmpdir(), "murmur-rotation-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
const at = (name: string) => join(folder, name);
let passed = 0;
let failed = 0;

/** Prints one figure, and counts whether it meets its goal. */
function figure(name: string, value: number | string, isGood: boolean, goal: string): void {
  if (isGood) passed++;
  else failed++;
  console.log(`${isGood ? "ok  " : "FAIL"} ${name}: ${value} (${goal})`);
}

/** Runs a program of this machine. @throws Error with its output. */
function must(name: string, args: readonly string[], env: Record<string, string> = {}): string {
  const { status, stdout, stderr } = spawnSync(name, args, {
    ...{ encoding: "utf8", timeout: 60_000 },
    env: { ...process.env, ...env },
  });
  if (status !== 0) throw new Error(`${name} ${args[0]} failed: ${stderr || stdout}`);
  return stdout;
}

const murmur = (args: readonly string[], env: Record<string, string> = {}) =>
  must(process.execPath, [join(root, "src/app/main.ts"), ...args], env);

/** Makes a CA with a certificate of the servers, in a folder of its own. */
function makeCertificates(name: string): string {
  const service = `${RELEASE}-nats`;
  const names = [service, `${service}.${flags.namespace}.svc`, NATS_ADDRESS];
  must("sh", [join(root, "deploy/certs.sh"), at(name), ...names]);
  return at(name);
}

const PERMISSIONS = {
  version: 1,
  publishers: [{ name: "web", capabilities: ["echo"] }],
  classes: [{ name: "default", capabilities: ["echo"], groups: [{ name: "echo", slots: 4 }] }],
  coordinators: [0, 1, 2].map((index) => `${RELEASE}-coordinator-${index}`),
};

/** Stores the Secrets of all users, from the keys on this machine; missing keys are made. */
async function applyKeys(): Promise<void> {
  const file = at("secrets.yaml");
  murmur([
    "permissions",
    "secrets",
    "--permissions",
    at("permissions.yaml"),
    "--keys",
    at("keys"),
    "--kubernetes",
    file,
  ]);
  await cluster.kubectl(["apply", "--filename", file]);
}

const read = (path: string) => readFileSync(path, "utf8");
const asSecret = (name: string, stringData: Record<string, string>) => ({
  ...{ apiVersion: "v1", kind: "Secret" },
  ...{ metadata: { name, namespace: flags.namespace }, stringData },
});
const caSecret = (text: string) => asSecret("nats-ca", { "ca.crt": text });
const tlsSecret = (certificates: string) =>
  asSecret("nats-tls", {
    "tls.crt": read(join(certificates, "tls.crt")),
    "tls.key": read(join(certificates, "tls.key")),
  });

/** Replaces a Secret, and lets kubelet look at the pods that mount it: a change of a pod's notes makes it look at once. */
async function replace(secret: object | null): Promise<void> {
  if (secret === null) await applyKeys();
  else await cluster.kubectl(["apply", "--filename", "-"], JSON.stringify(secret));
  await cluster.kubectl(["annotate", "pods", "--all", "--overwrite", `example.test/looked=${Date.now()}`]);
}

/** The time at which the mount of a Secret last changed in a pod of Murmur, in ms since 1970. */
async function changedMs(pod: string, mount: string): Promise<number> {
  const script = `console.log(require("node:fs").lstatSync("/etc/murmur/${mount}/..data").mtimeMs)`;
  return Number(await cluster.kubectl(["exec", pod, "--", "node", "-e", script]));
}

/** Waits until the mount of each pod changed after `sinceMs`. Returns the times, in the order of the pods. */
async function mountChanges(pods: readonly string[], mount: string, sinceMs: number): Promise<number[]> {
  const endMs = Date.now() + MOUNT_TIMEOUT_MS;
  for (;;) {
    const times = await Promise.all(pods.map((pod) => changedMs(pod, mount)));
    if (times.every((each) => each > sinceMs)) return times;
    if (Date.now() > endMs) throw new Error(`kubelet did not renew ${mount} in ${pods.join(", ")}`);
    await pause(1_000);
  }
}

/** The time of the first log line of a pod after `sinceMs` whose text fits, in ms since 1970. @throws Error when none comes. */
async function lineAfter(pod: string, text: RegExp, sinceMs: number): Promise<number> {
  const endMs = Date.now() + EFFECT_TIMEOUT_MS;
  for (;;) {
    const log = await cluster.kubectl(["logs", pod, "--since=5m"]);
    for (const line of log.split("\n").filter((each) => text.test(each))) {
      const { time } = JSON.parse(line) as { time: number };
      if (time > sinceMs) return time;
    }
    if (Date.now() > endMs) throw new Error(`${pod} logged no line ${text}`);
    await pause(500);
  }
}

const namesOf = (pods: readonly PodFacts[], ...components: string[]) =>
  pods.filter(({ component }) => components.includes(component)).map(({ name }) => name);

/** Tells the longest time between the change of a file and its effect. */
function tellCounts(name: string, changes: readonly number[], effects: readonly number[]): void {
  const most = Math.round(Math.max(...effects.map((effect, index) => effect - changes[index]!)));
  figure(name, `${most} ms`, most <= COUNTS_MS, `at most ${COUNTS_MS} ms after the file's change`);
}

const CONNECTS_ANEW = /files of the NATS connection changed; connecting anew/;

/** Waits until the pods follow a change of a mount, and tells the longest time. */
async function followMount(
  name: string,
  pods: readonly string[],
  mount: string,
  sinceMs: number,
): Promise<void> {
  const changes = await mountChanges(pods, mount, sinceMs);
  const effects = await Promise.all(
    pods.map((pod, index) => lineAfter(pod, CONNECTS_ANEW, changes[index]! - 1)),
  );
  tellCounts(name, changes, effects);
}

const reloadEnv = () => ({
  MURMUR_NKEY_FILE: join(at("keys"), "system.seed"),
  MURMUR_INBOX_PREFIX: "_INBOX.system",
  MURMUR_TLS_CA: at("bundle.crt"),
});
/** Lets the servers read their files, again and again until `isDone`. @throws Error when kubelet does not renew their mounts. */
async function reloadUntil(isDone: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + MOUNT_TIMEOUT_MS;
  for (;;) {
    murmur(["permissions", "reload", "--server", servers], reloadEnv());
    if (await isDone()) return;
    if (Date.now() > endMs) throw new Error("the servers did not take their new files");
    await pause(1_000);
  }
}

/** The fingerprint of the certificate that the server of a pod shows. Servers speak before TLS begins. */
async function shownFingerprint(pod: string): Promise<string> {
  const host = await cluster.kubectl(["get", "pod", pod, "--output", "jsonpath={.status.podIP}"]);
  const socket = connectTcp({ host, port: 4222, timeout: 5_000 });
  try {
    await once(socket, "data");
    const secure = connectTls({ socket, rejectUnauthorized: false });
    await once(secure, "secureConnect");
    return secure.getPeerCertificate().fingerprint256;
  } finally {
    socket.destroy();
  }
}

const servers = `tls://${NATS_ADDRESS}:4222`;

async function install(certificates: string): Promise<void> {
  const [repository, tag] = flags.image.split(/:(?=[^:/]*$)/);
  const [natsRepository, natsTag] = flags["nats-image"].split(/:(?=[^:/]*$)/);
  const storage = {
    size: "8Gi",
    ...(place.volumes === undefined ? {} : { storageClassName: storageClassOf(cluster) }),
  };
  const values = {
    image: { repository, tag },
    auth: { enabled: true },
    permissions: PERMISSIONS,
    nats: {
      mode: "bundled",
      tls: { caSecret: { name: "nats-ca" } },
      bundled: {
        image: { repository: natsRepository, tag: natsTag },
        ...{ storage, tlsSecret: "nats-tls" },
        service: { merge: { spec: { clusterIP: NATS_ADDRESS } } },
      },
    },
    agents: { echo: { roles: ["echo"], slots: 4, replicas: 2 } },
  };
  writeFileSync(at("values.yaml"), JSON.stringify(values));
  writeFileSync(at("permissions.yaml"), JSON.stringify(PERMISSIONS));
  await prepareNamespace(cluster, place, [
    caSecret(read(join(certificates, "ca.crt"))),
    tlsSecret(certificates),
  ]);
  await applyKeys();
  await cluster.helm(["install", RELEASE, CHART, "--values", at("values.yaml")]);
  await cluster.waitForPods(PODS, 180_000);
}

/** Asks a pod of the API with a token until it knows the token, or no longer knows it. Returns the time, in ms since 1970. */
async function knows(pod: string, token: string, isKnown: boolean): Promise<number> {
  const address = await cluster.kubectl(["get", "pod", pod, "--output", "jsonpath={.status.podIP}"]);
  const endMs = Date.now() + EFFECT_TIMEOUT_MS + MOUNT_TIMEOUT_MS;
  for (;;) {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(`http://${address}:7070/v1/capabilities`, {
      headers,
      signal: AbortSignal.timeout(3_000),
    }).catch(() => null);
    await response?.body?.cancel();
    // Any other answer, such as 503, is one to a known caller.
    if (response !== null && (response.status !== 401) === isKnown) return Date.now();
    if (Date.now() > endMs)
      throw new Error(`the token is ${isKnown ? "not known to" : "still known to"} ${pod}`);
    await pause(200);
  }
}

async function run(): Promise<void> {
  const [first, second] = [makeCertificates("first"), makeCertificates("second")];
  const bundle = `${read(join(first, "ca.crt"))}${read(join(second, "ca.crt"))}`;
  writeFileSync(at("bundle.crt"), bundle);
  await install(first);
  const pods = await cluster.waitForPods(PODS, 60_000);
  const ours = namesOf(pods, "coordinator", "api", "agent");
  const flow = await startFlow(servers, {
    perSecond: PER_SECOND,
    as: {
      credentials: { nkeyFile: join(at("keys"), "web.seed") },
      tls: { caFile: at("bundle.crt") },
      ...{ inboxPrefix: "_INBOX.web", operateAs: "web" },
    },
  });
  const steps: Record<string, () => Promise<void>> = {
    async "a CA is added"() {
      const sinceMs = Date.now() - 1_000;
      await replace(caSecret(bundle));
      await followMount("the added CA counts in all pods", ours, "tls-ca", sinceMs);
    },
    async "the servers get a certificate of the new CA"() {
      const wanted = new X509Certificate(read(join(second, "tls.crt"))).fingerprint256;
      await replace(tlsSecret(second));
      const shown = async () => Promise.all(namesOf(pods, "nats").map(shownFingerprint));
      await reloadUntil(async () => (await shown()).every((each) => each === wanted));
      figure("servers that show the new certificate, without a restart", 3, true, "3");
    },
    async "the old CA is removed"() {
      const sinceMs = Date.now() - 1_000;
      await replace(caSecret(read(join(second, "ca.crt"))));
      await followMount("the removed CA counts in all pods", ours, "tls-ca", sinceMs);
      // Each process connects anew, and trusts the new CA alone.
      await cluster.waitForPods(PODS, 60_000);
      figure("pods that are ready with the new certificate alone", PODS, true, `${PODS}`);
    },
    async "the key of the agents is replaced"() {
      const sinceMs = Date.now() - 1_000;
      const agents = namesOf(pods, "agent");
      rmSync(join(at("keys"), "agent-default.seed"));
      await replace(null);
      await followMount("the new key counts in the agents", agents, "nkey", sinceMs);
      const areReady = async () => (await cluster.pods()).every(({ isReady }) => isReady);
      await pause(2 * READY_LOOK_MS); // the refused agents are no longer ready
      await reloadUntil(areReady);
      figure("pods that are ready with the new key", PODS, true, `${PODS}`);
    },
    async "the token of the API is replaced"() {
      const api = namesOf(pods, "api");
      const earlier = read(join(at("keys"), "api.token")).trim();
      const token = randomBytes(24).toString("hex");
      const sinceMs = Date.now() - 1_000;
      // The questions begin before the change: kubelet may renew the mount before the commands of this test end.
      const known = Promise.all(api.map((pod) => knows(pod, token, true)));
      await replace(asSecret("murmur-api-token", { token }));
      const effects = await known;
      tellCounts("the new token counts in the API", await mountChanges(api, "api-token", sinceMs), effects);
      await Promise.all(api.map((pod) => knows(pod, earlier, false)));
    },
  };
  for (const [name, step] of Object.entries(steps)) {
    console.log(`${name}:`);
    const startedMs = performance.now();
    try {
      await step();
    } catch (error) {
      figure(name, (error as Error).message, false, "no error");
    }
    console.log(`     ${((performance.now() - startedMs) / 1_000).toFixed(1)} s`);
  }
  const tasks = await flow.stop();
  console.log(`     ${JSON.stringify(tasks)}`);
  figure("lost or failed tasks", tasks.lost + tasks.failed, tasks.lost + tasks.failed === 0, "0");
  const restarts = (await cluster.pods()).reduce((sum, pod) => sum + pod.restarts, 0);
  figure("restarts of containers", restarts, restarts === 0, "0");
}

try {
  await run();
} catch (error) {
  figure("the test", (error as Error).message, false, "no error");
}
if (!flags.keep) await removeNamespace(cluster, place);
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
