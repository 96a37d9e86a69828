// JSON Schemas of Kubernetes' kinds, made from the sources of Kubernetes and of operators that the chart has objects for. Owns the
// conversion and the committed file k8s/schemas/kinds.json; `npm run test:charts` makes full sets for kubeconform with it.
//
//   node tools/k8s/schemas.ts              writes k8s/schemas/kinds.json, with the kinds of the chart alone
//
// The sources come out of Go modules: api/openapi-spec/swagger.json of k8s.io/kubernetes, and the CustomResourceDefinitions of KEDA,
// of Prometheus' operator and of the Gateway API. `go mod download` fetches them.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";

const root = join(import.meta.dirname, "../..");
/** The committed schemas of the kinds that the chart renders. */
export const KINDS_FILE = join(root, "k8s/schemas/kinds.json");

/** The versions of Kubernetes that the chart is checked against; the last one makes the committed schemas. */
export const KUBERNETES_VERSIONS = ["v1.34.9", "v1.35.6", "v1.36.3"] as const;
const KUBERNETES_MODULE = "k8s.io/kubernetes";
/** The modules with CustomResourceDefinitions, and the folders of them. */
const CRD_MODULES = [
  { module: "github.com/kedacore/keda/v2", version: "v2.21.0", folder: "config/crd/bases" },
  {
    module: "github.com/prometheus-operator/prometheus-operator",
    version: "v0.85.0",
    folder: "example/prometheus-operator-crd",
  },
  { module: "sigs.k8s.io/gateway-api", version: "v1.4.0", folder: "config/crd/standard" },
] as const;

/** The kinds that the chart renders. */
const KINDS = [
  "v1/ConfigMap",
  "v1/Pod",
  "v1/Service",
  "apps/v1/Deployment",
  "apps/v1/StatefulSet",
  "batch/v1/CronJob",
  "batch/v1/Job",
  "networking.k8s.io/v1/Ingress",
  "networking.k8s.io/v1/NetworkPolicy",
  "policy/v1/PodDisruptionBudget",
  "gateway.networking.k8s.io/v1/HTTPRoute",
  "keda.sh/v1alpha1/ScaledObject",
  "keda.sh/v1alpha1/TriggerAuthentication",
  "monitoring.coreos.com/v1/PodMonitor",
  "monitoring.coreos.com/v1/PrometheusRule",
] as const;

/** A JSON Schema, as data. */
export type Schema = { [key: string]: unknown };
/** Schemas by `<apiVersion>/<kind>`; references point at `#/$defs/…`. */
export interface KindSchemas {
  readonly kinds: Record<string, Schema>;
  readonly $defs: Record<string, Schema>;
}

const DEFINITION = "#/definitions/";
/** The fields of a schema that no validator needs. */
const DROPPED = new Set(["description", "format", "default", "example", "externalDocs"]);

/** One node of OpenAPI as a strict JSON Schema: unknown fields are refused, and so is null, which a chart renders by mistake. */
function convert(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(convert);
  if (typeof node !== "object" || node === null) return node;
  const schema = node as Schema;
  if (typeof schema.$ref === "string") return { $ref: schema.$ref.replace(DEFINITION, "#/$defs/") };
  if (schema.format === "int-or-string" || schema["x-kubernetes-int-or-string"] === true) {
    return { type: ["string", "integer"] };
  }
  const isOpen = schema["x-kubernetes-preserve-unknown-fields"] === true;
  const out: Schema = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith("x-kubernetes") || DROPPED.has(key)) continue;
    if (key === "properties") out[key] = mapValues(value as Schema, convert);
    else
      out[key] = ["items", "additionalProperties", "allOf", "anyOf", "oneOf", "not"].includes(key)
        ? convert(value)
        : value;
  }
  if (out.properties !== undefined && out.additionalProperties === undefined && !isOpen)
    out.additionalProperties = false;
  return out;
}

