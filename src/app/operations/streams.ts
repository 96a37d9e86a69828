// The operation that creates or verifies the streams and buckets that everything else needs.
import { z } from "zod";
import { foundOffice } from "../../coordinator/index.ts";
import { defineOperation } from "./operation.ts";

export const initStreams = defineOperation({
  name: "swarm-init",
  summary: "create or verify streams and buckets",
  input: z.strictObject({}),
  output: z.object({
    created: z.array(z.string()),
    verified: z.array(z.string()),
    /** Settings that work and could be better. */
    warnings: z.array(z.string()),
  }),
  /** `conflict`: a setting of a stream differs, and correctness needs it. */
  errors: ["conflict", "not_permitted"],
  access: "admin",
  async run({ transport }) {
    const done = await transport.init();
    await foundOffice(transport);
    return done;
  },
});
