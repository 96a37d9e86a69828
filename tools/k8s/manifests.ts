// Renders the plain manifests in k8s/manifests, for clusters without Helm: `node tools/k8s/manifests.ts [--check]`. Their first lines hold
// the hash of their inputs, so that a stale file is found without Helm; with Helm, --check compares every byte.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArgs } from "node:util";
import { hashOfInputs, hasTool, render, root, valuesFile } from "./chart.ts";

/** The sets of values with plain manifests. */
export const MANIFEST_SETS = ["small", "standard"] as const;

/** The file of a set. */
export function manifestFile(set: string): string {
  return join(root, "k8s/manifests", set, "murmur.yaml");
}

/** The hash of the inputs in the first lines of a file; undefined without one. */
export function hashInFile(text: string): string | undefined {
  return /^# inputs: ([0-9a-f]{64})$/m.exec(text)?.[1];
}

/** The manifests of a set, rendered now. @throws Error with Helm's message. */
function renderManifests(set: string): string {
  const { status, stdout, stderr } = render([valuesFile(set)], ["--skip-tests"]);
  if (status !== 0) throw new Error(stderr);
  const head = [
    `# Rendered from k8s/chart with ci/${set}-values.yaml, for the namespace murmur: node tools/k8s/manifests.ts`,
    `# inputs: ${hashOfInputs(set)}`,
  ];
  const body = stdout.replaceAll(
    "app.kubernetes.io/managed-by: Helm",
    "app.kubernetes.io/managed-by: kubectl",
  );
  return `${head.join("\n")}\n${body}`;
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { check: { type: "boolean" } } });
  const canRender = hasTool("helm");
  if (!canRender) {
    console.error(
      `helm is not on the PATH: ${values.check === true ? "only the hashes of the inputs are checked" : "it must be"}`,
    );
    if (values.check !== true) process.exit(1);
  }
  for (const set of MANIFEST_SETS) {
    const file = manifestFile(set);
    const stored = existsSync(file) ? readFileSync(file, "utf8") : "";
    const isFresh = canRender ? renderManifests(set) === stored : hashInFile(stored) === hashOfInputs(set);
    if (isFresh) continue;
    console.log(`${values.check === true ? "stale" : "written"}: ${relative(root, file)}`);
    if (values.check === true) process.exitCode = 1;
    else {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, renderManifests(set));
    }
  }
}
