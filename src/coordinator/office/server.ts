// The office server: answers `<p>.office.<command>` only while this coordinator holds the office. Without a holder the
// subject has no subscriber, and NATS reports this to the caller at once. Owns requests and replies; office.ts decides.
//
// S1  A read shows only a state that includes every decision before the read. For this, the server waits for a barrier
//     that the office appends after the read has arrived.
// S2  A decided refusal (an `error` in the result) becomes an error reply. A repeat with the same key gets the same
//     reply.

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
import type { RequestSubscription, Transport } from "../../transport/index.ts";
import type { Refusal } from "../reducer.ts";
import {
  CALLS,
  type CallName,
  findRead,
  isWrite,
  OFFICE_ACTS,
  parseWrite,
  unknownCommand,
  WRITES,
} from "../requests.ts";
import type { Office } from "./office.ts";
import { auditOperations } from "./office-audit.ts";
import { respondTo } from "./respond.ts";

/** Prefixes the key of a caller, so that it never equals a key of the coordinators' own commands. */
const outsideKey = (key: string) => `c.${key}`;

/**
 * The functions that answer calls, by command; other folders provide them. A function that needs the office must check
 * itself that this coordinator still holds it.
 */
export type OfficeAnswers = Partial<Readonly<Record<CallName, (body: unknown) => Promise<unknown>>>>;

/**
 * With `term`, the office is transferred only in that term. So if the reply was lost and the caller repeats the
 * request, the office does not move a second time.
 */
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
  let subscription: RequestSubscription | undefined;
  let drained: Promise<void> = Promise.resolve();

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
          `the office is in term ${term}, not in term ${expected}: it has a new holder; run murmur office status to see it`,
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
    if (show === undefined) throw unknownCommand(name, [...WRITES, ...CALLS, ...OFFICE_ACTS]);
    await office.barrier(); // S1
    return show(office.state, { at: office.logTime, nowMs: clock.now() });
  }

  const answer = audit === undefined ? decide : auditOperations(decide, audit);

  /** Ends the answers: a request that was on its way hears at once that this coordinator does not hold the office. */
  const close = () => {
    drained = subscription?.drain() ?? drained;
    subscription = undefined;
    return drained;
  };
  return createService({
    name: "office server",
    start() {
      const follow = (inOffice: boolean) => {
        if (!inOffice) void close();
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
    throw new SwarmError("not_leader", "this coordinator does not hold the office: repeat the request");
  return office.tenure;
}

/** Returns the result of a command. @throws SwarmError for a decided refusal (S2). */
export function unwrap(result: Json): Json {
  if (!isJsonObject(result) || result.error === undefined) return result;
  const { code, message, field } = (result as Refusal).error;
  throw new SwarmError(code, message, { field });
}
