// The operation behind `status`: a quick look at the whole swarm. It asks all parts at the same time and waits for none longer than a
// fixed time; a part that did not answer is named, never guessed.
import { z } from "zod";
import { createSubjects, decode, encode, HEADERS, SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { Incoming } from "../../transport/index.ts";
import { readCapabilities } from "../office/capabilities.ts";
import { glanceAtOffice } from "../office/coordinators.ts";
import { defineOperation, type OperationContext } from "./operation.ts";

/**
 * How long each part may take, in ms. `status` as a whole takes at most 400 ms, and the program starts and connects within 200 ms.
 * A healthy server on one machine answers within 5 ms.
 */
const PART_TIMEOUT_MS = 200;
/** Processes answer from memory: after this pause without a further answer, all have answered. In ms. */
const STALL_MS = 60;
const SCATTER = { timeoutMs: PART_TIMEOUT_MS, stallMs: STALL_MS } as const;

const pingSchema = z.object({
  name: z.string().regex(/^murmur-/),
  id: z.string(),
  version: z.string(),
  metadata: z.object({ role: z.string(), pid: z.string() }),
});

const processSchema = z.object({
  id: z.string(),
  role: z.string(),
  pid: z.int(),
  version: z.string(),
});

const rollSchema = z.object({ agents: z.array(z.object({ state: z.string() })) });

/** A part is null when it did not answer. */
const statusSchema = z.object({
  prefix: z.string(),
  /** The processes that answer NATS services discovery. */
  processes: z.array(processSchema).nullable(),
  /** The coordinator that leads by the word of the coordinators themselves; `office status` demands a proof. */
  office: z
    .object({ leader: z.string().nullable(), term: z.int(), coordinators: z.int(), lag: z.int() })
    .nullable(),
  /** The number of agents by state. */
  agents: z.record(z.string(), z.int()).nullable(),
  queues: z
    .array(
      z.object({
        capability: z.string(),
        state: z.string(),
        waiting: z.int(),
        inFlight: z.int(),
        since: z.string().nullable(),
        by: z.string().nullable(),
      }),
    )
    .nullable(),
  delayed: z.int().nullable(),
  deadLetters: z.int().nullable(),
  /** The parts without an answer, with the reasons. */
  unanswered: z.array(z.object({ part: z.string(), reason: z.string() })),
});

export const showSwarm = defineOperation({
  name: "swarm-status",
  summary: "show the swarm at a glance",
  input: z.strictObject({}),
  output: statusSchema,
  errors: [],
  access: "read",
  async run(context) {
    const { transport } = context;
    const unanswered: z.output<typeof statusSchema>["unanswered"] = [];
    const part = <T>(name: string, work: Promise<T>): Promise<T | null> =>
      withinPart(work).catch((error: unknown) => {
        unanswered.push({ part: name, reason: toSwarmError(error).message });
        return null;
      });
    const [processes, office, agents, queues, delayed, deadLetters] = await Promise.all([
      part("processes", readProcesses(context)),
      part("office", glanceAtOffice(transport, SCATTER)),
      part("agents", countAgents(context)),
      part("queues", readCapabilities({ ...context, pausesTimeoutMs: PART_TIMEOUT_MS })),
      part("delayed", transport.log("later").info()),
      part("deadLetters", transport.log("dead").info()),
    ]);
    return {
      prefix: transport.prefix,
      processes,
      office,
      agents,
      queues:
        queues?.capabilities.map(({ capability, state, waiting, inFlight, since, by }) => ({
          capability,
          state,
          waiting,
          inFlight,
          since,
          by,
        })) ?? null,
      delayed: delayed?.messages ?? null,
      deadLetters: deadLetters?.messages ?? null,
      unanswered,
    };
  },
});

async function withinPart<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new SwarmError("timeout", `no answer within ${PART_TIMEOUT_MS + STALL_MS} ms`)),
      PART_TIMEOUT_MS + STALL_MS,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function readProcesses({ transport }: OperationContext): Promise<z.output<typeof processSchema>[]> {
  const replies = await transport.bus.scatter("$SRV.PING", new Uint8Array(), SCATTER);
  return replies
    .flatMap((reply) => {
      const ping = pingSchema.safeParse(readBody(reply)); // other services of the account answer too
      if (!ping.success) return [];
      const { id, version, metadata } = ping.data;
      return [{ id, role: metadata.role, pid: Number(metadata.pid), version }];
    })
    .sort((a, b) => (`${a.role} ${a.id}` < `${b.role} ${b.id}` ? -1 : 1));
}

async function countAgents({ transport }: OperationContext): Promise<Record<string, number>> {
  const { everyAgent } = createSubjects(transport.prefix);
  const counts: Record<string, number> = {};
  for (const reply of await transport.bus.scatter(everyAgent, encode({}), SCATTER)) {
    for (const { state } of rollSchema.safeParse(readBody(reply)).data?.agents ?? []) {
      counts[state] = (counts[state] ?? 0) + 1;
    }
  }
  return counts;
}

function readBody(reply: Incoming): unknown {
  try {
    return decode(reply.data, reply.header(HEADERS.contentType)).value;
  } catch {
    return undefined;
  }
}
