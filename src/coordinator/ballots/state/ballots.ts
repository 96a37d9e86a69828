// The ballots of the swarm: those that are open with everything that decides them, those that are decided and not yet
// published, and a short history. Pure; what seats answered since the last command is not here but in their results, and
// who is asked, what is decided and when is worked out by whoever holds the office (driver.ts) and stands in its commands.
//
// V1  A ballot is opened once while it is open or decided; a repeat of the same open changes nothing.
// V2  A ballot is decided once: the first verdict stays, whatever a later holder of the office would make of the answers.
// V3  What is decided stays in the outbox until its receipt: then its result is published and nobody works on it any more.
// V4  A ballot waits for agents since it was first found short of them, until it opens or its time is over.

import { z } from "zod";
import { dropOldest } from "../../../base/index.ts";
import { type Ballot, canBeJudged, isSame } from "../../../consensus/index.ts";
import { type Json, MAX_SEATS, PRIORITIES, tokenSchema } from "../../../protocol/index.ts";
import { type Reducer, refuse } from "../../reducer.ts";
import { type EndedBallot, endedSchema, markSchema } from "./archive.ts";
import { MAX_BATCH_ITEMS, MAX_WAITING } from "./bounds.ts";
import { type Lessons, learnEnd, learnTruth, NO_LESSONS } from "./lessons.ts";

/** Ballots that are open or in the outbox. A host that brings one more is told to come back: its task waits in the queue. */
export const MAX_OPEN = 4_096;
/** Bytes of all of them, about: what they may add to the state and to each snapshot. */
export const MAX_OPEN_BYTES = 64 * 1_024 * 1_024;
/** Ended ballots that `ballot ls` and `ballot show` still know; the oldest makes room. */
export const MAX_ENDED = 1_024;
/** Seats that contradicted themselves with their signatures, as the registry remembers them; the oldest makes room. */
const MAX_EQUIVOCATORS = 1_024;

/**
 * A JSON value as text. Nothing in here looks into it, and one string costs far less than its value to seal, to read and to
 * keep; who needs the value parses it.
 */
const jsonText = z.string();
const timeMs = z.int().min(0);

const openSchema = z.strictObject({
  id: tokenSchema,
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  scope: tokenSchema,
  encoding: z.enum(["json", "msgpack"]),
  /** When the ballot's task was stored, and when the ballot was opened: ms since 1970. */
  storedAtMs: timeMs,
  openedAtMs: timeMs,
  /** The task that every seat gets: input (or a reference to it), labels, limits. */
  task: jsonText,
  traceparent: z.string().max(256).optional(),
  /** The decider's state. */
  core: jsonText,
  /** About its size in the state. */
  bytes: z.int().min(0),
});

const commands = {
  /** These wait for agents: since when, and until when they may. */
  "ballots-wait": z.strictObject({
    type: z.literal("ballots-wait"),
    waits: z
      .array(z.strictObject({ id: tokenSchema, sinceMs: timeMs, untilMs: timeMs }))
      .min(1)
      .max(MAX_BATCH_ITEMS),
  }),
  "ballots-open": z.strictObject({
    type: z.literal("ballots-open"),
    ballots: z.array(openSchema).min(1).max(MAX_BATCH_ITEMS),
  }),
  /** The decider asks anew, or another agent takes a seat over: from here a new holder of the office goes on. */
  "ballots-advance": z.strictObject({
    type: z.literal("ballots-advance"),
    steps: z
      .array(z.strictObject({ id: tokenSchema, core: jsonText, bytes: z.int() }))
      .min(1)
      .max(MAX_BATCH_ITEMS),
  }),
  /** The intent: this result is published, and then nobody works on the ballot any more. */
  "ballots-end": z.strictObject({
    type: z.literal("ballots-end"),
    ends: z
      .array(
        z.strictObject({
          id: tokenSchema,
          /** The ballot's result, or a reference to it. */
          result: jsonText,
          /** The task failed: it leaves a dead letter. */
          isFailed: z.boolean(),
          /** The tasks of its open questions, which are withdrawn. */
          stragglers: z.array(tokenSchema).max(MAX_SEATS),
          ended: endedSchema,
          /** Agents whose seats signed two different values. */
          equivocators: z.array(tokenSchema).max(MAX_SEATS),
        }),
      )
      .min(1)
      .max(MAX_BATCH_ITEMS),
  }),
  /** The receipt of an end. */
  "ballots-settle": z.strictObject({
    type: z.literal("ballots-settle"),
    ids: z.array(tokenSchema).min(1).max(MAX_BATCH_ITEMS),
    /** Of these somebody had stored that the task is cancelled before its result could be: that stands. */
    cancelled: z.array(tokenSchema).min(1).max(MAX_BATCH_ITEMS).optional(),
  }),
  /** The truth about an ended ballot, by the mark of the right value: what voters' records are made of. */
  "ballot-correct": z.strictObject({ type: z.literal("ballot-correct"), id: tokenSchema, truth: markSchema }),
};

