// Open ballots as their clients see them: their tasks are in no stream any more, so the coordinators are asked.
import { z } from "zod";
import {
  decode,
  encode,
  errorReplySchema,
  fromWire,
  HEADERS,
  parse,
  type Subjects,
  SwarmError,
  toSwarmError,
  type WhereReply,
} from "../../protocol/index.ts";
import type { Incoming, Transport } from "../../transport/index.ts";

/** How long the office has to say whether it knows a ballot, and coordinators which are open, in ms: they answer from memory. */
const ANSWER_TIMEOUT_MS = 1_000;
/** How often a ballot that the office has is asked for, while whoever works on it does not answer. */
const MAX_LOOKS = 3;

/** What the holder of the office tells of an open ballot. */
export type OpenBallotReply = WhereReply & { ballot: NonNullable<WhereReply["ballot"]> };

/** An open ballot in a list. */
const lineSchema = z.object({
  id: z.string(),
  capability: z.string(),
  state: z.string(),
  seats: z.number(),
  answered: z.number(),
});
/** An open ballot in a list, as the control log has it: answers since its last round are not counted. */
export type OpenBallotLine = z.output<typeof lineSchema>;

/** What coordinators know of open ballots. */
export interface OpenBallots {
  /**
   * The open ballot with this id; null when there is none: then its result is stored, or it never was a ballot.
   * @throws SwarmError `unavailable` while nobody holds the office, who alone knows.
   */
  find(taskId: string): Promise<OpenBallotReply | null>;
  /** The newest open ballots, as any coordinator has them, also with nobody in office; none when no coordinator answers. */
  list(): Promise<OpenBallotLine[]>;
}

/** Asks coordinators. `where` asks whoever works on a task. */
export function createOpenBallots(parts: {
  transport: Transport;
  subjects: Subjects;
  where(taskId: string): Promise<WhereReply | null>;
}): OpenBallots {
  const { transport, subjects } = parts;

  /** @throws SwarmError the office's refusal; `unavailable` when nobody answers. */
  async function ask(subject: string, body: object): Promise<unknown> {
    const options = { timeoutMs: ANSWER_TIMEOUT_MS };
    const reply: Incoming = await transport.bus.request(subject, encode(body), options);
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    if (reply.header(HEADERS.serviceErrorCode) === undefined) return value;
    throw fromWire(parse(errorReplySchema, value, "the coordinator's answer").error);
  }

  /** What the office says of a ballot. Silence of its holder may mean that the office changes hands. */
  async function ofOffice(taskId: string): Promise<"open" | "unknown" | "silent"> {
    try {
      const page = parse(
        z.object({ endedAt: z.string().nullable() }),
        await ask(subjects.office("ballot"), { id: taskId }),
        "the office's answer to ballot",
      );
      return page.endedAt === null ? "open" : "unknown";
    } catch (error) {
      const { code } = toSwarmError(error);
      if (code === "not_found") return "unknown";
      if (code !== "unavailable" && code !== "not_leader" && code !== "rate_limited") throw error;
      // A swarm that never had an office has no ballots.
      return (await transport.log("office").info()).messages === 0 ? "unknown" : "silent";
    }
  }

  return {
    async find(taskId) {
      for (let look = 1; ; look++) {
        const reply = await parts.where(taskId);
        if (reply?.ballot !== undefined) return { ...reply, ballot: reply.ballot };
        const known = await ofOffice(taskId);
        if (known === "unknown") return null;
        if (known === "open" && look < MAX_LOOKS) continue; // it was slow to answer
        const why = known === "open" ? "whose holder is slow to answer" : "which nobody holds at the moment";
        throw new SwarmError(
          "unavailable",
          `no task ${taskId} is stored here, and whether it is an open ballot only the office knows, ${why}: murmur office status`,
          { taskId },
        );
      }
    },
    async list() {
      try {
        const answer = await ask(subjects.stale("ballots"), { open: true });
        return parse(z.object({ ballots: z.array(lineSchema) }), answer, "the list of ballots").ballots;
      } catch (error) {
        if (toSwarmError(error).code === "unavailable") return [];
        throw error;
      }
    },
  };
}
