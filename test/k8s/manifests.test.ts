// The committed manifests, without Helm and without a cluster: they are fresh, each object fits the schema of its kind, each pod fits
// "restricted", and the NetworkPolicies open the ways that a swarm needs, and no others.
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { streamSpecs } from "../../src/protocol/index.ts";
import { hashOfInputs } from "../../tools/k8s/chart.ts";
import { hashInFile, MANIFEST_SETS, manifestFile } from "../../tools/k8s/manifests.ts";
import { type End, mayConnect } from "../../tools/k8s/network.ts";
import { findPodFaults, type KubeObject, podTemplateOf } from "../../tools/k8s/pod-security.ts";
import { KINDS_FILE, type KindSchemas, pickKinds, standalone } from "../../tools/k8s/schemas.ts";

const schemas = JSON.parse(readFileSync(KINDS_FILE, "utf8")) as KindSchemas;
const validators = new Map<string, z.ZodType>();

/** The faults of an object against the schema of its kind. */
function findSchemaFaults(object: KubeObject): string[] {
  const id = `${object.apiVersion}/${object.kind}`;
  let validator = validators.get(id);
  if (validator === undefined) {
    const schema = standalone(pickKinds(schemas, [id]), id)!;
    validator = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0]);
    validators.set(id, validator);
  }
  return (validator.safeParse(object).error?.issues ?? []).map(
    ({ path, message }) => `${path.join(".")}: ${message}`,
  );
}

function readManifests(set: string): { text: string; objects: KubeObject[] } {
  const text = readFileSync(manifestFile(set), "utf8");
  const objects = parseAllDocuments(text).flatMap((document) => {
    const object = document.toJS() as KubeObject | null;
    return object === null ? [] : [object];
  });
  return { text, objects };
}
const sets = new Map(MANIFEST_SETS.map((set) => [set, readManifests(set)]));
const { objects: standard } = sets.get("standard")!;

test.each(MANIFEST_SETS)("the manifests %s are rendered from the chart as it is", (set) => {
  expect(hashInFile(sets.get(set)!.text), "run: node tools/k8s/manifests.ts").toBe(hashOfInputs(set));
});

test.each(MANIFEST_SETS)(
  "each object of the manifests %s fits the schema of its kind, and each pod fits restricted",
  (set) => {
    const faults = sets.get(set)!.objects.flatMap((object) => {
      const template = podTemplateOf(object);
      const found = [...findSchemaFaults(object), ...(template === null ? [] : findPodFaults(template))];
      return found.map((fault) => `${object.kind} ${object.metadata.name}: ${fault}`);
    });
    expect(faults).toEqual([]);
  },
);

test("an unknown field, a wrong type and a pod that may run as root are found", () => {
  const service = standard.find(({ kind }) => kind === "Service")!;
  expect(findSchemaFaults({ ...service, spec: { ...service.spec, prots: [] } })).toEqual([
    expect.stringContaining("prots"),
  ]);
  const deployment = standard.find(({ kind }) => kind === "Deployment")!;
  expect(findSchemaFaults({ ...deployment, spec: { ...deployment.spec, replicas: "two" } })).toEqual([
    expect.stringContaining("spec.replicas"),
  ]);
  expect(findPodFaults({ spec: { containers: [{ name: "c", image: "busybox" }] } })).toEqual(
    expect.arrayContaining([
      "mounts a service-account token",
      "container c may run as root",
      "container c keeps capabilities",
    ]),
  );
});

test("no object is a Secret, a token or a role, and a pod ends 15 s after its drain", () => {
  const kinds = new Set(standard.map(({ kind }) => kind));
  for (const kind of ["Secret", "ServiceAccount", "Role", "RoleBinding", "ClusterRole"])
    expect(kinds).not.toContain(kind);
  const graces = standard.flatMap((object) => {
    const spec = podTemplateOf(object)?.spec;
    const drainMs = (
      spec?.containers[0] as { env?: { name: string; value?: string }[] } | undefined
    )?.env?.find(({ name }) => name === "MURMUR_DRAIN_GRACE_MS")?.value;
    return drainMs === undefined
      ? []
      : [(spec?.terminationGracePeriodSeconds ?? 0) - Number(drainMs) / 1_000];
  });
  expect(graces).toEqual(Array.from({ length: 4 }, () => 15)); // two groups of agents, the API, the coordinators
});

test("every key is mounted as a folder, so that a rotated one counts without a restart; a coordinator reads the one of its pod's name", () => {
  const pods = standard.flatMap((object) => podTemplateOf(object)?.spec ?? []);
  type Mount = { name: string; mountPath: string; subPath?: string; subPathExpr?: string };
  type Named = { volumeMounts?: Mount[]; env?: { name: string; value?: string }[] };
  const containers = pods.flatMap((spec) => spec.containers as unknown as Named[]);
  const mounts = containers.flatMap(({ volumeMounts = [] }) => volumeMounts);
  expect(mounts.filter(({ subPath, subPathExpr }) => (subPath ?? subPathExpr) !== undefined)).toEqual([]);
  const files = containers.flatMap(({ env = [] }) => env.filter(({ name }) => name === "MURMUR_NKEY_FILE"));
  expect(new Set(files.map(({ value }) => value))).toEqual(
    new Set(["/etc/murmur/nkey/seed", "/etc/murmur/nkey/$(POD_NAME)"]),
  );
});

