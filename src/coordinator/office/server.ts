// Answers `<p>.office.<command>` while this coordinator holds the office, and only then: with nobody in office nobody
// listens, and whoever asks is told at once. Owns requests and replies; what is decided is the office's.
//
// S1  A read is shown only from a state that a barrier, asked after the read arrived, made current.
// S2  A refusal that was decided (an `error` in the result) is an error reply; repeating its key repeats it.

import { z } from "zod";
import { type Clock, createService, type Logger, type Service, systemClock } from "../../base/index.ts";
import {
  type Audit,
  createSubjects,
  isJsonObject,
  type Json,
  parse,
  SwarmError,
  tokenSchema,
} from "../../protocol/index.ts";
import type { Subscription, Transport } from "../../transport/index.ts";
import type { Refusal } from "../reducer.ts";
import { CALLS, type CallName, findRead, isWrite, parseWrite, unknownCommand, WRITES } from "../requests.ts";
import type { Office } from "./office.ts";
import { auditOperations } from "./office-audit.ts";
import { respondTo } from "./respond.ts";

/** Keys of outsiders stand apart from those of the coordinators' own commands. */
const outsideKey = (key: string) => `c.${key}`;

/**
 * What the holder of the office answers from more than its state: by command. Each sees to it itself that it is still
 * the holder, as far as its answer needs that.
 */
export type OfficeAnswers = Partial<Readonly<Record<CallName, (body: unknown) => Promise<unknown>>>>;

/** With `term` only while it is that term: a repeat of a question whose answer was lost moves the office no further. */
const transferSchema = z.strictObject({ to: tokenSchema.optional(), term: z.int().min(1).optional() });

/** Serves an office. */
export function createOfficeServer(parts: {
  transport: Transport;
  office: Office;
  members: readonly string[];
  log: Logger;
  answers?: OfficeAnswers;
  /** Where the commands of people are kept; without it nowhere but in what they changed. */
  audit?: Audit | undefined;
  clock?: Clock;
}): Service {
  const { transport, office, members, log, answers = {}, audit } = parts;
  const clock = parts.clock ?? systemClock;
  const subjects = createSubjects(transport.prefix);
  const commandAt = subjects.office("x").length - 1;
  let subscription: Subscription | undefined;

  async function decide(name: string, body: unknown): Promise<unknown> {
    if (isWrite(name)) {
      const { key, command } = parseWrite(name, body, clock.now());
      return unwrap(await office.submit(outsideKey(key), command));
    }
    if (name === "transfer") {
      const { to, term: expected } = parse(transferSchema, body, name);
      const { id, term } = tenure(office);
      if (expected !== undefined && expected !== term) {
        throw new SwarmError(
          "conflict",
          `the office is in term ${term} and not in ${expected} any more: it changed hands meanwhile; look who holds it`,
          { field: "term" },
        );
      }
      return { from: id, to: office.transfer(to), term };
    }
    if (name === "tenure") {
      await office.barrier(); // S1
      const { id, pid, term, since } = tenure(office);
      return { leader: id, leaderPid: pid, term, since, members, logSeq: office.appliedSeq };
    }
    const answerOf = Object.hasOwn(answers, name) ? answers[name as CallName] : undefined;
    if (answerOf !== undefined) return answerOf(body);
    const show = findRead(name)?.(body);
    if (show === undefined) throw unknownCommand(name, [...WRITES, ...CALLS, "tenure", "transfer"]);
    await office.barrier(); // S1
    return show(office.state, { at: office.logTime, nowMs: clock.now() });
  }

  const answer = audit === undefined ? decide : auditOperations(decide, audit);

  const close = () => {
    subscription?.close();
    subscription = undefined;
  };
  return createService({
    name: "office server",
    start() {
      const follow = (inOffice: boolean) => {
        if (!inOffice) close();
        else
          subscription ??= transport.bus.subscribe(
            subjects.filters.allOffice,
            (request) =>
              void respondTo(request, log, (body) => answer(request.subject.slice(commandAt), body)),
          );
      };
      office.onTenure((held) => follow(held !== null));
      follow(office.tenure !== null);
    },
    stop: close,
  });
}

function tenure(office: Office) {
  if (office.tenure === null)
    throw new SwarmError("not_leader", "this coordinator does not hold the office: ask again");
  return office.tenure;
}

/** @throws SwarmError for a decided refusal (S2). */
export function unwrap(result: Json): Json {
  if (!isJsonObject(result) || result.error === undefined) return result;
  const { code, message, field } = (result as Refusal).error;
  throw new SwarmError(code, message, { field });
}
