// How a ballot ends: its result is made, decided in the log, published as the task's one result, its open questions are
// withdrawn, and the receipt is decided. Owns that order; what the verdict says is the decider's.
//
// E1  Nothing is published that is not decided in the log. Whoever holds the office next repeats what has no receipt, with
//     the very same result; the result subject takes one message, so a repeat changes nothing.
// E2  The receipt comes after the result is stored, or found to be stored, and its open questions are withdrawn.
import { type Clock, type Logger, type Meter, sleep, toIsoTime } from "../../base/index.ts";
import {
  type BallotResult,
  controlSeatOf,
  markOf,
  markOfAnswer,
  readAnswer,
  readTruth,
  surelyHeardOf,
} from "../../consensus/index.ts";
import {
  type Audit,
  type BallotSpec,
  type BallotUsage,
  CONTENT_TYPES,
  canonicalJson,
  capabilityOfSeat,
  type DeadLetter,
  decode,
  type Encoding,
  encode,
  type Json,
  NO_SCOPE,
  type Result,
  type ResultStatus,
  type Subjects,
  type TaskAddress,
  type Verdict,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { type ResultStore, type TaskClient, unpackStored } from "../../work/index.ts";
import type { Office } from "../office/office.ts";
import type { LiveBallot } from "./ask/live-ballot.ts";
import { questionTaskId } from "./ask/messages.ts";
import { Batch } from "./batch.ts";
import { NOBODY, voterOf } from "./seats.ts";
import { type BallotEnd, coreOf, type EndingBallot, type OpenBallot } from "./state/ballots.ts";

/** The largest result that stands in the log itself, in bytes; a larger one is put into the blob store before. */
const RESULT_LOG_BYTES = 16_384;
/** What the log holds of an end besides its result, in bytes, about: in all, and for each seat. */
const END_BYTES = { head: 500, seat: 200 } as const;
/**
 * How long agents that were told to stop have for it, in ms, before their questions are taken away: more than a broadcast and
 * an abort take, and well below the second in which everything is cancelled.
 */
const STRAGGLER_GRACE_MS = 300;
/** The pause before an end that could not be carried out is tried again, in ms. */
const RETRY_PAUSE_MS = 1_000;

/** That a ballot's end is carried out, or that its task had been cancelled before its result was there. */
interface Receipt {
  readonly id: string;
  readonly isCancelled: boolean;
}

/** Ends ballots. */
export interface BallotCloser {
  /** Decides the end of a ballot (then `run.ended` resolves) and carries it out. Rejects when it could not be decided here. */
  end(run: LiveBallot, result: BallotResult): Promise<void>;
  /** Carries out what was decided. Resolves with the receipt, or when the office is held no more. */
  carryOut(ending: EndingBallot, run: LiveBallot | null): Promise<void>;
}

/** Ends ballots while `office` is held here. */
export function createBallotCloser(parts: {
  transport: Transport;
  subjects: Subjects;
  office: Office;
  outcomes: ResultStore;
  tasks: Pick<TaskClient, "cancelScope">;
  log: Logger;
  meter: Meter;
  audit?: Audit | undefined;
  clock: Clock;
}): BallotCloser {
  const { transport, subjects, office, outcomes, tasks, log, meter, audit, clock } = parts;
  const ends = new Batch<BallotEnd>(office, (items) => ({ type: "ballots-end", ends: items }));
  const settles = new Batch<Receipt>(office, (receipts) => {
    const cancelled = receipts.flatMap(({ id, isCancelled }) => (isCancelled ? [id] : []));
    const ids = receipts.map(({ id }) => id);
    return { type: "ballots-settle", ids, ...(cancelled.length === 0 ? {} : { cancelled }) };
  });

  return { end, carryOut };

  async function end(run: LiveBallot, ended: BallotResult): Promise<void> {
    const { ballot } = run;
    const result = await makeResult(run, ended);
    const isCancelled = ended.error?.code === "cancelled";
    const packed = await pack(result, ballot);
    const decided: BallotEnd = {
      id: run.id,
      result: packed.result,
      isFailed: result.status === "failed",
      stragglers: run.unanswered.map(({ taskId }) => taskId),
      ended: summarise(run.core.spec, ended, clock.now()),
      equivocators: [...new Set(accused(ended))],
    };
    // What `known` would be: somebody else ended it first, and carries that out.
    const bytes = packed.body.length + END_BYTES.head + END_BYTES.seat * decided.ended.seats.length;
    if ((await ends.add(decided, bytes)) !== "ended") return;
    run.ended.resolve();
    for (const agent of decided.equivocators)
      audit?.({ kind: "agent-marked", facts: { agent, ballot: run.id } });
    const { verdict } = ended;
    const outcome = isCancelled ? "cancelled" : verdict.outcome;
    meter.ballots.inc({ strategy: verdict.strategy, outcome });
    meter.ballotSeconds.observe((clock.now() - ballot.openedAtMs) / 1_000);
    if (!isCancelled) meter.ballotAgreement.observe(verdict.agreement);
    await carryOut({ ...decided, ballot }, run, packed.body);
  }

  async function carryOut(
    ending: EndingBallot,
    run: LiveBallot | null,
    body = encodeText(ending.result, ending.ballot.encoding),
  ): Promise<void> {
    const { id, ballot, stragglers } = ending;
    for (let isDone = false; !isDone && office.tenure !== null; ) {
      try {
        if (stragglers.length > 0) transport.bus.publish(subjects.cancel(id, NO_SCOPE), encode({}));
        const [stood] = await Promise.all([publish(ending, body), withdraw(ending, run)]);
        const isCancelled = stood === "cancelled"; // whoever cancels a ballot stores its result
        if (stood === null || isCancelled) tell(ending, isCancelled);
        await settles.add({ id, isCancelled }, id.length); // E2
        isDone = true;
      } catch (error) {
        if (office.tenure === null) return; // E1
        log.warn(
          { err: error, ballot: id, capability: ballot.capability },
          "a ballot's end is carried out again",
        );
        await sleep(RETRY_PAUSE_MS, { clock });
      }
    }
  }

  /** Stores the result and, of a ballot that failed, its dead letter; gives the status of the result that was there before. */
  async function publish(
    { ballot, isFailed, ended }: EndingBallot,
    body: Uint8Array,
  ): Promise<ResultStatus | null> {
    const at: TaskAddress = addressOf(ballot);
    const status = isFailed ? "failed" : ended.outcome === "cancelled" ? "cancelled" : "completed";
    const stored = await outcomes.storeBytes(at, status, body, ballot.encoding);
    if (stored && !isFailed) return null;
    const standing = await outcomes.read(ballot.id);
    if (standing?.result.status === "failed") {
      await outcomes.bury(at, letterOf(at, subjects.task(at), standing.result, await readTask(ballot)));
    }
    return stored ? null : (standing?.result.status ?? status);
  }

  /** The ballot's task as it can be handed in again. */
  async function readTask(ballot: OpenBallot): Promise<object> {
    const { capability, task } = ballot;
    const { inputRef, ...fields } = JSON.parse(task) as { inputRef?: { $blob: string; bytes: number } };
    const { spec } = coreOf(ballot);
    const said = { ...fields, capability, ballot: spec };
    if (inputRef === undefined) return said;
    return { ...said, input: decode(await transport.blobs.get(inputRef), CONTENT_TYPES.json).value };
  }

  /** Sees to it that nobody works on the ballot any more. */
  async function withdraw({ id, stragglers }: EndingBallot, run: LiveBallot | null): Promise<void> {
    if (stragglers.length === 0) return;
    const isOver = async () => (run === null ? await areStored(stragglers) : run.unanswered.length === 0);
    if (await isOver()) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(STRAGGLER_GRACE_MS, resolve);
      if (run === null) return;
      run.onAnswered = () => {
        if (run.unanswered.length > 0) return;
        cancel();
        resolve();
      };
    });
    if (!(await isOver())) await tasks.cancelScope(id);
  }

  async function areStored(taskIds: readonly string[]): Promise<boolean> {
    const results = transport.log("results");
    const found = await Promise.all(
      taskIds.map((taskId) => results.last(subjects.filters.resultById(taskId))),
    );
    return found.every((stored) => stored !== null);
  }

  function tell({ id, ended }: EndingBallot, isCancelled: boolean): void {
    const { agreement, rounds } = ended;
    const outcome = isCancelled ? "cancelled" : ended.outcome;
    const decidedBy = isCancelled ? null : ended.decidedBy;
    const event = outcome === "cancelled" ? "cancelled" : "decided";
    transport.bus.publish(
      subjects.event("ballot", id, event),
      encode({ outcome, decidedBy, agreement, rounds, at: toIsoTime(clock.now()) }),
    );
  }

  async function makeResult(run: LiveBallot, { verdict, error }: BallotResult): Promise<Result> {
    const { ballot } = run;
    const { id, storedAtMs, openedAtMs } = ballot;
    const nowMs = clock.now();
    const winner = verdict.seats.find(({ seat }) => seat === verdict.winner);
    return {
      taskId: id,
      status: error === undefined ? "completed" : error.code === "cancelled" ? "cancelled" : "failed",
      ...(error === undefined ? { output: await outputOf(run, verdict) } : {}),
      ...(error === undefined ? {} : { error: { ...error, retryable: false } }),
      attempt: 1,
      agent: winner?.agent ?? "-",
      startedAt: toIsoTime(openedAtMs),
      finishedAt: toIsoTime(nowMs),
      queuedMs: Math.max(0, openedAtMs - storedAtMs),
      ranMs: Math.max(0, nowMs - openedAtMs),
      usage: verdict.usage,
      verdict: { ...verdict, seats: verdict.seats.map((seat) => withTask(run.id, seat)) },
    };
  }

  /** A winning seat's whole output; the verdict's value when no seat gave it. */
  async function outputOf(run: LiveBallot, verdict: Verdict): Promise<unknown> {
    const output = await findOutput(run, verdict);
    if (verdict.strategy !== "bft") return output;
    // Of a signed seat somebody else may have written a result, which did not count and must not be handed on either.
    const reading = readAnswer(output, run.core.spec);
    const isCounted = reading.ok && canonicalJson(reading.value) === canonicalJson(verdict.value as Json);
    return isCounted ? output : verdict.value;
  }

  async function findOutput(run: LiveBallot, { winner, value, seats }: Verdict): Promise<unknown> {
    const round = seats.find(({ seat }) => seat === winner)?.round;
    if (winner === undefined || round === undefined) return value;
    const kept = run.outputs.get(winner);
    if (kept?.round === round) return kept.output;
    const capability = capabilityOfSeat(run.core.spec, winner, run.ballot.capability);
    const taskId = questionTaskId(run.id, round, { seat: winner });
    const stored = await transport.log("results").last(subjects.result(capability, run.id, taskId));
    if (stored === null) return value; // it aged out while the ballot was open
    return ((await unpackStored(stored, transport.blobs)).value as { output?: unknown }).output;
  }

  /** The result as it stands in the log, itself or where it is, and the bytes of that as it is published. */
  async function pack(
    result: Result,
    { encoding }: OpenBallot,
  ): Promise<{ result: string; body: Uint8Array }> {
    const text = JSON.stringify(result);
    const body = encodeText(text, encoding);
    if (body.length <= RESULT_LOG_BYTES) return { result: text, body };
    const reference = JSON.stringify(await transport.blobs.put(body));
    return { result: reference, body: encodeText(reference, encoding) };
  }

  function summarise(
    spec: BallotSpec,
    { verdict, error, arrivals }: BallotResult,
    nowMs: number,
  ): BallotEnd["ended"] {
    const { members } = office.state.registry;
    const { strategy, topology, outcome, decidedBy, agreement, rounds, usage } = verdict;
    const isCancelled = error?.code === "cancelled";
    const late = new Set(arrivals.slice(surelyHeardOf(spec)));
    const truth = spec.truth === undefined ? undefined : readTruth(spec.truth, spec);
    return {
      strategy,
      topology,
      outcome: isCancelled ? "cancelled" : outcome,
      decidedBy: isCancelled ? null : decidedBy,
      agreement,
      rounds,
      endedAtMs: nowMs,
      mark: verdict.value === undefined ? null : markOf(spec, verdict.value as Json),
      ...(spec.normalise === undefined ? {} : { normalise: spec.normalise }),
      truth: truth?.ok === true ? markOf(spec, truth.value) : null,
      isIndependent: topology === "star" && rounds === 1,
      seats: verdict.seats.map(({ seat, agent, model, value }) => {
        const profile = members.get(agent)?.profile;
        return {
          agent,
          voter: profile === undefined ? agent : voterOf(profile),
          ...(model === undefined ? {} : { model }),
          mark: value === undefined ? null : markOfAnswer(spec, value as Json),
          ...(late.has(seat) ? { isLate: true as const } : {}),
        };
      }),
      spent: spentOf(usage),
      ...singleOf(spec, verdict, late),
    };
  }
}