describe("the NetworkPolicies", () => {
  type Way = readonly [from: string, to: string, port: number, protocol?: "UDP" | "TCP"];
  const policies = standard.filter(({ kind }) => kind === "NetworkPolicy");
  const pod = (component: string, group?: string): End => ({
    namespace: "murmur",
    labels: {
      "app.kubernetes.io/name": "murmur",
      "app.kubernetes.io/instance": "murmur",
      "app.kubernetes.io/component": component,
      ...(group === undefined ? {} : { "murmur/group": group }),
    },
  });
  const ends: Record<string, End> = {
    nats: pod("nats"),
    coordinator: pod("coordinator"),
    api: pod("api"),
    echo: pod("agent", "echo"),
    review: pod("agent", "review-docs"),
    init: pod("init"),
    audit: pod("audit"),
    test: pod("test"),
    neighbour: { namespace: "murmur", labels: { app: "web" } },
    stranger: { namespace: "other", labels: { app: "web" } },
    otherRelease: {
      namespace: "other",
      labels: {
        "app.kubernetes.io/name": "murmur",
        "app.kubernetes.io/instance": "murmur",
        "app.kubernetes.io/component": "agent",
      },
    },
    dns: { namespace: "kube-system", labels: { "k8s-app": "kube-dns" } },
    kubeSystem: { namespace: "kube-system", labels: { app: "other" } },
    keda: { namespace: "keda", labels: { app: "keda-operator" } },
    prometheus: { namespace: "monitoring", labels: { app: "prometheus" } },
    internet: { ip: "192.0.2.7" },
    metadata: { ip: "169.254.169.254" },
  };
  const OPEN: Way[] = [
    ["coordinator", "nats", 4222],
    ["api", "nats", 4222],
    ["echo", "nats", 4222],
    ["review", "nats", 4222],
    ["init", "nats", 4222],
    ["audit", "nats", 4222],
    ["test", "nats", 4222],
    ["nats", "nats", 6222],
    ["neighbour", "api", 7070],
    ["nats", "dns", 53, "UDP"],
    ["echo", "dns", 53, "UDP"],
    ["api", "dns", 53, "TCP"],
  ];
  const SHUT: Way[] = [
    ["nats", "nats", 4222],
    ["nats", "nats", 8222],
    ["coordinator", "nats", 6222],
    ["echo", "nats", 6222],
    ["echo", "nats", 8222],
    ["api", "nats", 8222],
    ["neighbour", "nats", 4222],
    ["neighbour", "nats", 6222],
    ["neighbour", "nats", 8222],
    ["stranger", "nats", 4222],
    ["otherRelease", "nats", 4222],
    ["internet", "nats", 4222],
    ["stranger", "api", 7070],
    ["internet", "api", 7070],
    ["keda", "api", 7070],
    ["prometheus", "api", 9464],
    ["prometheus", "echo", 9464],
    ["neighbour", "echo", 9464],
    ["echo", "api", 7070],
    ["echo", "review", 9464],
    ["coordinator", "coordinator", 9464],
    ["neighbour", "coordinator", 9464],
    ["echo", "internet", 443],
    ["echo", "metadata", 80],
    ["api", "internet", 443],
    ["nats", "internet", 443],
    ["init", "internet", 443],
    ["echo", "dns", 80],
    ["echo", "kubeSystem", 53, "UDP"],
    ["echo", "stranger", 443],
    ["nats", "coordinator", 9464],
    ["nats", "api", 7070],
    ["coordinator", "api", 7070],
    ["init", "api", 7070],
  ];
  const rows = [
    ...OPEN.map((way) => ({ isOpen: true, way })),
    ...SHUT.map((way) => ({ isOpen: false, way })),
  ];
  test.each(rows)("way $way is open: $isOpen", ({ isOpen, way: [from, to, port, protocol = "TCP"] }) => {
    expect(mayConnect(policies, { from: ends[from]!, to: ends[to]!, port, protocol })).toBe(isOpen);
  });
});

test.each(MANIFEST_SETS)("the volumes of %s are larger than the storage that the streams reserve", (set) => {
  const specs = streamSpecs("murmur");
  const reservedBytes = specs.reduce((sum, { maxBytes = 0 }) => sum + maxBytes, 0);
  const claim = z.object({
    spec: z.object({ resources: z.object({ requests: z.object({ storage: z.string() }) }) }),
  });
  const sizes = sets.get(set)!.objects.flatMap(({ spec }) => {
    const { volumeClaimTemplates = [] } = (spec ?? {}) as { volumeClaimTemplates?: unknown[] };
    return volumeClaimTemplates.map((each) => claim.parse(each).spec.resources.requests.storage);
  });
  expect(sizes).toHaveLength(1);
  const gibibytes = Number(/^(\d+)Gi$/.exec(sizes[0]!)?.[1]);
  expect(gibibytes * 1024 ** 3).toBeGreaterThan(reservedBytes);
});
