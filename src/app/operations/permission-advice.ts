// The operation that advises a caller about an operation that NATS refused it: only an api process has permissions.yaml.
import { z } from "zod";
import { SwarmError } from "../../protocol/index.ts";
import { defineOperation } from "./operation.ts";

/** The longest subject, in characters: longer than any of a swarm. */
const MAX_SUBJECT_LENGTH = 1_024;

export const advisePermission = defineOperation({
  name: "permission-advise",
  summary: "name the line of permissions.yaml that would permit what NATS refused the caller",
  input: z.strictObject({
    operation: z.enum(["publish", "subscribe"]),
    subject: z.string().min(1).max(MAX_SUBJECT_LENGTH),
  }),
  /** A sentence without its end: file, line, key and the value that it needs, or the roles that have the right. */
  output: z.object({ advice: z.string() }),
  /** `not_found`: the process that answers has no permissions file. */
  errors: ["not_found"],
  access: "read",
  isForAgents: true,
  reach: () => ({ capabilities: [] }),
  async run({ advise, caller }, refused) {
    if (advise !== undefined) return { advice: advise({ user: caller.name, ...refused }) };
    throw new SwarmError(
      "not_found",
      "this process has no permissions file; the setting permissionsFile of the api process names it",
    );
  },
});
