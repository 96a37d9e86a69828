// Answers `<p>.office.<command>` while this coordinator holds the office, and only then. Without a holder the subject has
// no subscriber, and NATS tells the caller so at once. Owns requests and replies; the office owns the decisions.
//
// S1  A read shows only a state that includes every decision before the read: a barrier confirms it after the read came.
// S2  A decided refusal (an `error` in the result) becomes an error reply; a repeat with the same key gets it again.

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

/** Prefixes the keys of callers, so that they never equal the keys of the coordinators' own commands. */
const outsideKey = (key: string) => `c.${key}`;

/**
 * The holder's answers to the calls, by command. Each answer checks by itself that this coordinator still holds the
 * office, as far as it needs that.
 */
export type OfficeAnswers = Partial<Readonly<Record<CallName, (body: unknown) => Promise<unknown>>>>;

/** With `term`, only in that term: the repeat of a transfer whose reply was lost does not move the office again. */
const transferSchema = z.strictObject({ to: tokenSchema.optional(), term: z.int().min(1).optional() });

/** Creates the server of an office. */
export function createOfficeServer(parts: {
  transport: Transport;
  office: Office;
  members: readonly string[];
  log: Logger;
  answers?: OfficeAnswers;
  /** The audit log, which records the commands of people; default: none. */
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
          `the office is in term ${term}, not in term ${expected} any more: it changed hands; check who holds it`,
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
