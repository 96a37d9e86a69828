// The roll call of engines: each tells its lanes, and the runs in them that wait for a person. It answers from memory.
import { z } from "zod";
import { createSubjects, decode, encode } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { type EngineRoll, STUCK_KINDS } from "../check/stuck.ts";

/** How long the roll call waits, in ms: as long as that of agents, and the first answer ends a wait of 250 ms. */
const ENGINE_ROLL = { timeoutMs: 2_000, stallMs: 250 } as const;

const stuckRunSchema = z.object({
  id: z.string(),
  name: z.string(),
  version: z.number(),
  kind: z.enum(STUCK_KINDS),
  sinceMs: z.number(),
  path: z.string().optional(),
  by: z.array(z.string()).optional(),
  dueMs: z.number().optional(),
  cause: z.string().optional(),
  message: z.string().optional(),
});

const rollSchema = z.object({
  lanes: z.array(
    z.object({
      lane: z.string(),
      pending: z.number(),
      stalledSinceMs: z.number().nullable(),
    }),
  ),
  counts: z.record(z.enum(STUCK_KINDS), z.number()),
  runs: z.array(stuckRunSchema),
});

/** Asks every engine; empty when none answers. @throws SwarmError `unavailable` without a connection. */
export async function callEngines(transport: Pick<Transport, "prefix" | "bus">): Promise<EngineRoll[]> {
  const subject = createSubjects(transport.prefix).engines("roll");
  const replies = await transport.bus.scatter(subject, encode({}), ENGINE_ROLL);
  return replies.flatMap(({ data }) => {
    const read = rollSchema.safeParse(decode(data).value);
    return read.success ? [read.data as EngineRoll] : []; // the engine of another version
  });
}
