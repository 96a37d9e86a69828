// The coordinators by their own word: a quick look that asks for no proof. `office status` demands one.
import { coordinatorStatusSchema, createSubjects, decode, encode, HEADERS } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";

/** The office by the word of the coordinators. */
export interface OfficeGlance {
  readonly leader: string | null;
  readonly term: number;
  readonly coordinators: number;
  /** The entries that the last one is behind the first. */
  readonly lag: number;
}

/** Asks all coordinators for their state. @throws SwarmError `unavailable` without a connection. */
export async function glanceAtOffice(
  { prefix, bus }: Pick<Transport, "prefix" | "bus">,
  limits: { timeoutMs: number; stallMs: number },
): Promise<OfficeGlance> {
  const replies = await bus.scatter(createSubjects(prefix).coordinators, encode({}), limits);
  const seen = replies.flatMap((reply) => {
    const body = decode(reply.data, reply.header(HEADERS.contentType)).value;
    return coordinatorStatusSchema.safeParse(body).data ?? [];
  });
  const term = Math.max(0, ...seen.map((each) => each.term));
  const leader = seen.find((each) => each.role === "leader" && each.term === term);
  const applied = seen.map((each) => each.appliedSeq);
  return {
    leader: leader?.id ?? null,
    term,
    coordinators: seen.length,
    lag: applied.length === 0 ? 0 : Math.max(...applied) - Math.min(...applied),
  };
}
