// The operation that creates or verifies the streams and buckets that everything else needs.
import { z } from "zod";
import { foundOffice } from "../../coordinator/index.ts";
import { defineOperation } from "./operation.ts";

export const initStreams = defineOperation({
  name: "swarm-init",
  summary: "create or verify streams and buckets",
  input: z.strictObject({
    update: z.boolean().default(false).meta({
      description: "give existing streams the subjects of this version and the ages of the settings",
    }),
  }),
  output: z.object({
    created: z.array(z.string()),
    /** Streams and buckets that now have the subjects of this version, or the age that the settings give. */
    updated: z.array(z.string()),
    verified: z.array(z.string()),
    /** Settings that work and could be better. */
    warnings: z.array(z.string()),
  }),
  /** `conflict`: a setting of a stream differs, and correctness needs it. */
  errors: ["conflict", "not_permitted"],
  access: "admin",
  audit: {
    outcome: ({ created, updated, verified }) => ({ created, updated, verified: verified.length }),
  },
  async run({ transport }, { update }) {
    const done = await transport.init({ update });
    await foundOffice(transport);
    return done;
  },
});
