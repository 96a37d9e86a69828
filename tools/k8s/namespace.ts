// The namespace of a cluster test: with the level `restricted`, the objects that the test gives, and volumes where the cluster makes none.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";

/** The volumes of the bundled servers, one each. */
const VOLUMES = [0, 1, 2];

/** Where volumes are made: folders of one node. `volumes` undefined: the cluster makes them. */
export interface VolumePlace {
  readonly volumes: string | undefined;
  readonly node: string | undefined;
}

/** The storage class of the volumes of a test. */
export const storageClassOf = ({ namespace }: Cluster) => `${namespace}-local`;

/** Makes the namespace with `objects`, and empty volumes. @throws Error with the output of kubectl. */
export async function prepareNamespace(
  cluster: Cluster,
  place: VolumePlace,
  objects: readonly object[],
): Promise<void> {
  const level = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
  };
  const namespace = {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: cluster.namespace, labels: level },
  };
  const items = [namespace, ...makeVolumes(cluster, place), ...objects];
  await cluster.kubectl(
    ["apply", "--server-side", "--filename", "-"],
    JSON.stringify({ apiVersion: "v1", kind: "List", items }),
  );
}

function makeVolumes(cluster: Cluster, { volumes, node = "rig-1" }: VolumePlace): object[] {
  if (volumes === undefined) return [];
  const storageClassName = storageClassOf(cluster);
  const storageClass = {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: storageClassName },
    provisioner: "kubernetes.io/no-provisioner",
    volumeBindingMode: "WaitForFirstConsumer",
  };
  const isOnNode = { key: "kubernetes.io/hostname", operator: "In", values: [node] };
  return [
    storageClass,
    ...VOLUMES.map((at) => {
      const path = join(volumes, `${cluster.namespace}-${at}`);
      rmSync(path, { recursive: true, force: true });
      mkdirSync(path, { recursive: true });
      return {
        apiVersion: "v1",
        kind: "PersistentVolume",
        metadata: { name: `${cluster.namespace}-${at}` },
        spec: {
          capacity: { storage: "8Gi" },
          accessModes: ["ReadWriteOnce"],
          storageClassName,
          persistentVolumeReclaimPolicy: "Retain",
          local: { path },
          nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [isOnNode] }] } },
        },
      };
    }),
  ];
}

/** Removes the namespace, and the volumes of {@link prepareNamespace}. */
export async function removeNamespace(cluster: Cluster, { volumes }: VolumePlace): Promise<void> {
  await cluster.kubectl(["delete", "namespace", cluster.namespace, "--ignore-not-found", "--timeout=110s"]);
  if (volumes === undefined) return;
  const names = VOLUMES.map((at) => `pv/${cluster.namespace}-${at}`);
  await cluster.kubectl([
    "delete",
    ...names,
    `storageclass/${storageClassOf(cluster)}`,
    "--ignore-not-found",
  ]);
}
