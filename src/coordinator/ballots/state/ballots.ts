// The reducer of ballots: open ballots with the state of their deciders, decided ballots whose result is not yet published
// (the outbox), and a short history. It does not hold the answers that came since the last command: their results do. The
// coordinator in office (driver.ts) works out seats and verdicts, and puts them into its commands. Pure.
//
// V1  A ballot is opened once while it is open or in the outbox; a repeated command changes nothing.
// V2  A ballot is decided once: the first verdict stays, even if a later coordinator in office would count differently.
// V3  A decided ballot stays in the outbox until its receipt: then its result is published and no agent works on it.
// V4  The wait of a ballot begins when it is first found short of agents, and ends when it opens or its time is over.

import { z } from "zod";
import { dropOldest } from "../../../base/index.ts";
import { type Ballot, canBeJudged, isSame } from "../../../consensus/index.ts";
import { type Json, MAX_SEATS, PRIORITIES, tokenSchema } from "../../../protocol/index.ts";
import { type Reducer, refuse } from "../../reducer.ts";
import { type EndedBallot, endedSchema, markSchema } from "./archive.ts";
import { MAX_BATCH_ITEMS, MAX_WAITING } from "./bounds.ts";
import { type Lessons, learnEnd, learnTruth, NO_LESSONS } from "./lessons.ts";

/** The most ballots that are open or in the outbox. The office rejects further ballots until one of these ends; their tasks wait in the queue. */
export const MAX_OPEN = 4_096;
/** The most bytes of all these ballots, about: so much they may add to the state and to each snapshot. */
export const MAX_OPEN_BYTES = 64 * 1_024 * 1_024;
/** The most ended ballots that are remembered for `ballot ls` and `ballot show`; the oldest makes room. */
export const MAX_ENDED = 1_024;
/** The most agents that are remembered for signing two different values; the oldest makes room. */
const MAX_EQUIVOCATORS = 1_024;

/**
 * A JSON value as text. The reducer never reads it, and a string costs far less than its value to seal, to read and to keep.
 * Code that needs the value parses it.
 */
const jsonText = z.string();
const timeMs = z.int().min(0);

const openSchema = z.strictObject({
  id: tokenSchema,
  capability: tokenSchema,
  priority: z.enum(PRIORITIES),
  scope: tokenSchema,
  encoding: z.enum(["json", "msgpack"]),
  /** The times at which the ballot's task was stored, and at which the ballot was opened; ms since 1970. */
  storedAtMs: timeMs,
  openedAtMs: timeMs,
  /** The task that every seat gets: its input or a reference to it, labels, limits. */
  task: jsonText,
  traceparent: z.string().max(256).optional(),
  /** The decider's state. */
  core: jsonText,
  /** The size of the ballot in the state, about. */
  bytes: z.int().min(0),
});

const commands = {
  /** Ballots that wait for agents: since when, and until when they may. */
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
  /** The decider began a round, or a seat got another agent. A new coordinator in office resumes from this state. */
  "ballots-advance": z.strictObject({
    type: z.literal("ballots-advance"),
    steps: z
      .array(z.strictObject({ id: tokenSchema, core: jsonText, bytes: z.int() }))
      .min(1)
      .max(MAX_BATCH_ITEMS),
  }),
  /** The decision: this result is going to be published, and the open questions withdrawn. */
  "ballots-end": z.strictObject({
    type: z.literal("ballots-end"),
    ends: z
      .array(
        z.strictObject({
          id: tokenSchema,
          /** The ballot's result, or a reference to it. */
          result: jsonText,
          /** Whether the task failed, and leaves a dead letter. */
          isFailed: z.boolean(),
          /** The tasks of the open questions, which are to be withdrawn. */
          stragglers: z.array(tokenSchema).max(MAX_SEATS),
          ended: endedSchema,
          /** Agents whose seats signed two different values. */
          equivocators: z.array(tokenSchema).max(MAX_SEATS),
        }),
      )
      .min(1)
      .max(MAX_BATCH_ITEMS),
  }),
  /** The receipts of ends. */
  "ballots-settle": z.strictObject({
    type: z.literal("ballots-settle"),
    ids: z.array(tokenSchema).min(1).max(MAX_BATCH_ITEMS),
    /** The ballots whose task already had a `cancelled` result when the ballot's own was to be stored: that result stays. */
    cancelled: z.array(tokenSchema).min(1).max(MAX_BATCH_ITEMS).optional(),
  }),
  /** The truth about an ended ballot, as the mark of the right value. The voters' records are computed from it. */
  "ballot-correct": z.strictObject({ type: z.literal("ballot-correct"), id: tokenSchema, truth: markSchema }),
};

/** A command about ballots. */
export type BallotCommand = {
  [T in keyof typeof commands]: z.output<(typeof commands)[T]>;
}[keyof typeof commands];

/** A ballot as the command `ballots-open` carries it. */
export type OpenedBallot = z.output<typeof openSchema>;
/** The end of a ballot as the command `ballots-end` carries it. */
export type BallotEnd = z.output<(typeof commands)["ballots-end"]>["ends"][number];
/** An open ballot in the state. */
export type OpenBallot = { -readonly [K in keyof OpenedBallot]: OpenedBallot[K] };

/** The decider's state of a ballot, as the control log last stored it. */
export function coreOf({ core }: Pick<OpenedBallot, "core">): Ballot {
  return JSON.parse(core) as Ballot;
}

/** A ballot in the outbox: decided, and without a receipt so far. */
export interface EndingBallot extends BallotEnd {
  readonly ballot: OpenBallot;
}

/** The wait of a ballot for agents: since when, and until when; ms since 1970. */
interface Wait {
  readonly sinceMs: number;
  readonly untilMs: number;
}

/** All ballots. */
export interface Ballots {
  /** Ballots that wait for agents, the longest wait first. Their tasks are in the queue. */
  readonly waiting: Map<string, Wait>;
  readonly open: Map<string, OpenBallot>;
  readonly outbox: Map<string, EndingBallot>;
  /** Ended ballots, the oldest first. */
  readonly ended: Map<string, EndedBallot>;
  /** The lessons from ballots, by capability; the least recently changed comes first. */
  readonly lessons: Map<string, Lessons>;
  /** By agent: the number of ballots with two different signed values from that agent. */
  readonly equivocators: Map<string, number>;
  /** The bytes of `open` and `outbox`, about. */
  bytes: number;
}

/** The most capabilities with lessons, each at most about 200 KiB; the least recently changed makes room. */
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
    // Left out when empty, as in snapshots from before this field existed.
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
  state.ended.delete(id); // its result aged out, or no host would open the ballot again
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
    // The texts of refusals are results, which the hash of the control log covers: a new wording would break old logs.
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
    state.outbox.set(id, { ...ending, ended: { ...ending.ended, truth } }); // its receipt counts it
  } else if (ended !== undefined) {
    learn(state, ended.capability, (lessons) => learnTruth(lessons, ended, truth));
    state.ended.set(id, { ...ended, truth });
  }
  const wasRight = facts.mark !== null && isSame(facts, facts.mark, truth);
  return { corrected: true, wasRight, isCounted: facts.isIndependent && facts.outcome !== "cancelled" };
}

/** Changes the lessons about a capability, and moves them to the end of the map. */
function learn(state: Ballots, capability: string, change: (lessons: Lessons) => Lessons): void {
  const { lessons } = state;
  const next = change(lessons.get(capability) ?? NO_LESSONS);
  lessons.delete(capability);
  lessons.set(capability, next);
  dropOldest(lessons, MAX_LESSONS);
}
