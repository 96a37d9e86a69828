// The heartbeat: a host's regular report about the state of its agents. Owns its schema.
import { z } from "zod";
import { parse, tokenSchema } from "../wire/schema.ts";
import { agentStatusSchema, isPlainStatus } from "./status.ts";

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

const headSchema = heartbeatSchema.extend({ agents: z.array(z.unknown()) });

/** Parses a heartbeat. The schema of a status judges each status that is not plain. @throws SwarmError `invalid_input`. */
export function parseHeartbeat(value: unknown): Heartbeat {
  const { agents } = (value ?? {}) as { agents?: unknown };
  if (!Array.isArray(agents) || !agents.every(isPlainStatus))
    return parse(heartbeatSchema, value, "heartbeat");
  return { ...parse(headSchema, value, "heartbeat"), agents };
}
