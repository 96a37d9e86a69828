// Checks the chart with the tools of Kubernetes: `npm run test:charts`. Helm is needed; kubeconform, kube-score and Go's module cache are
// used where they are there, and a tool that is missing is told with the checks that it would have made.
//
//   node tools/k8s/test-charts.ts [--schemas DIR]     DIR keeps the schemas for kubeconform between runs
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual, parseArgs } from "node:util";
import { parse, parseAllDocuments } from "yaml";
import { hasTool, lint, render, root, run, valueSets, valuesFile } from "./chart.ts";
import { findDoctorFaults } from "./doctor-pods.ts";
import { findPodFaults, type KubeObject, podTemplateOf } from "./pod-security.ts";
import { KUBERNETES_VERSIONS, kubernetesKinds, operatorKinds, writeForKubeconform } from "./schemas.ts";
import { WRONG_VALUES } from "./wrong-values.ts";

/** Findings of kube-score that the chart does not follow, each with the reason. */
const IGNORED_SCORES = [
  "container-image-pull-policy", // a cluster without a registry needs IfNotPresent
  "container-resources", // no CPU limit: throttling a coordinator costs elections; memory limits are checked here
  "pod-networkpolicy", // it does not know policies that select by instance
  "deployment-has-host-podantiaffinity", // topology spread constraints do that
  "statefulset-has-host-podantiaffinity",
  "container-security-context-user-group-id", // the pod has the ids, and 65532 is above its floor of 10000 alone
];

