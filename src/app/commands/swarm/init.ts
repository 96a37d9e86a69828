// `init`: creates the swarm's streams, buckets and consumers, or verifies them.
import { z } from "zod";
import { systemChance, systemClock } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { readDurationMs } from "../../cli/duration.ts";
import { operatorName } from "../../cli/operator.ts";
import { READ_TIMEOUT_MS } from "../../cli/session.ts";
import { describeInstallation, noteInstallation } from "../../office/installation.ts";
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
      classes: file?.classes,
      hasPermissions: file !== undefined,
    };
    const output = await waitForNats(() => callOperation(ports, initStreams, input), {
      limitMs,
      tell: (reason, waitedMs) =>
        ports.log.warn({ reason, waitedMs, limitMs }, "NATS is not ready; init waits for it and tries again"),
      signal: ports.signal,
      clock: systemClock,
      chance: systemChance,
    });
    if (apply || output.created.length > 0) await noteInstall(ports, { apply, output, file });
    return output;
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

/** The capabilities and the classes of permissions.yaml, and its hash. */
async function readFile(path: string): Promise<InitFile> {
  const { capabilitiesOf, classNamesOf, readLocated } = await import("../../permissions/index.ts");
  const { permissions, hash } = await readLocated(path);
  return { capabilities: capabilitiesOf(permissions), classes: classNamesOf(permissions), hash };
}

interface InitFile {
  readonly capabilities: string[];
  readonly classes: string[];
  readonly hash: string;
}

/** Notes the install or the upgrade. A note that is not stored is told, and fails nothing: the streams stand. */
async function noteInstall(
  ports: Ports,
  {
    apply,
    output,
    file,
  }: { apply: boolean; output: z.output<typeof initStreams.output>; file?: InitFile | undefined },
): Promise<void> {
  const { config, log } = ports;
  const isStored = await noteInstallation(
    await ports.transport(),
    {
      action: apply ? "init-apply" : "init",
      by: operatorName(),
      isProven: false,
      ...describeInstallation(config, file?.hash ?? null),
      created: output.created.length,
      changed: output.applied.length,
    },
    config.timeoutMs ?? READ_TIMEOUT_MS,
  );
  if (!isStored) log.warn("install entry not stored; the audit log does not show this run of init");
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
