// The end of a ballot, step by step: make its result, store the end in the control log, publish the result as the task's one
// result, withdraw the open questions, and store a receipt in the control log. Owns the order of these steps; the decider
// makes the verdict, and the runner (driver.ts) calls this file.
//
// E1  A result is published only after the control log holds it. The next coordinator in office publishes every result that
//     has no receipt, byte for byte; a result subject takes one message, so a repeat changes nothing.
// E2  The closer stores the receipt only after the result is stored (by this coordinator or another one) and the open
//     questions are withdrawn.
import {
  type Clock,
  type Logger,
  type Meter,
  sleep,
  type Tracer,
  toIsoTime,
  utf8Bytes,
} from "../../base/index.ts";
import {
  type BallotResult,
  certainAnswersOf,
  controlSeatOf,
  markOf,
  markOfAnswer,
  readAnswer,
  readTruth,
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
  type Result,
  type ResultStatus,
  type Subjects,
  type TaskAddress,
  type Verdict,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { countFailure, type ResultStore, type TaskClient, unpackStored } from "../../work/index.ts";
import type { Office } from "../office/office.ts";
import type { BallotQuestions, LiveBallot } from "./ask/live-ballot.ts";
import { questionTaskId } from "./ask/messages.ts";
import { Batch } from "./batch.ts";
import { NO_AGENT, voterOf } from "./state/archive.ts";
import { type BallotEnd, coreOf, type EndingBallot, type OpenBallot } from "./state/ballots.ts";

/** The largest result that the control log holds itself, in bytes; a larger one goes into the blob store first. */
const RESULT_LOG_BYTES = 16_384;
/** The approximate bytes of an end in the control log, without its result: a fixed part, and a part for each seat. */
const END_BYTES = { head: 500, seat: 200 } as const;
/**
 * The time that agents have to stop by themselves, in ms; then the closer stores the result `cancelled` for their questions.
 * It is longer than a broadcast and an abort take, and well below one second, within which a cancelled ballot must have
 * stopped everywhere.
 */
const STRAGGLER_GRACE_MS = 300;
/** The pause before the closer retries to carry out an end, in ms. */
const CLOSE_RETRY_PAUSE_MS = 1_000;

/** A receipt: the note in the control log that a ballot's end is carried out. */
interface Receipt {
  readonly id: string;
  /** Whether a caller had cancelled the task before the ballot's result could be stored. */
  readonly isCancelled: boolean;
}

/** An end that this coordinator decided, with the parts that only it has in memory. */
export interface DecidedEnd {
  readonly ending: EndingBallot;
  /** The result's bytes as they are published. */
  readonly body: Uint8Array;
  readonly questions: BallotQuestions;
}

/** The things that the closer needs from the runner of ballots. */
interface CloserParts {
  transport: Transport;
  subjects: Subjects;
  office: Office;
  results: ResultStore;
  tasks: Pick<TaskClient, "cancelQuestions">;
  log: Logger;
  meter: Meter;
  tracer: Tracer;
  audit?: Audit | undefined;
  clock: Clock;
}

/** Ends ballots while this coordinator is in office. */
export class BallotCloser {
  readonly #parts: CloserParts;
  readonly #ends: Batch<BallotEnd>;
  readonly #receipts: Batch<Receipt>;

  constructor(parts: CloserParts) {
    this.#parts = parts;
    this.#ends = new Batch(parts.office, (ends) => ({ type: "ballots-end", ends }));
    this.#receipts = new Batch(parts.office, (receipts) => {
      const cancelled = receipts.flatMap(({ id, isCancelled }) => (isCancelled ? [id] : []));
      const ids = receipts.map(({ id }) => id);
      return { type: "ballots-settle", ids, ...(cancelled.length === 0 ? {} : { cancelled }) };
    });
  }

  /**
   * Stores the ballot's end in the control log. Resolves with null when the control log already has an end of this ballot,
   * from another coordinator: then that coordinator, or its successor, carries it out.
   * @throws SwarmError when the control log does not take the end.
   */
  async decide(live: LiveBallot, closed: BallotResult): Promise<DecidedEnd | null> {
    const { meter, audit, clock } = this.#parts;
    const { id, ballot, core, questions } = live;
    const result = await this.#makeResult(live, closed);
    const isCancelled = closed.error?.code === "cancelled";
    const packed = await this.#pack(result, ballot);
    const end: BallotEnd = {
      id,
      result: packed.result,
      isFailed: result.status === "failed",
      stragglers: questions.unanswered.map(({ taskId }) => taskId),
      ended: this.#summarise(core.spec, closed, clock.now()),
      equivocators: [...new Set(equivocatorsOf(closed))],
    };
    const bytes = packed.body.length + END_BYTES.head + END_BYTES.seat * end.ended.seats.length;
    if ((await this.#ends.add(end, bytes)) !== "ended") return null;
    for (const agent of end.equivocators) audit?.({ kind: "agent-marked", facts: { agent, ballot: id } });
    const { verdict } = closed;
    const outcome = isCancelled ? "cancelled" : verdict.outcome;
    meter.ballots.inc({ strategy: verdict.strategy, outcome });
    meter.ballotSeconds.observe((clock.now() - ballot.openedAtMs) / 1_000);
    if (!isCancelled) meter.ballotAgreement.observe(verdict.agreement);
    this.#trace(ballot, verdict, outcome);
    return { ending: { ...end, ballot }, body: packed.body, questions };
  }

  /** Makes the span of a ballot, from its opening to its verdict; the coordinator that stored the end makes it. */
  #trace({ id, capability, traceparent, openedAtMs }: OpenBallot, verdict: Verdict, outcome: string): void {
    const { tracer } = this.#parts;
    if (!tracer.isOn) return;
    const attributes = {
      "murmur.ballot.id": id,
      "murmur.ballot.strategy": verdict.strategy,
      "murmur.ballot.outcome": outcome,
      "murmur.ballot.rounds": verdict.rounds,
      "murmur.ballot.agreement": verdict.agreement,
      "murmur.task.capability": capability,
    };
    const name = `ballot ${verdict.strategy}`;
    const from = { parent: { traceparent }, root: id, startMs: openedAtMs };
    tracer.start({ name, kind: "internal", ...from, attributes })?.end();
  }

  /**
   * Carries out an end that the control log holds. Resolves when the control log holds the receipt, or when this coordinator
   * is no longer in office. `decided`: present when this coordinator decided the end.
   */
  async carryOut(ending: EndingBallot, decided?: DecidedEnd): Promise<void> {
    const { transport, subjects, office, log, clock } = this.#parts;
    const { id, ballot, stragglers } = ending;
    const body = decided?.body ?? encodeText(ending.result, ballot.encoding);
    for (let isDone = false; !isDone && office.tenure !== null; ) {
      try {
        // Under load all open questions have their answers by the time that the control log holds the end.
        const isWorkedOn = stragglers.length > 0 && decided?.questions.unanswered.length !== 0;
        if (isWorkedOn) transport.bus.publish(subjects.cancelScope(id), encode({ ballot: id }));
        const [before] = await Promise.all([
          this.#publish(ending, body),
          this.#withdraw(ending, decided?.questions),
        ]);
        const isCancelled = before === "cancelled"; // a caller that cancels a ballot stores its result
        if (before === null || isCancelled) this.#publishOutcome(ending, isCancelled);
        await this.#receipts.add({ id, isCancelled }, id.length); // E2
        isDone = true;
      } catch (error) {
        if (office.tenure === null) return; // E1
        log.warn(
          { err: error, ballot: id, capability: ballot.capability },
          `ballot end not carried out; retrying in ${CLOSE_RETRY_PAUSE_MS} ms`,
        );
        await sleep(CLOSE_RETRY_PAUSE_MS, { clock });
      }
    }
  }

  /**
   * Stores the result and, if the ballot failed, its dead letter. Returns null when this call stored the result; otherwise the
   * status of the result that the task had already.
   */
  async #publish({ ballot, isFailed, ended }: EndingBallot, body: Uint8Array): Promise<ResultStatus | null> {
    const { results, subjects } = this.#parts;
    const at: TaskAddress = addressOf(ballot);
    const status = isFailed ? "failed" : ended.outcome === "cancelled" ? "cancelled" : "completed";
    const isStored = await results.storeBytes(at, status, body, ballot.encoding);
    if (isStored && !isFailed) return null;
    const stored = await results.read(ballot.id);
    if (isStored && stored !== null) countFailure(this.#parts.meter, at, stored.result);
    if (stored?.result.status === "failed") {
      const task = await this.#readTask(ballot);
      await results.bury(at, deadLetterOf(at, subjects.task(at), stored.result, task));
    }
    return isStored ? null : (stored?.result.status ?? status);
  }

  /** Reads the ballot's task in a form that can be submitted again. */
  async #readTask(ballot: OpenBallot): Promise<object> {
    const { inputRef, ...fields } = JSON.parse(ballot.task) as {
      inputRef?: { $blob: string; bytes: number };
    };
    const { spec } = coreOf(ballot);
    const task = { ...fields, capability: ballot.capability, ballot: spec };
    if (inputRef === undefined) return task;
    const input = await this.#parts.transport.blobs.get(inputRef);
    return { ...task, input: decode(input, CONTENT_TYPES.json).value };
  }

  /** Waits until no agent works on the ballot. After {@link STRAGGLER_GRACE_MS}, stores `cancelled` for its open questions. */
  async #withdraw({ id, stragglers }: EndingBallot, questions: BallotQuestions | undefined): Promise<void> {
    const { clock, tasks } = this.#parts;
    if (stragglers.length === 0) return;
    const isOver = async () =>
      questions === undefined ? await this.#areStored(stragglers) : questions.unanswered.length === 0;
    if (await isOver()) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(STRAGGLER_GRACE_MS, resolve);
      void questions?.whenAllAnswered().then(() => {
        cancel();
        resolve();
      });
    });
    if (!(await isOver())) await tasks.cancelQuestions(id);
  }

  async #areStored(taskIds: readonly string[]): Promise<boolean> {
    const { transport, subjects } = this.#parts;
    const results = transport.log("results");
    const found = await Promise.all(
      taskIds.map((taskId) => results.last(subjects.filters.resultById(taskId))),
    );
    return found.every((stored) => stored !== null);
  }

  /** Publishes the event `decided` or `cancelled`. */
  #publishOutcome({ id, ended }: EndingBallot, isCancelled: boolean): void {
    const { transport, subjects, clock } = this.#parts;
    const { agreement, rounds } = ended;
    const outcome = isCancelled ? "cancelled" : ended.outcome;
    const decidedBy = isCancelled ? null : ended.decidedBy;
    const event = outcome === "cancelled" ? "cancelled" : "decided";
    transport.bus.publish(
      subjects.event("ballot", id, event),
      encode({ outcome, decidedBy, agreement, rounds, at: toIsoTime(clock.now()) }),
    );
  }

  async #makeResult(live: LiveBallot, { verdict, error }: BallotResult): Promise<Result> {
    const { ballot } = live;
    const { id, storedAtMs, openedAtMs } = ballot;
    const nowMs = this.#parts.clock.now();
    const winner = verdict.seats.find(({ seat }) => seat === verdict.winner);
    return {
      taskId: id,
      status: error === undefined ? "completed" : error.code === "cancelled" ? "cancelled" : "failed",
      ...(error === undefined ? { output: await this.#outputOf(live, verdict) } : {}),
      ...(error === undefined ? {} : { error: { ...error, retryable: false } }),
      attempt: 1,
      agent: winner?.agent ?? "-",
      startedAt: toIsoTime(openedAtMs),
      finishedAt: toIsoTime(nowMs),
      queuedMs: Math.max(0, openedAtMs - storedAtMs),
      ranMs: Math.max(0, nowMs - openedAtMs),
      usage: verdict.usage,
      verdict: { ...verdict, seats: verdict.seats.map((seat) => withTask(live.id, seat)) },
    };
  }

  /** The whole output of a winning seat; the verdict's value when no seat gave that value. */
  async #outputOf(live: LiveBallot, verdict: Verdict): Promise<unknown> {
    const output = await this.#findOutput(live, verdict);
    if (verdict.strategy !== "bft") return output;
    // The result that is stored for a signed seat may be a forgery, which did not count. Its output must not be passed on.
    const reading = readAnswer(output, live.core.spec);
    const isCounted = reading.ok && canonicalJson(reading.value) === canonicalJson(verdict.value as Json);
    return isCounted ? output : verdict.value;
  }

  async #findOutput(live: LiveBallot, { winner, value, seats }: Verdict): Promise<unknown> {
    const { transport, subjects } = this.#parts;
    const round = seats.find(({ seat }) => seat === winner)?.round;
    if (winner === undefined || round === undefined) return value;
    const kept = live.questions.outputOf(winner, round);
    if (kept !== undefined) return kept.output;
    const capability = capabilityOfSeat(live.core.spec, winner, live.ballot.capability);
    const taskId = questionTaskId(live.id, round, { seat: winner });
    const stored = await transport.log("results").last(subjects.result(capability, live.id, taskId));
    if (stored === null) return value; // the result aged out while the ballot was open
    return ((await unpackStored(stored, transport.blobs)).value as { output?: unknown }).output;
  }

  /** Returns the text for the control log (the result, or a blob reference to it), and the encoded bytes to publish. */
  async #pack(result: Result, { encoding }: OpenBallot): Promise<{ result: string; body: Uint8Array }> {
    const text = JSON.stringify(result);
    const body = encodeText(text, encoding);
    if (body.length <= RESULT_LOG_BYTES) return { result: text, body };
    const reference = JSON.stringify(await this.#parts.transport.blobs.put(body));
    return { result: reference, body: encodeText(reference, encoding) };
  }

  #summarise(
    spec: BallotSpec,
    { verdict, error, arrivals }: BallotResult,
    nowMs: number,
  ): BallotEnd["ended"] {
    const { members } = this.#parts.office.state.registry;
    const { strategy, topology, outcome, decidedBy, agreement, rounds, usage } = verdict;
    const isCancelled = error?.code === "cancelled";
    const late = new Set(arrivals.slice(certainAnswersOf(spec)));
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
 * The answer of the control arm: the one seat that the ballot is compared with. A control seat that abstained counts, without
 * an answer. The field is absent when the seat had no agent, or when the ballot waited for the seat only because others
 * disagreed: such ballots are on hard questions, and a comparison of only those would be unfair to the single agent.
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
  if (abstained === undefined || agent === NO_AGENT) return {};
  return { single: { mark: null, agrees: false, spent: null } };
}

/** Encodes a JSON text for publishing. */
function encodeText(text: string, encoding: Encoding): Uint8Array {
  return encoding === "json" ? utf8Bytes(text) : encode(JSON.parse(text), encoding);
}

function spentOf({ inputTokens, outputTokens, costUsd }: BallotUsage) {
  return { tokens: inputTokens + outputTokens, costUsd };
}

/** The address of the ballot's task. */
function addressOf({ id, capability, priority, scope }: OpenBallot): TaskAddress {
  return { capability, priority, scope, taskId: id };
}

/** A seat of the verdict, with the id of the task whose result holds the seat's whole output. */
function withTask(ballot: string, seat: Verdict["seats"][number]): Verdict["seats"][number] {
  const { round, seat: number } = seat;
  return round === undefined ? seat : { ...seat, taskId: questionTaskId(ballot, round, { seat: number }) };
}

/** The agents that signed two different values. */
function equivocatorsOf({ verdict }: BallotResult): string[] {
  return (verdict.evidence ?? []).flatMap(({ kind, agent }) =>
    kind === "double" && agent !== undefined ? [agent] : [],
  );
}

/** The dead letter of a ballot that failed. */
function deadLetterOf(at: TaskAddress, subject: string, result: Result, task: object): DeadLetter {
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