const { values } = parseArgs({ options: { schemas: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "murmur-charts-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
let passed = 0;
let failed = 0;
const skipped: string[] = [];

/** Counts one check, and prints its faults. */
function check(name: string, faults: readonly string[]): void {
  if (faults.length === 0) passed++;
  else {
    failed++;
    console.log(`FAIL ${name}\n${faults.map((fault) => `     ${fault}`).join("\n")}`);
  }
}

function objectsOf(yaml: string): KubeObject[] {
  return parseAllDocuments(yaml).flatMap((document) =>
    document.toJS() === null ? [] : [document.toJS() as KubeObject],
  );
}

function secretPrefixOf(set: string): string | undefined {
  const { auth } = parse(readFileSync(valuesFile(set), "utf8")) as { auth?: { secretPrefix?: string } };
  return auth?.secretPrefix;
}

if (!hasTool("helm")) {
  console.log("helm is not on the PATH: no check of the chart can be made");
  process.exit(1);
}

const rendered = new Map<string, string>();
for (const set of valueSets()) {
  const linted = lint(valuesFile(set));
  check(`helm lint ${set}`, linted.status === 0 ? [] : [linted.stdout + linted.stderr]);
  const once = render([valuesFile(set)]);
  check(`helm template ${set}`, once.status === 0 ? [] : [once.stderr]);
  const twice = render([valuesFile(set)]);
  check(
    `rendering ${set} twice gives the same bytes`,
    once.stdout === twice.stdout ? [] : ["the outputs differ"],
  );
  rendered.set(set, once.stdout);
  const objects = objectsOf(once.stdout);
  const faults = objects.flatMap((object) => {
    const template = podTemplateOf(object);
    return template === null
      ? []
      : findPodFaults(template).map((fault) => `${object.kind} ${object.metadata.name}: ${fault}`);
  });
  check(`Pod Security restricted: ${set}`, faults);
  const names = objects.map(({ apiVersion, kind, metadata }) => `${apiVersion} ${kind} ${metadata.name}`);
  check(
    `no two objects of ${set} have one name`,
    names.filter((name, at) => names.indexOf(name) !== at),
  );
  check(
    `helm test of ${set} tries each role as its own user`,
    findDoctorFaults(objects, secretPrefixOf(set)),
  );
  const subPaths = once.stdout.split("\n").filter((line) => /subPath/.test(line));
  check(`no mount of ${set} is a subPath, which Kubernetes does not renew`, subPaths);
  const secrets = objects.filter(({ kind }) => kind === "Secret").map(({ metadata }) => metadata.name);
  check(`${set} has no Secret`, secrets);
}
const rule = objectsOf(rendered.get("everything") ?? "").find(({ kind }) => kind === "PrometheusRule");
const rules = readFileSync(join(root, "grafana/alerts/murmur.yaml"), "utf8")
  .replaceAll("(1 - 0.99)", "(1 - 0.995)")
  .replaceAll("docs/runbooks/", "https://runbooks.example/")
  .replaceAll("dashboard_url: /d/", "dashboard_url: https://grafana.example/d/");
check(
  "the PrometheusRule has the rules of grafana/alerts, with the objective and the addresses of the values",
  isDeepStrictEqual(rule?.spec, parse(rules))
    ? []
    : [`they differ: ${JSON.stringify(rule?.spec).slice(0, 500)}`],
);
const boardMaps = objectsOf(rendered.get("everything") ?? "").filter(
  ({ kind, metadata }) => kind === "ConfigMap" && metadata.labels?.grafana_dashboard === "1",
);
const boards = readdirSync(join(root, "grafana/dashboards"));
check(
  "each board is in a ConfigMap of its own for the sidecar, with the objective of the values, and no set has them unasked",
  [
    ...boards.filter((name) => {
      const wanted = readFileSync(join(root, "grafana/dashboards", name), "utf8").replaceAll(
        "(1 - 0.99)",
        "(1 - 0.995)",
      );
      return !boardMaps.some(({ data, metadata }) =>
        isDeepStrictEqual(
          [data, metadata.annotations],
          [{ [name]: wanted.trimEnd() }, { grafana_folder: "Murmur", a: "b" }],
        ),
      );
    }),
    ...valueSets().filter(
      (set) => set !== "everything" && rendered.get(set)?.includes("grafana_dashboard") === true,
    ),
  ],
);
const two = ["one", "two"].map((release) =>
  objectsOf(
    run("helm", [
      "template",
      release,
      join(import.meta.dirname, "../../k8s/chart"),
      "-n",
      "murmur",
      "--kube-version",
      "1.36.3",
      "-f",
      valuesFile("small"),
    ]).stdout,
  ).map(({ kind, metadata }) => `${kind} ${metadata.name}`),
);
check(
  "two releases in one namespace share no object",
  two[0]!.filter((name) => two[1]!.includes(name)),
);

for (const [at, { base, values: wrong, names }] of WRONG_VALUES.entries()) {
  const file = join(folder, `wrong-${at}.yaml`);
  writeFileSync(file, JSON.stringify(wrong));
  const { status, stderr } = render([valuesFile(base), file]);
  const missing =
    status === 0
      ? ["it was rendered"]
      : names
          .filter((name) => !stderr.includes(name))
          .map((name) => `the error does not name ${name}: ${stderr}`);
  check(`wrong values are refused: ${JSON.stringify(wrong)}`, missing);
}

if (hasTool("kubeconform")) {
  const schemas = values.schemas ?? join(folder, "schemas");
  const operators = join(schemas, "operators");
  if (!existsSync(operators)) {
    const { missing, ...kinds } = operatorKinds();
    if (missing.length === 0) writeForKubeconform(kinds, operators);
    else skipped.push(`kubeconform with the operators' schemas: no ${missing.join(", ")} (it needs Go)`);
  }
  for (const version of KUBERNETES_VERSIONS) {
    const own = join(schemas, version);
    if (!existsSync(own)) {
      const kinds = kubernetesKinds(version);
      if (kinds !== null) writeForKubeconform(kinds, own);
    }
    if (!existsSync(own) || !existsSync(operators)) {
      skipped.push(
        `kubeconform for ${version}: its schemas cannot be made (it needs Go and the module k8s.io/kubernetes)`,
      );
      continue;
    }
    for (const [set, yaml] of rendered) {
      const locations = [own, operators].flatMap((each) => [
        "-schema-location",
        `${each}/{{ .ResourceKind }}{{ .KindSuffix }}.json`,
      ]);
      const { status, stdout, stderr } = run("kubeconform", ["-strict", "-summary", ...locations], yaml);
      check(`kubeconform ${version} ${set}`, status === 0 ? [] : [stdout + stderr]);
    }
  }
} else
  skipped.push(
    `kubeconform is not on the PATH: ${rendered.size * KUBERNETES_VERSIONS.length} checks against schemas`,
  );

if (hasTool("kube-score")) {
  for (const [set, yaml] of rendered) {
    const ignore = IGNORED_SCORES.flatMap((name) => ["--ignore-test", name]);
    const { status, stdout } = run("kube-score", ["score", "--output-format", "ci", ...ignore, "-"], yaml);
    check(
      `kube-score ${set}`,
      status === 0 ? [] : stdout.split("\n").filter((line) => line.startsWith("[CRITICAL]")),
    );
  }
} else skipped.push(`kube-score is not on the PATH: ${rendered.size} checks`);

for (const each of skipped) console.log(`skipped: ${each}`);
console.log(`${passed} passed, ${failed} failed, ${skipped.length} skipped`);
process.exitCode = failed === 0 ? 0 : 1;
