// The pods of `helm test`: with users, one for each role, which runs `doctor --role` with the key and the inbox of that role's user. Pure.
import { parse } from "yaml";
import type { KubeObject } from "./pod-security.ts";

/** The part of a permissions file that names the users of processes. */
interface NamedUsers {
  classes?: { name: string }[];
  coordinators?: string[];
}

/** The part of a pod that tells its role and its user. */
interface DoctorPod {
  containers: { args?: string[]; env?: { name: string; value?: string }[] }[];
  volumes?: { name: string; secret?: { secretName: string } }[];
}

/** The faults of the test pods of a rendered chart. Without users one pod runs the plain doctor. */
export function findDoctorFaults(objects: readonly KubeObject[], secretPrefix = "murmur"): string[] {
  const pods = objects
    .filter(({ kind, metadata }) => kind === "Pod" && isTest(metadata))
    .map(({ spec }) => spec as unknown as DoctorPod);
  const file = hasUsers(objects) ? permissionsOf(objects) : null;
  if (file === null) {
    const plain = pods.filter(({ containers }) => containers[0]?.args?.join(" ") === "doctor");
    return plain.length === 1 && pods.length === 1
      ? []
      : [`expected one pod with the plain doctor, got ${pods.length} pods`];
  }
  const users = new Map([
    ["api", "api"],
    ["init", "init"],
    ...(hasEngines(objects) ? [["engine", "engine"] as [string, string]] : []),
    ...(file.coordinators ?? []).map((id): [string, string] => [`coordinator/${id}`, id]),
    ...(file.classes ?? []).map(({ name }): [string, string] => [`agent/${name}`, `agent-${name}`]),
  ]);
  const tried = new Map(pods.map((pod) => [roleOf(pod), pod]));
  const missing = [...users.keys()].filter((role) => !tried.has(role)).map((role) => `no pod tries ${role}`);
  const unknown = [...tried.keys()]
    .filter((role) => !users.has(role))
    .map((role) => `a pod tries ${role}, which is no role of the file`);
  const faults = [...users].flatMap(([role, user]) => {
    const pod = tried.get(role);
    return pod === undefined ? [] : findUserFaults(pod, { role, user, secret: `${secretPrefix}-${user}` });
  });
  return [...missing, ...unknown, ...faults];
}

function findUserFaults(
  pod: DoctorPod,
  { role, user, secret }: { role: string; user: string; secret: string },
): string[] {
  const env = new Map((pod.containers[0]?.env ?? []).map(({ name, value }) => [name, value]));
  const key = pod.volumes?.find(({ name }) => name === "nkey")?.secret?.secretName;
  return [
    ...(env.get("MURMUR_INBOX_PREFIX") === `_INBOX.${user}`
      ? []
      : [`the pod of ${role} has the inbox ${env.get("MURMUR_INBOX_PREFIX")}`]),
    ...(env.get("MURMUR_NKEY_FILE") === "/etc/murmur/nkey/seed"
      ? []
      : [`the pod of ${role} reads ${env.get("MURMUR_NKEY_FILE")}`]),
    ...(key === secret ? [] : [`the pod of ${role} mounts the Secret ${key}, and ${secret} has its key`]),
  ];
}

const isTest = ({ annotations }: KubeObject["metadata"]) => annotations?.["helm.sh/hook"] === "test";

/** True when a process of the release has a key. */
const hasUsers = (objects: readonly KubeObject[]) =>
  objects.some(({ kind, spec }) => kind !== "Pod" && JSON.stringify(spec ?? {}).includes("MURMUR_NKEY_FILE"));

/** True when the release has engines: only then their key is there to be tried. */
const hasEngines = (objects: readonly KubeObject[]) =>
  objects.some(
    ({ kind, metadata }) =>
      kind === "Deployment" && metadata.labels?.["app.kubernetes.io/component"] === "engine",
  );

function roleOf({ containers }: DoctorPod): string {
  const args = containers[0]?.args ?? [];
  return args[0] === "doctor" && args[1] === "--role" ? (args[2] ?? "") : args.join(" ");
}

function permissionsOf(objects: readonly KubeObject[]): NamedUsers | null {
  for (const object of objects) {
    const text = (object as { data?: Record<string, string> }).data?.["permissions.yaml"];
    if (object.kind === "ConfigMap" && text !== undefined) return parse(text) as NamedUsers;
  }
  return null;
}
