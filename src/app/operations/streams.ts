// The operation that creates or verifies the streams and buckets that everything else needs.
import { z } from "zod";
import { foundOffice } from "../../coordinator/index.ts";
import { defineOperation } from "./operation.ts";

export const initStreams = defineOperation({
  name: "swarm-init",
  summary: "create or verify streams and buckets",
  input: z.strictObject({
    update: z.boolean().default(false).meta({
      description: "give streams of an earlier version the subjects of this version",
    }),
  }),
  output: z.object({
    created: z.array(z.string()),
    /** Streams of an earlier version that now have the subjects of this version. */
    updated: z.array(z.string()),
    verified: z.array(z.string()),
    /** Settings that work and could be better. */
    warnings: z.array(z.string()),
  }),
  /** `conflict`: a setting of a stream differs, and correctness needs it. */
  errors: ["conflict", "not_permitted"],
  access: "admin",
  async run({ transport }, { update }) {
    const done = await transport.init({ update });
    await foundOffice(transport);
    return done;
  },
});
