// `init`: creates the swarm's streams and buckets, or verifies them.
import { z } from "zod";
import { foundOffice } from "../../../coordinator/index.ts";
import { defineCommand } from "../../cli/command.ts";

export const command = defineCommand({
  input: z.strictObject({}),
  output: z.object({
    created: z.array(z.string()),
    verified: z.array(z.string()),
    /** What works and is less than it could be. */
    warnings: z.array(z.string()),
  }),
  examples: ["init --server nats://nats:4222", "init --prefix staging"],
  details:
    "Safe to repeat: what exists is compared and never changed. A setting that correctness rests on and that differs is an\nerror (exit code 1) naming stream, setting, expected and found value. Streams have three copies in a cluster and one on a\nsingle server; MURMUR_REPLICAS says otherwise, and then those that exist must have that many.",
  async run(ports) {
    const transport = await ports.transport();
    const done = await transport.init();
    await foundOffice(transport);
    return done;
  },
  render: ({ created, verified, warnings }) =>
    [
      ...created.map((name) => `created   ${name}`),
      ...verified.map((name) => `verified  ${name}`),
      ...warnings.map((warning) => `warning   ${warning}`),
    ].join("\n"),
});