/**
 * What the control arm said. One that abstained had its turn; one for which nobody was there did not, nor one that was heard
 * only because others disagreed: to compare it just where questions are hard would be no fair comparison.
 */
function singleOf(
  spec: BallotSpec,
  { single, seats, rounds }: Verdict,
  late: ReadonlySet<number>,
): Pick<BallotEnd["ended"], "single"> {
  if (single !== undefined && rounds === 1 && late.has(single.seat)) return {};
  if (single !== undefined) {
    const value = single.value ?? seats[single.seat - 1]?.value;
    const mark = markOfAnswer(spec, value as Json);
    return { single: { mark, agrees: single.agrees, spent: spentOf(single.usage) } };
  }
  const { agent, abstained } = seats[controlSeatOf(spec) - 1]!;
  if (abstained === undefined || agent === NOBODY) return {};
  return { single: { mark: null, agrees: false, spent: null } };
}

/** A JSON text as it is published. */
function encodeText(text: string, encoding: Encoding): Uint8Array {
  return encoding === "json" ? Buffer.from(text) : encode(JSON.parse(text), encoding);
}

function spentOf({ inputTokens, outputTokens, costUsd }: BallotUsage) {
  return { tokens: inputTokens + outputTokens, costUsd };
}

/** Where the ballot's task belongs. */
export function addressOf({ id, capability, priority, scope }: OpenBallot): TaskAddress {
  return { capability, priority, scope, taskId: id };
}

/** A seat of the verdict, with the task whose result has its whole output. */
function withTask(ballot: string, seat: Verdict["seats"][number]): Verdict["seats"][number] {
  const { round, seat: number } = seat;
  return round === undefined ? seat : { ...seat, taskId: questionTaskId(ballot, round, { seat: number }) };
}

function accused({ verdict }: BallotResult): string[] {
  return (verdict.evidence ?? []).flatMap(({ kind, agent }) =>
    kind === "double" && agent !== undefined ? [agent] : [],
  );
}

/** The dead letter of a ballot that failed. */
function letterOf(at: TaskAddress, subject: string, result: Result, task: object): DeadLetter {
  const { taskId, capability, priority, scope } = at;
  return {
    taskId,
    capability,
    priority,
    scope,
    subject,
    reason: result.error ?? { code: "no_quorum", message: "failed without a reason", retryable: false },
    attempts: 1,
    agent: result.agent,
    diedAt: result.finishedAt,
    payload: Buffer.from(JSON.stringify(task)).toString("base64"),
    contentType: CONTENT_TYPES.json,
  };
}