/** The kinds of an apiserver's OpenAPI document (v2). */
export function kindsOfOpenApi(document: { definitions: Record<string, Schema> }): KindSchemas {
  const $defs = mapValues(document.definitions, (definition) => convert(definition) as Schema);
  for (const name of Object.keys($defs)) {
    if (name.endsWith(".api.resource.Quantity")) $defs[name] = { type: ["string", "number"] };
  }
  const kinds: Record<string, Schema> = {};
  for (const [name, definition] of Object.entries(document.definitions)) {
    const ids = definition["x-kubernetes-group-version-kind"] as
      | { group: string; version: string; kind: string }[]
      | undefined;
    for (const { group, version, kind } of ids ?? []) {
      // All groups share a definition with several ids, such as DeleteOptions.
      if (ids!.length > 1 && !name.endsWith(`${version}.${kind}`)) continue;
      const apiVersion = group === "" ? version : `${group}/${version}`;
      const own = withIdentity($defs[name]!, apiVersion, kind);
      if (own !== null) kinds[`${apiVersion}/${kind}`] = own;
    }
  }
  return { kinds, $defs };
}

/** The kinds of CustomResourceDefinitions. Their metadata is not described, so it stays open. */
export function kindsOfCrds(texts: readonly string[]): KindSchemas {
  const kinds: Record<string, Schema> = {};
  for (const text of texts) {
    for (const document of parseAllDocuments(text)) {
      const crd = document.toJS() as {
        kind?: string;
        spec?: {
          group: string;
          names: { kind: string };
          versions: { name: string; schema: { openAPIV3Schema: Schema } }[];
        };
      } | null;
      if (crd?.kind !== "CustomResourceDefinition" || crd.spec === undefined) continue;
      for (const { name, schema } of crd.spec.versions) {
        const converted = convert(schema.openAPIV3Schema) as Schema;
        const properties = { ...(converted.properties as Schema), metadata: { type: "object" } };
        const own = withIdentity(
          { ...converted, properties },
          `${crd.spec.group}/${name}`,
          crd.spec.names.kind,
        );
        if (own !== null) kinds[`${crd.spec.group}/${name}/${crd.spec.names.kind}`] = own;
      }
    }
  }
  return { kinds, $defs: {} };
}

/** The schema of one kind: its apiVersion and kind are required and fixed. Null for a definition that is no object of the API. */
function withIdentity(schema: Schema, apiVersion: string, kind: string): Schema | null {
  const properties = schema.properties as Schema | undefined;
  if (properties?.apiVersion === undefined) return null;
  const required = [
    ...new Set([...((schema.required as string[] | undefined) ?? []), "apiVersion", "kind"]),
  ].sort();
  return {
    ...schema,
    type: "object",
    properties: { ...properties, apiVersion: { const: apiVersion }, kind: { const: kind } },
    required,
  };
}

/** Only these kinds, and the definitions that they need. @throws Error for a kind that is not there. */
export function pickKinds(all: KindSchemas, wanted: readonly string[]): KindSchemas {
  const missing = wanted.filter((kind) => all.kinds[kind] === undefined);
  if (missing.length > 0) throw new Error(`no schema of ${missing.join(", ")}`);
  const kinds = Object.fromEntries(wanted.map((kind) => [kind, all.kinds[kind]!]));
  const needed = new Set<string>();
  const todo: unknown[] = Object.values(kinds);
  while (todo.length > 0) {
    const node = todo.pop();
    if (typeof node !== "object" || node === null) continue;
    const reference = (node as Schema).$ref;
    if (typeof reference === "string") {
      const name = reference.slice("#/$defs/".length);
      if (needed.has(name)) continue;
      needed.add(name);
      todo.push(all.$defs[name]);
    } else todo.push(...Object.values(node));
  }
  const $defs = Object.fromEntries([...needed].sort().map((name) => [name, all.$defs[name]!]));
  return { kinds, $defs };
}

/** One kind's schema by itself, for a validator. */
export function standalone({ kinds, $defs }: KindSchemas, kind: string): Schema | undefined {
  const schema = kinds[kind];
  return schema === undefined ? undefined : { ...schema, $defs };
}

