// The operation for autoscalers: the work of one group of agents.
import { z } from "zod";
import { SwarmError, tokenSchema } from "../../protocol/index.ts";
import { defineOperation, readWithin } from "./operation.ts";

export const showScaling = defineOperation({
  name: "scaling-show",
  summary: "count the work of a group of agents, for an autoscaler",
  input: z.strictObject({
    group: tokenSchema.meta({ description: "a group of the permissions" }),
  }),
  output: z.object({
    /** The stored tasks of the group's capabilities, waiting or running, each once, and the seats of ballots that wait for agents. */
    work: z.int(),
    queued: z.int(),
    placed: z.int(),
    seats: z.int(),
    /** Capabilities of the group that do not count, because they are paused. */
    paused: z.array(z.string()),
    /** Placed tasks that were counted without knowing their capability. */
    guessed: z.int(),
    /** False: no coordinator in office answered, so that vacant seats are missing. */
    isOfficeKnown: z.boolean(),
  }),
  errors: ["not_found"],
  access: "read",
  async run(context, { group }) {
    const { scaling } = context;
    if (scaling === undefined) {
      throw new SwarmError(
        "not_found",
        `group ${group} is not known: this process has no permissions file, which lists the groups (MURMUR_PERMISSIONS_FILE of the api process)`,
        { field: "group" },
      );
    }
    const work = await readWithin(context, scaling.count(group));
    if (work !== null) return work;
    const known = scaling.names.join(", ") || "none";
    throw new SwarmError("not_found", `the permissions list no group ${group}; known: ${known}`, {
      field: "group",
    });
  },
});
