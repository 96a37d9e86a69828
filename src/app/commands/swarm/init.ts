// `init`: creates the swarm's streams, buckets and consumers, or verifies them.
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";
import { initStreams } from "../../operations/streams.ts";
import { callOperation } from "../face.ts";

export const command = defineCommand({
  input: z.strictObject({
    apply: initStreams.input.shape.apply,
    capabilities: z.string().optional().meta({
      description: "capabilities, separated by commas, whose queue consumers to create",
      value: "LIST",
    }),
    permissions: z.string().optional().meta({
      description:
        "permissions.yaml: create the consumers of all its capabilities, and the streams of all its classes",
      value: "FILE",
    }),
  }),
  output: initStreams.output,
  examples: [
    "init --server nats://nats:4222",
    "init --permissions deploy/permissions.yaml",
    "init --capabilities echo,review",
    "init --apply",
  ],
  details:
    "Each agent class has a stream of placed tasks: this command makes the one of the setting agentClass, and with --permissions\nthose of all its classes. Safe to repeat: it creates what is absent, and changes nothing that exists. A setting that differs from its definition is listed,\nwith the expected and the found value, and the exit code is 1. --apply makes the changes that NATS allows and that lose no message\n(subjects and rights of this version; the ages of the settings resultDays and deadDays, where a shorter age removes what is older),\nonce all processes of the swarm run this version; the audit log notes them. Streams have three copies in a cluster and one on a\nsingle server. MURMUR_REPLICAS sets another number, and then existing streams must have that many.\nAgents wait for the queue consumers of their capabilities: give the capabilities or the permissions file.",
  async run(ports, { apply, capabilities, permissions }) {
    const named = capabilities?.split(",").filter((name) => name !== "") ?? [];
    const file = permissions === undefined ? undefined : await readFile(permissions);
    return callOperation(ports, initStreams, {
      apply,
      capabilities: [...named, ...(file?.capabilities ?? [])],
      classes: file?.classes ?? [],
    });
  },
  render: ({ created, applied, verified, differences, warnings }) =>
    [
      ...created.map((name) => `created   ${name}`),
      ...applied.map(
        ({ name, setting, found, expected }) => `changed   ${name}: ${setting} ${found} → ${expected}`,
      ),
      ...verified.map((name) => `verified  ${name}`),
      ...warnings.map((warning) => `warning   ${warning}`),
      ...differences.map(({ text }) => `differs   ${text}`),
      ...(differences.length === 0 ? [] : [nextStep(differences)]),
    ].join("\n"),
  exitCode: ({ differences }) => (differences.length === 0 ? 0 : 1),
});

/** The capabilities and the classes of permissions.yaml. */
async function readFile(path: string): Promise<{ capabilities: string[]; classes: string[] }> {
  const { capabilitiesOf, classNamesOf, readPermissions } = await import("../../permissions/index.ts");
  const file = await readPermissions(path);
  return { capabilities: capabilitiesOf(file), classes: classNamesOf(file) };
}

/** The last line of a failed run: it is all that a failed Job shows. */
function nextStep(differences: readonly { canApply: boolean }[]): string {
  const fixable = differences.filter(({ canApply }) => canApply).length;
  const count = `${differences.length} difference${differences.length === 1 ? "" : "s"}`;
  if (fixable === 0) return `${count}: correct each as its line says, then run murmur init again`;
  return fixable === differences.length
    ? `${count}: murmur init --apply removes ${fixable === 1 ? "it" : "them"}`
    : `${count}: murmur init --apply removes ${fixable}; correct the others as their lines say`;
}