/** The folder of a Go module, fetched when it is absent; null when Go is missing or the module cannot be had. */
export function moduleFolder(module: string, version: string): string | null {
  const { status, stdout } = spawnSync("go", ["mod", "download", "-json", `${module}@${version}`], {
    encoding: "utf8",
    timeout: 600_000,
    env: { ...process.env, GOFLAGS: "-mod=mod" },
  });
  if (status !== 0) return null;
  return (JSON.parse(stdout) as { Dir?: string }).Dir ?? null;
}

/** All kinds of one version of Kubernetes; null when its sources cannot be had. */
export function kubernetesKinds(version: string): KindSchemas | null {
  const folder = moduleFolder(KUBERNETES_MODULE, version);
  if (folder === null) return null;
  const text = readFileSync(join(folder, "api/openapi-spec/swagger.json"), "utf8");
  return kindsOfOpenApi(JSON.parse(text) as { definitions: Record<string, Schema> });
}

/** The kinds of the operators, and the modules that could not be had. */
export function operatorKinds(): KindSchemas & { missing: string[] } {
  const missing: string[] = [];
  const texts = CRD_MODULES.flatMap(({ module, version, folder }) => {
    const at = moduleFolder(module, version);
    const crds = at === null ? null : join(at, folder);
    if (crds === null || !existsSync(crds)) {
      missing.push(`${module}@${version}`);
      return [];
    }
    return readdirSync(crds)
      .filter((file) => file.endsWith(".yaml"))
      .map((file) => readFileSync(join(crds, file), "utf8"));
  });
  return { ...kindsOfCrds(texts), missing };
}

/** Writes one schema for each kind into a folder, as kubeconform looks for them. */
export function writeForKubeconform(all: KindSchemas, folder: string): void {
  mkdirSync(folder, { recursive: true });
  for (const [id, schema] of Object.entries(all.kinds)) {
    const parts = id.split("/");
    const kind = parts.at(-1)!.toLowerCase();
    const group = parts.length === 3 ? `-${parts[0]!.split(".")[0]}` : "";
    const picked = pickKinds(all, [id]);
    const file = `${kind}${group}-${parts.at(-2)!.toLowerCase()}.json`;
    writeFileSync(join(folder, file), JSON.stringify({ ...schema, $defs: picked.$defs }));
  }
}

function mapValues(object: Schema, change: (value: Schema) => unknown): Record<string, Schema> {
  return Object.fromEntries(
    Object.entries(object).map(([key, value]) => [key, change(value as Schema) as Schema]),
  );
}

/** JSON with one line for each kind and definition, so that a diff shows the part that changed. */
function toLines({ kubernetes, kinds, $defs }: KindSchemas & { kubernetes: string }): string {
  const rows = (schemas: Record<string, Schema>) =>
    Object.entries(schemas)
      .map(([name, schema]) => `${JSON.stringify(name)}: ${JSON.stringify(schema)}`)
      .join(",\n");
  return `{"kubernetes": ${JSON.stringify(kubernetes)},\n"kinds": {\n${rows(kinds)}\n},\n"$defs": {\n${rows($defs)}\n}}\n`;
}

if (import.meta.main) {
  const kubernetes = kubernetesKinds(KUBERNETES_VERSIONS[2]);
  const operators = operatorKinds();
  if (kubernetes === null || operators.missing.length > 0) {
    const missing = [...(kubernetes === null ? [KUBERNETES_MODULE] : []), ...operators.missing];
    console.error(`the schemas need Go and these modules, which cannot be had: ${missing.join(", ")}`);
    process.exit(1);
  }
  const all = { kinds: { ...kubernetes.kinds, ...operators.kinds }, $defs: kubernetes.$defs };
  const picked = pickKinds(all, KINDS);
  mkdirSync(join(KINDS_FILE, ".."), { recursive: true });
  writeFileSync(KINDS_FILE, toLines({ kubernetes: KUBERNETES_VERSIONS[2], ...picked }));
  console.log(`${KINDS.length} kinds, ${Object.keys(picked.$defs).length} definitions`);
}