/** A command about ballots. */
export type BallotCommand = {
  [T in keyof typeof commands]: z.output<(typeof commands)[T]>;
}[keyof typeof commands];

/** What is opened. */
export type OpenedBallot = z.output<typeof openSchema>;
/** A decided ballot whose receipt is still to come. */
export type BallotEnd = z.output<(typeof commands)["ballots-end"]>["ends"][number];
/** An open ballot. */
export type OpenBallot = { -readonly [K in keyof OpenedBallot]: OpenedBallot[K] };

/** What the decider knew of a ballot when the log was told of it last. */
export function coreOf({ core }: Pick<OpenedBallot, "core">): Ballot {
  return JSON.parse(core) as Ballot;
}

/** A ballot in the outbox. */
export interface EndingBallot extends BallotEnd {
  readonly ballot: OpenBallot;
}

/** Since when a ballot waits for agents, and when its time is over. */
interface Wait {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** All ballots. */
export interface Ballots {
  /** Those that wait for agents, the one that has waited longest first. Their tasks are in the queue. */
  readonly waiting: Map<string, Wait>;
  readonly open: Map<string, OpenBallot>;
  readonly outbox: Map<string, EndingBallot>;
  /** The oldest first. */
  readonly ended: Map<string, EndedBallot>;
  /** What was learnt from ballots, by capability; the one that was added to least recently comes first. */
  readonly lessons: Map<string, Lessons>;
  /** Ballots in which an agent signed two different values, by agent. */
  readonly equivocators: Map<string, number>;
  /** Bytes of `open` and `outbox`. */
  bytes: number;
}

/** Capabilities of which something is learnt, each at most about 200 KiB; who was added to least recently makes room. */
const MAX_LESSONS = 64;

/** The reducer of ballots. */
export const ballots: Reducer<Ballots, BallotCommand> = {
  commands,
  empty: () => ({
    waiting: new Map(),
    open: new Map(),
    outbox: new Map(),
    ended: new Map(),
    lessons: new Map(),
    equivocators: new Map(),
    bytes: 0,
  }),
  decide(state, command) {
    switch (command.type) {
      case "ballots-wait":
        return command.waits.map((wait) => noteWait(state, wait));
      case "ballots-open":
        return command.ballots.map((ballot) => open(state, ballot));
      case "ballots-advance":
        return command.steps.map((step) => advance(state, step));
      case "ballots-end":
        return command.ends.map((end) => endBallot(state, end));
      case "ballots-settle":
        return command.ids.map((id) => settle(state, id, command.cancelled?.includes(id) === true));
      case "ballot-correct":
        return correct(state, command);
      default:
        return command satisfies never;
    }
  },
  toJson: ({ open, outbox, ended, lessons, equivocators, waiting }) => [
    [...open.values()].map((ballot) => ({ ...ballot }) as unknown as Json),
    [...outbox.values()] as unknown as Json,
    [...ended].map(([id, facts]) => [id, { ...facts }]) as unknown as Json,
    [...lessons] as unknown as Json,
    [...equivocators],
    // Not there when empty, as in snapshots that were made before it was known.
    ...(waiting.size === 0 ? [] : [[...waiting] as unknown as Json]),
  ],
  fromJson(json) {
    const [open, outbox, ended, lessons, equivocators, waiting] = json as unknown as [
      OpenBallot[],
      EndingBallot[],
      [string, EndedBallot][],
      [string, Lessons][],
      [string, number][],
      [string, Wait][],
    ];
    return {
      waiting: new Map(waiting),
      open: new Map(open.map((ballot) => [ballot.id, ballot])),
      outbox: new Map(outbox.map((ending) => [ending.id, ending])),
      ended: new Map(ended),
      lessons: new Map(lessons),
      equivocators: new Map(equivocators),
      bytes: [...open, ...outbox.map(({ ballot }) => ballot)].reduce((sum, { bytes }) => sum + bytes, 0),
    };
  },
};

function noteWait(
  { waiting }: Ballots,
  { id, sinceMs, untilMs }: Wait & { id: string },
): "noted" | "known" | "full" {
  if (waiting.has(id)) return "known"; // V4
  if (waiting.size >= MAX_WAITING) {
    for (const [other, wait] of waiting) if (wait.untilMs <= sinceMs) waiting.delete(other);
    if (waiting.size >= MAX_WAITING) return "full";
  }
  waiting.set(id, { sinceMs, untilMs });
  return "noted";
}

function open(state: Ballots, opened: OpenedBallot): "opened" | "known" | "full" {
  const { id, bytes } = opened;
  if (state.open.has(id) || state.outbox.has(id)) return "known"; // V1
  if (state.open.size + state.outbox.size >= MAX_OPEN || state.bytes + bytes > MAX_OPEN_BYTES) return "full";
  state.waiting.delete(id);
  state.ended.delete(id); // its result is gone, or nobody would have opened it again
  state.open.set(id, { ...opened });
  state.bytes += bytes;
  return "opened";
}

type Step = z.output<(typeof commands)["ballots-advance"]>["steps"][number];

function advance(state: Ballots, { id, core, bytes }: Step): "advanced" | "unknown" | "full" {
  const ballot = state.open.get(id);
  if (ballot === undefined) return "unknown";
  const more = bytes - ballot.bytes;
  if (more > 0 && state.bytes + more > MAX_OPEN_BYTES) return "full";
  ballot.core = core;
  ballot.bytes = bytes;
  state.bytes += more;
  return "advanced";
}

function endBallot(state: Ballots, end: BallotEnd): "ended" | "unknown" {
  const ballot = state.open.get(end.id);
  if (ballot === undefined) return "unknown"; // V2
  state.open.delete(end.id);
  state.outbox.set(end.id, { ...end, ballot }); // V3
  for (const agent of end.equivocators) {
    const before = state.equivocators.get(agent) ?? 0;
    state.equivocators.delete(agent);
    state.equivocators.set(agent, before + 1);
    dropOldest(state.equivocators, MAX_EQUIVOCATORS);
  }
  return "ended";
}

function settle(state: Ballots, id: string, isCancelled: boolean): boolean {
  const ending = state.outbox.get(id);
  if (ending === undefined) return false;
  const { ballot, ended } = ending;
  state.outbox.delete(id);
  state.bytes -= ballot.bytes;
  const { capability, openedAtMs } = ballot;
  const facts = {
    ...ended,
    ...(isCancelled ? { outcome: "cancelled" as const, decidedBy: null } : {}),
    capability,
    openedAtMs,
  };
  state.ended.set(id, facts);
  dropOldest(state.ended, MAX_ENDED);
  learn(state, capability, (lessons) => learnEnd(lessons, facts));
  return true;
}

function correct(state: Ballots, { id, truth }: Extract<BallotCommand, { type: "ballot-correct" }>): Json {
  const ending = state.outbox.get(id);
  const ended = state.ended.get(id);
  const facts = ending?.ended ?? ended;
  if (facts === undefined) {
    return refuse(
      "not_found",
      `no ended ballot ${id} is remembered; the last ${MAX_ENDED} are: murmur ballot ls`,
      "id",
    );
  }
  if (!canBeJudged(facts)) {
    return refuse(
      "conflict",
      `ballot ${id} merged findings, of which each is right or wrong by itself`,
      "id",
    );
  }
  if (ending !== undefined) {
    state.outbox.set(id, { ...ending, ended: { ...ending.ended, truth } }); // learnt with its receipt
  } else if (ended !== undefined) {
    learn(state, ended.capability, (lessons) => learnTruth(lessons, ended, truth));
    state.ended.set(id, { ...ended, truth });
  }
  const wasRight = facts.mark !== null && isSame(facts, facts.mark, truth);
  return { corrected: true, wasRight, isCounted: facts.isIndependent && facts.outcome !== "cancelled" };
}

/** Changes what is known of a capability, which is then the one that was added to last. */
function learn(state: Ballots, capability: string, change: (lessons: Lessons) => Lessons): void {
  const { lessons } = state;
  const next = change(lessons.get(capability) ?? NO_LESSONS);
  lessons.delete(capability);
  lessons.set(capability, next);
  dropOldest(lessons, MAX_LESSONS);
}
