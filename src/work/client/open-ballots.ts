// Finds and lists open ballots for the readers of task states (status.ts, list.ts, cancel.ts). The task of an open ballot is
// in no stream any more, so this file asks the coordinators.
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
import { findAttempt } from "./where.ts";

/** How long a coordinator has to answer a request about ballots, in ms: it answers from memory. */
const BALLOT_REPLY_TIMEOUT_MS = 1_000;
/** The most tries to get the progress of a ballot that the office reports as open; then `find` reports a slow holder. */
const MAX_PROGRESS_TRIES = 3;

/** An open ballot as the holder of the office reports it. */
export type OpenBallotReply = WhereReply & { ballot: NonNullable<WhereReply["ballot"]> };

/** An open ballot in a list. */
const lineSchema = z.object({
  id: z.string(),
  capability: z.string(),
  state: z.string(),
  seats: z.number(),
  answered: z.number(),
});
const linesSchema = z.object({ ballots: z.array(lineSchema) });
const ballotPageSchema = z.object({ endedAt: z.string().nullable() });
/** An open ballot in a list, as the control log has it: answers since the ballot's last round are not counted. */
export type OpenBallotLine = z.output<typeof lineSchema>;

/** Asks coordinators about open ballots. */
export interface OpenBallots {
  /**
   * The open ballot with this id; null when there is none: then its result is stored, or the id never was a ballot.
   * @throws SwarmError `unavailable` while no coordinator holds the office, because only the holder knows.
   */
  find(taskId: string): Promise<OpenBallotReply | null>;
  /**
   * The newest open ballots. Any coordinator answers from its copy of the control state, so the list works while the office is
   * vacant. Null when no coordinator answers, in a swarm that has had an office.
   */
  list(): Promise<OpenBallotLine[] | null>;
}

/** Makes the reader of open ballots. */
export function createOpenBallots(parts: { transport: Transport; subjects: Subjects }): OpenBallots {
  const { transport, subjects } = parts;
  return { find, list };

  async function find(taskId: string): Promise<OpenBallotReply | null> {
    for (let tries = 1; ; tries++) {
      const reply = await findAttempt(parts, taskId);
      if (reply?.ballot !== undefined) return { ...reply, ballot: reply.ballot };
      const known = await askOffice(taskId);
      if (known === "unknown") return null;
      if (known === "silent") throw undecided(taskId, "the office is vacant at the moment");
      if (tries >= MAX_PROGRESS_TRIES) throw undecided(taskId, "the holder of the office is slow to answer");
    }
  }

  async function list(): Promise<OpenBallotLine[] | null> {
    try {
      return parse(linesSchema, await ask(subjects.stale("ballots"), { open: true }), "the list of ballots")
        .ballots;
    } catch (error) {
      if (toSwarmError(error).code !== "unavailable") throw error;
      return (await hadOffice()) ? null : [];
    }
  }

  /** The office's view of a ballot. `silent`: its holder did not answer, perhaps because the office changes hands. */
  async function askOffice(taskId: string): Promise<"open" | "unknown" | "silent"> {
    try {
      const answer = await ask(subjects.office("ballot"), { id: taskId });
      const page = parse(ballotPageSchema, answer, "the office's answer to ballot");
      return page.endedAt === null ? "open" : "unknown";
    } catch (error) {
      const { code } = toSwarmError(error);
      if (code === "not_found") return "unknown";
      if (code !== "unavailable" && code !== "not_leader" && code !== "rate_limited") throw error;
      return (await hadOffice()) ? "silent" : "unknown";
    }
  }

  /** False for a swarm that never had an office: it has no ballots. */
  async function hadOffice(): Promise<boolean> {
    return (await transport.log("office").info()).messages > 0;
  }

  /** @throws SwarmError the coordinator's refusal; `unavailable` without an answer. */
  async function ask(subject: string, body: object): Promise<unknown> {
    const options = { timeoutMs: BALLOT_REPLY_TIMEOUT_MS };
    const reply: Incoming = await transport.bus.request(subject, encode(body), options);
    const { value } = decode(reply.data, reply.header(HEADERS.contentType));
    if (reply.header(HEADERS.serviceErrorCode) === undefined) return value;
    throw fromWire(parse(errorReplySchema, value, "the coordinator's answer").error);
  }
}

function undecided(taskId: string, reason: string): SwarmError {
  return new SwarmError(
    "unavailable",
    `task ${taskId} is in no stream, and only the office knows whether it is an open ballot, but ${reason}: see murmur office status`,
    { taskId },
  );
}
