// The operation that creates or verifies the streams, buckets and consumers that everything else needs.
import { z } from "zod";
import { foundOffice } from "../../coordinator/index.ts";
import { classSchema, DEFAULT_CLASS, nameSchema } from "../../protocol/index.ts";
import { createQueueConsumers } from "../../work/index.ts";
import { defineOperation } from "./operation.ts";

/** The most capabilities of one call: each has four consumers, and the server keeps all of them in memory. */
const MAX_INIT_CAPABILITIES = 1_000;

/** The most classes of one call: the server reserves storage for the stream of each. */
const MAX_INIT_CLASSES = 100;

const differenceSchema = z.object({
  /** The stream, bucket or consumer. */
  name: z.string(),
  setting: z.string(),
  expected: z.string(),
  found: z.string(),
  /** The difference for people, with the next step. */
  text: z.string(),
  /** `init` with `apply` removes it. */
  canApply: z.boolean(),
});

export const initStreams = defineOperation({
  name: "swarm-init",
  summary: "create or verify streams, buckets and consumers",
  input: z.strictObject({
    apply: z.boolean().default(false).meta({
      description: "make the changes of existing streams that NATS allows, for an upgrade",
    }),
    capabilities: z.array(nameSchema).max(MAX_INIT_CAPABILITIES).default([]).meta({
      description: "the capabilities whose queue consumers to create",
    }),
    classes: z.array(classSchema).max(MAX_INIT_CLASSES).optional().meta({
      description: "the agent classes that need a stream of placed tasks (default: that of the settings)",
    }),
    hasPermissions: z.boolean().default(false).meta({
      description: "NATS has a user for each role: the store of blobs refuses roll-ups",
    }),
  }),
  output: z.object({
    /** The streams, buckets and consumers that it created. */
    created: z.array(z.string()),
    /** The differences that `apply` removed. */
    applied: z.array(differenceSchema),
    /** The streams, buckets and consumers that are as they must be. */
    verified: z.array(z.string()),
    /** The differences that are left. */
    differences: z.array(differenceSchema),
    /** Settings that work and could be better. */
    warnings: z.array(z.string()),
  }),
  /** `conflict`: a stream of another owner holds a subject of the swarm. */
  errors: ["conflict", "not_permitted"],
  access: "admin",
  role: "init",
  audit: {
    outcome: ({ created, applied, verified, differences }) => ({
      created,
      changes: applied.map(({ name, setting, expected }) => `${name}: ${setting} ${expected}`),
      verified: verified.length,
      differences: differences.length,
    }),
  },
  async run({ transport, agentClass = DEFAULT_CLASS }, input) {
    const { apply, capabilities, classes = [agentClass], hasPermissions } = input;
    const wanted = { apply, classes, hasPermissions };
    const { created, applied, verified, differences, warnings } = await transport.init(wanted);
    await foundOffice(transport);
    const consumers = await createQueueConsumers(transport, capabilities);
    return {
      created: [...created, ...consumers.created.map(showConsumer)],
      applied: applied.map(({ stream, ...difference }) => ({ name: stream, ...difference })),
      verified: [...verified, ...consumers.verified.map(showConsumer)],
      differences: [
        ...differences.map(({ stream, ...difference }) => ({ name: stream, ...difference })),
        ...consumers.different.map(({ name, expected, found }) => ({
          name,
          setting: "filter",
          expected,
          found,
          text: `${showConsumer(name)}: filter must be ${expected}, found ${found}; delete it with \`nats consumer rm\`, then run init again`,
          canApply: false,
        })),
      ],
      warnings,
    };
  },
});

const showConsumer = (name: string) => `consumer ${name}`;
