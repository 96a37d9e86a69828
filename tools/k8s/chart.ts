// The chart as the tools see it: its files, the sets of values in ci/, and Helm. Owns the way Helm is found and called.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { parse } from "yaml";

export const root = join(import.meta.dirname, "../..");
/** The folder of the chart. */
export const CHART = join(root, "k8s/chart");
/** The version of Kubernetes that Helm renders for. */
const KUBE_VERSION = "1.36.3";

/** The sets of values in ci/, by name. */
export function valueSets(): string[] {
  return readdirSync(join(CHART, "ci")).map((file) => file.replace(/-values\.yaml$/, ""));
}

/** The file of a set of values. */
export function valuesFile(set: string): string {
  return join(CHART, "ci", `${set}-values.yaml`);
}

/** The part of the values that turns on the objects made from files/, by the beginning of the files' path. */
const FILES_OF: Readonly<Record<string, string>> = {
  "files/alerts.yaml": "prometheusRule",
  "files/dashboards/": "grafanaDashboards",
};

/** True when the objects of a set are made from this file of files/. They are off by default. */
function isRead(path: string, set: string): boolean {
  const values = parse(readFileSync(valuesFile(set), "utf8")) as Record<string, { enabled?: boolean }>;
  const key = Object.entries(FILES_OF).find(([start]) => path.startsWith(start))?.[1];
  return key === undefined || values[key]?.enabled === true;
}

/** A hash of everything that a set's rendering depends on: the chart's files and the values. */
export function hashOfInputs(set: string): string {
  const hash = createHash("sha256");
  for (const file of [
    ...listFiles(join(CHART, "templates")),
    ...listFiles(join(CHART, "files")).filter((file) => isRead(relative(CHART, file), set)),
    ...["Chart.yaml", "values.yaml"].map((name) => join(CHART, name)),
    valuesFile(set),
  ]) {
    hash.update(`${relative(CHART, file)}\n${readFileSync(file, "utf8")}\n`);
  }
  return hash.digest("hex");
}

function listFiles(folder: string): string[] {
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const path = join(folder, name);
      return statSync(path).isDirectory() ? listFiles(path) : [path];
    });
}

/** True when Helm is on the PATH. */
export function hasTool(name: string): boolean {
  return spawnSync("sh", ["-c", `command -v ${name}`]).status === 0;
}

/** The outcome of a program. */
export interface Ran {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, at most two minutes. */
export function run(name: string, args: readonly string[], input?: string): Ran {
  const { status, stdout, stderr, error } = spawnSync(name, args, {
    ...{ encoding: "utf8", timeout: 120_000, maxBuffer: 64 * 1024 * 1024 },
    ...(input === undefined ? {} : { input }),
  });
  return { status: status ?? 1, stdout, stderr: error === undefined ? stderr : `${stderr}${error.message}` };
}

/** Renders the chart as `helm install murmur` in the namespace `murmur` would. `more`: further arguments of Helm. */
export function render(files: readonly string[], more: readonly string[] = []): Ran {
  const values = files.flatMap((file) => ["--values", file]);
  return run("helm", [
    "template",
    "murmur",
    CHART,
    "--namespace",
    "murmur",
    "--kube-version",
    KUBE_VERSION,
    ...values,
    ...more,
  ]);
}

/** Checks the chart with one set of values. */
export function lint(file: string): Ran {
  return run("helm", ["lint", CHART, "--strict", "--kube-version", KUBE_VERSION, "--values", file]);
}
