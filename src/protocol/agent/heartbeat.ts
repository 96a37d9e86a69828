// The heartbeat: a host's regular report about the state of its agents. Owns its schema.
import { z } from "zod";
import { tokenSchema } from "../wire/schema.ts";
import { agentStatusSchema } from "./status.ts";

/** A heartbeat: all agents of one process that this message reports. `goodbye` marks the last heartbeat of a process. */
export const heartbeatSchema = z.object({
  host: tokenSchema,
  pid: z.int(),
  role: z.string(),
  at: z.string(),
  goodbye: z.boolean().optional(),
  agents: z.array(agentStatusSchema),
});
/** A heartbeat. */
export type Heartbeat = z.output<typeof heartbeatSchema>;
