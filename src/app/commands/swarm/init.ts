// `init`: creates the swarm's streams, buckets and consumers, or verifies them.
import { z } from "zod";
import { systemChance, systemClock } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { readDurationMs } from "../../cli/duration.ts";
import { initStreams } from "../../operations/streams.ts";
import { callOperation } from "../face.ts";
import { waitForNats } from "./init-wait.ts";

/** The wait of `--wait` without a duration, in ms: servers pull their image, start, and read large streams. */
const DEFAULT_WAIT_MS = 600_000;
/** The longest wait, in ms: a day. */
const LONGEST_WAIT_MS = 86_400_000;

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
    wait: z
      .union([z.literal(true), z.string().min(1)])
      .optional()
      .meta({
        value: "DURATION",
        optionalValue: true,
        description:
          "wait until NATS answers and has enough servers, for example --wait=5m (without a duration: 10m); the log tells the reason",
      }),
  }),
  output: initStreams.output,
  examples: [
    "init --server nats://nats:4222",
    "init --permissions deploy/permissions.yaml",
    "init --capabilities echo,review",
    "init --apply",
    "init --wait=5m --permissions deploy/permissions.yaml",
  ],
  details:
    "Each agent class has a stream of placed tasks: this command makes the one of the setting agentClass, and with --permissions\nthose of all its classes. Safe to repeat: it creates what is absent, and changes nothing that exists. A setting that differs from its definition is listed,\nwith the expected and the found value, and the exit code is 1. --apply makes the changes that NATS allows and that lose no message\n(subjects and rights of this version; the ages of the settings resultDays and deadDays, where a shorter age removes what is older),\nonce all processes of the swarm run this version; the audit log notes them. Streams have three copies in a cluster and one on a\nsingle server. MURMUR_REPLICAS sets another number, and then existing streams must have that many.\nAgents wait for the queue consumers of their capabilities: give the capabilities or the permissions file.\nWith --wait it tries again, at least each 6 s, while no server answers, JetStream elects a leader, or servers of the cluster are missing.\nA server that is too old, has no JetStream or has too little storage ends it at once, as does a refused permission.",
  async run(ports, { apply, capabilities, permissions, wait }) {
    const limitMs = wait === undefined ? 0 : readWaitMs(wait);
    const named = capabilities?.split(",").filter((name) => name !== "") ?? [];
    const file = permissions === undefined ? undefined : await readFile(permissions);
    const input = {
      apply,
      capabilities: [...named, ...(file?.capabilities ?? [])],
      classes: file?.classes ?? [],
    };
    return waitForNats(() => callOperation(ports, initStreams, input), {
      limitMs,
      tell: (reason, waitedMs) =>
        ports.log.warn({ reason, waitedMs, limitMs }, "NATS is not ready; init waits for it and tries again"),
      signal: ports.signal,
      clock: systemClock,
      chance: systemChance,
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

/** The longest wait, in ms. @throws SwarmError `invalid_input`. */
function readWaitMs(wait: true | string): number {
  const limitMs = wait === true ? DEFAULT_WAIT_MS : readDurationMs(wait);
  if (limitMs !== null && limitMs >= 1 && limitMs <= LONGEST_WAIT_MS) return limitMs;
  const message = `--wait must be a duration such as 30s or 10m, at most 24h, got ${JSON.stringify(String(wait).slice(0, 80))}`;
  throw new SwarmError("invalid_input", message, { field: "wait" });
}

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
