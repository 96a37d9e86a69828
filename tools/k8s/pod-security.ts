// The rules of the Pod Security level "restricted" (kubernetes.io/docs/concepts/security/pod-security-standards), as the admission
// controller applies them, and the rules that the chart adds: probes, limits, no token. Pure.

/** An object of the API, as parsed YAML. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly spec?: Record<string, unknown>;
  readonly data?: Record<string, string>;
}

interface SecurityContext {
  readonly privileged?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly readOnlyRootFilesystem?: boolean;
  readonly runAsNonRoot?: boolean;
  readonly runAsUser?: number;
  readonly procMount?: string;
  readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly securityContext?: SecurityContext;
  readonly ports?: readonly { readonly hostPort?: number }[];
  readonly resources?: {
    readonly limits?: Record<string, string>;
    readonly requests?: Record<string, string>;
  };
  readonly livenessProbe?: object;
  readonly readinessProbe?: object;
  readonly startupProbe?: object;
}
/** The template of a pod: its labels and its spec. */
export interface PodTemplate {
  readonly metadata?: { readonly labels?: Record<string, string> };
  readonly spec: {
    readonly automountServiceAccountToken?: boolean;
    readonly hostNetwork?: boolean;
    readonly hostPID?: boolean;
    readonly hostIPC?: boolean;
    readonly restartPolicy?: string;
    readonly terminationGracePeriodSeconds?: number;
    readonly securityContext?: SecurityContext;
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly Record<string, unknown>[];
  };
}

/** The kinds of volumes that "restricted" allows. */
const VOLUMES = [
  ...[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
  ],
];

/** The pod template of a workload or pod; null for every other kind. */
export function podTemplateOf({ kind, metadata, spec }: KubeObject): PodTemplate | null {
  if (spec === undefined) return null;
  if (kind === "Pod") return { metadata, spec: spec as unknown as PodTemplate["spec"] };
  const owner = kind === "CronJob" ? (spec.jobTemplate as { spec: Record<string, unknown> }).spec : spec;
  return ["Deployment", "StatefulSet", "Job", "CronJob"].includes(kind)
    ? (owner.template as PodTemplate)
    : null;
}

/** The faults of a pod against "restricted", and against the chart's own rules. */
export function findPodFaults({ spec }: PodTemplate): string[] {
  const faults: string[] = [];
  const pod = spec.securityContext ?? {};
  if (spec.hostNetwork === true || spec.hostPID === true || spec.hostIPC === true)
    faults.push("uses a namespace of the host");
  if (spec.automountServiceAccountToken !== false) faults.push("mounts a service-account token");
  for (const { name, ...volume } of spec.volumes ?? []) {
    const kind = Object.keys(volume)[0] ?? "none";
    if (!VOLUMES.includes(kind)) faults.push(`volume ${String(name)} is a ${kind}`);
  }
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    const own = container.securityContext ?? {};
    const fault = (text: string) => faults.push(`container ${container.name} ${text}`);
    if (own.privileged === true) fault("is privileged");
    if (own.allowPrivilegeEscalation !== false) fault("allows privilege escalation");
    if (own.readOnlyRootFilesystem !== true) fault("writes its root file system");
    if ((own.runAsNonRoot ?? pod.runAsNonRoot) !== true) fault("may run as root");
    if ((own.runAsUser ?? pod.runAsUser) === 0) fault("runs as user 0");
    if (!(own.capabilities?.drop ?? []).includes("ALL")) fault("keeps capabilities");
    if ((own.capabilities?.add ?? []).some((name) => name !== "NET_BIND_SERVICE")) fault("adds capabilities");
    if (!["RuntimeDefault", "Localhost"].includes((own.seccompProfile ?? pod.seccompProfile)?.type ?? ""))
      fault("has no seccomp profile");
    if ((own.procMount ?? "Default") !== "Default") fault("unmasks /proc");
    if ((container.ports ?? []).some(({ hostPort }) => hostPort !== undefined))
      fault("takes a port of the host");
    if (container.resources?.limits?.memory === undefined) fault("has no memory limit");
    if (container.resources?.requests?.cpu === undefined) fault("requests no CPU");
    if (/:latest$/.test(container.image) || !/[:@]/.test(container.image))
      fault("has an image without a version");
    if (
      spec.restartPolicy === undefined &&
      (container.livenessProbe === undefined ||
        container.readinessProbe === undefined ||
        container.startupProbe === undefined)
    ) {
      fault("lacks a probe");
    }
  }
  return faults;
}
