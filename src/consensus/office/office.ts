// The office of one member: taking it, appending to the shared log under its fence, settling unknown appends and
// answering commands. Owns the order of appends and answers; who may try is the election's matter (election.ts),
// what an entry means is the fold's (apply.ts).
//
// An `Office` has one owner and is changed in place; effects are pushed to the given `OfficeEffects`.
//
// O1  Every append carries the sequence it expects to follow; at most one append is under way.
// O2  A command is answered `ok` only after the entry that holds it is known as stored.
// O3  An unknown append is repeated, identical and with the same expectation, until it is settled. Nothing is
//     sent past it.
// O4  A read is answered only after an append that was asked after the read arrived.
// O5  In office means: the own office-taken entry of this term is stored, and nothing newer is known.
// O6  `not_leader` is never said of a command whose append may still be stored: that is `unknown`.
// O7  Log time never runs faster than real time: a lease is never shorter than was said.

import type { Json, JsonObject } from "../../protocol/index.ts";
import {
  type EntryBody,
  type KeyedCommand,
  type LogEntry,
  readEntry,
  sealEntry,
  versionOf,
} from "../log/entry.ts";
import { applyEntry, findMisfit } from "../log/fold.ts";
import { findFork, recordSnapshot } from "./checkpoints.ts";
import type { AnswerError, OfficeEffects } from "./effects.ts";
import { push, type Queued, type QueuedCommand, take } from "./queue.ts";
import type { Note, OfficeSession, OpenAppend } from "./state.ts";

/** Most commands of one entry: bounds what one append can hold up. */
export const MAX_GROUP_COMMANDS = 1_000;

/**
 * Commands of one entry stop here (bytes, roughly): well below the 1 MiB of a NATS message and of a line, even
 * when a neighbour escapes every character. One command alone may be longer.
 */
export const MAX_GROUP_BYTES = 128 * 1_024;

/**
 * A member that is elected but kept out of office (it lags behind the log, or the fate of its append stays
 * unknown) gives up after this many election timeouts, so that another one can try.
 */
export const OFFICE_WAIT_TIMEOUTS = 4;

// The story of an office: elected, asking, serving, deposed

/** This member was elected for `term`; `proceed` then asks for the office. */
export function elect<S, C>(office: OfficeSession<S, C>, term: number): void {
  office.electedTerm = term;
  office.waitedTicks = 0;
}

/** This member leads no more. Whoever waits is answered; an open append is left to its fate. */
export function depose<S, C>(
  office: OfficeSession<S, C>,
  effects: OfficeEffects<C>,
  error: AnswerError = "not_leader",
): void {
  office.electedTerm = null;
  office.inOffice = false;
  office.catchUpSeq = null;
  office.notes.length = 0;
  const { open } = office;
  if (open !== null) {
    office.open = null;
    office.orphans.push(open);
    refuseAll(office, open.group, "unknown", effects);
  }
  refuseAll(office, take(office.queue), error, effects);
}

/** Time passes by one tick, or has passed: one that `isLate` may be older than the last entry read or asked for. */
export function tickOffice<S, C>(
  office: OfficeSession<S, C>,
  isLate: boolean,
  effects: OfficeEffects<C>,
): void {
  if (!isLate || !office.hasStampSinceTick) office.ticksSinceApplied++; // O7
  if (!isLate) office.hasStampSinceTick = false;
  const isKeptOut = !office.inOffice && (office.catchUpSeq !== null || office.open?.isUnknown === true);
  if (office.electedTerm === null || !isKeptOut) return;
  office.waitedTicks++;
  if (office.waitedTicks >= OFFICE_WAIT_TIMEOUTS * office.config.electionTicks) effects.yields = true;
}

/** Asks for the next append where one is due: the office, or a group of what waits. */
export function proceed<S, C>(office: OfficeSession<S, C>, effects: OfficeEffects<C>): void {
  if (office.electedTerm === null || office.open !== null || office.halted !== null) return;
  if (office.inOffice) {
    const note = office.notes.shift();
    if (note === undefined) appendGroup(office, effects);
    else append(office, { ...entryHead(office), ...note }, [], effects);
    return;
  }
  if (office.catchUpSeq !== null && office.fold.seq < office.catchUpSeq) return;
  office.catchUpSeq = null;
  if (office.fold.term >= office.electedTerm) {
    effects.yields = true;
    return;
  }
  const { node: leader } = office.config;
  append(
    office,
    { ...entryHead(office), term: office.electedTerm, type: "office-taken", leader },
    [],
    effects,
  );
}

// Commands and reads

/**
 * Takes a command; it is answered now or with a later effect. `isHandingOver` refuses new work: the office is being
 * transferred, and its successor must catch up. A repeated key that is under way already waits with the first.
 */
export function takeCommand<S, C>(
  office: OfficeSession<S, C>,
  {
    key,
    command,
    bytes = JSON.stringify(command).length,
    isHandingOver,
  }: KeyedCommand<C> & { readonly bytes?: number; readonly isHandingOver: boolean },
  effects: OfficeEffects<C>,
): void {
  const item = { kind: "command", key, command, bytes: bytes + key.length } as const;
  if (!office.inOffice) refuse(office, item, "not_leader", effects);
  else if (answerKnown(office, item, effects)) return;
  else if (isHandingOver && !isUnderWay(office, key)) refuse(office, item, "unavailable", effects);
  else enqueue(office, item, effects);
}

/** Takes a read: once it is answered `ok`, the fold holds all that was decided before the read arrived. */
export function takeRead<S, C>(
  office: OfficeSession<S, C>,
  { ticket, isHandingOver }: { readonly ticket: string; readonly isHandingOver: boolean },
  effects: OfficeEffects<C>,
): void {
  const item = { kind: "read", ticket, bytes: ticket.length } as const;
  if (!office.inOffice) refuse(office, item, "not_leader", effects);
  else if (isHandingOver) refuse(office, item, "unavailable", effects);
  else enqueue(office, item, effects);
}

/**
 * Takes a checkpoint or a snapshot entry to append, before whatever waits: both are rare and cheap. What became of it,
 * `checkpoint` and `snapshot` of a later effect say; nothing, when the office is lost before. Gives why it is refused.
 */
export function takeNote<S, C>(
  office: OfficeSession<S, C>,
  { note, isHandingOver }: { readonly note: Note; readonly isHandingOver: boolean },
): AnswerError | undefined {
  if (!office.inOffice) return "not_leader";
  if (isHandingOver) return "unavailable";
  if (office.notes.some(({ type }) => type === note.type)) return "overloaded";
  office.notes.push(note);
  return undefined;
}

function enqueue<S, C>(office: OfficeSession<S, C>, item: Queued<C>, effects: OfficeEffects<C>): void {
  if (push(office.queue, item) === "full") refuse(office, item, "overloaded", effects);
}

/** True while the key waits in the queue or in an append whose fate is open: it may yet be decided here. */
function isUnderWay<S, C>({ open, orphans, queue }: OfficeSession<S, C>, key: string): boolean {
  return queue.keys.has(key) || open?.keys.has(key) === true || orphans.some(({ keys }) => keys.has(key));
}

/** A write that was decided before is answered from the fold; a repeated read still waits for an append (O4). */
function answerKnown<S, C>(
  office: OfficeSession<S, C>,
  item: QueuedCommand<C>,
  effects: OfficeEffects<C>,
): boolean {
  const value = office.fold.results.get(item.key);
  if (value === undefined || office.fold.commandSet.isRead(item.command)) return false;
  effects.answers.push({ key: item.key, ok: true, value });
  return true;
}

/** Ends the waiting of commands and reads that will not be appended any more. */
function refuseAll<S, C>(
  office: OfficeSession<S, C>,
  items: readonly Queued<C>[],
  error: AnswerError,
  effects: OfficeEffects<C>,
): void {
  for (const item of items) {
    // A copy of a command that was decided meanwhile: nobody may be told that it was not.
    const isDecided = item.kind === "command" && office.fold.results.has(item.key);
    if (isDecided && answerKnown(office, item, effects)) continue;
    refuse(office, item, isDecided ? "unknown" : error, effects);
  }
}

function refuse<S, C>(
  office: OfficeSession<S, C>,
  item: Queued<C>,
  error: AnswerError,
  effects: OfficeEffects<C>,
): void {
  if (item.kind === "read") {
    effects.reads.push({ ticket: item.ticket, ok: false, error });
    return;
  }
  effects.answers.push({ key: item.key, ok: false, error: isUnderWay(office, item.key) ? "unknown" : error });
}

// Appends

function appendGroup<S, C>(office: OfficeSession<S, C>, effects: OfficeEffects<C>): void {
  const group = takeGroup(office, effects);
  if (group.length === 0) return;
  const commands = group
    .filter((item) => item.kind === "command")
    .map(({ key, command }) => ({ key, command }));
  const head = entryHead(office);
  append(
    office,
    commands.length === 0 ? { ...head, type: "barrier" } : { ...head, type: "commands", commands },
    group,
    effects,
  );
}

function takeGroup<S, C>(office: OfficeSession<S, C>, effects: OfficeEffects<C>): Queued<C>[] {
  const group: Queued<C>[] = [];
  let bytes = 0;
  let taken = 0;
  for (const item of office.queue.items) {
    const isFull =
      group.length >= MAX_GROUP_COMMANDS || (group.length > 0 && bytes + item.bytes > MAX_GROUP_BYTES);
    if (isFull) break;
    taken++;
    if (item.kind === "command" && answerKnown(office, item, effects)) continue;
    group.push(item);
    bytes += item.bytes;
  }
  take(office.queue, taken);
  return group;
}

/** What every entry says beside its version and type. Log time goes on from the last entry by the ticks since it was applied. */
function entryHead<S, C>({ config, fold, ticksSinceApplied }: OfficeSession<S, C>) {
  return { logId: config.logId, term: fold.term, at: fold.at + Math.max(0, ticksSinceApplied) } as const;
}

type Unversioned<B> = B extends unknown ? Omit<B, "v"> : never;

function append<S, C>(
  office: OfficeSession<S, C>,
  content: Unversioned<EntryBody<C>>,
  group: readonly Queued<C>[],
  effects: OfficeEffects<C>,
): void {
  const body = { v: versionOf(content.type), ...content } as EntryBody<C>;
  const entry = sealEntry(body, office.fold.chain);
  const keys = new Set(body.type === "commands" ? body.commands.map(({ key }) => key) : []);
  const open = { request: null, expectedLastSeq: office.fold.seq, entry, group, keys, isUnknown: false };
  office.open = open;
  office.hasStampSinceTick = true;
  if (office.config.countsTicksOfAppends === true)
    office.ticksSinceApplied = Math.min(0, office.ticksSinceApplied);
  ask(office, open, effects);
}

function ask<S, C>(office: OfficeSession<S, C>, open: OpenAppend<C>, effects: OfficeEffects<C>): void {
  const request = office.nextRequest++;
  open.request = request;
  effects.appends.push({ request, expectedLastSeq: open.expectedLastSeq, entry: open.entry });
}

// Answers of the log

/** The log says that the append is stored at `seq`. */
export function settleAccepted<S, C>(
  office: OfficeSession<S, C>,
  { request, seq }: { request: number; seq: number },
  effects: OfficeEffects<C>,
): void {
  const open = findOpen(office, request);
  if (open === undefined) return;
  if (seq !== open.expectedLastSeq + 1) {
    halt(office, `append after ${open.expectedLastSeq} was stored at ${seq}`, effects);
    return;
  }
  // An append whose place in the log is already applied was settled then, so this is the next entry.
  advance(office, open.entry, effects);
}

/** The log says that its last sequence is another than expected. */
export function settleRefused<S, C>(
  office: OfficeSession<S, C>,
  { request, lastSeq }: { request: number; lastSeq: number },
  effects: OfficeEffects<C>,
): void {
  const open = findOpen(office, request);
  if (open === undefined) return;
  open.request = null;
  if (open.isUnknown) return; // An earlier try may be what stands there: the entry itself decides.
  if (open !== office.open) {
    office.orphans.splice(office.orphans.indexOf(open), 1);
    return;
  }
  office.open = null;
  if (office.inOffice) {
    refuseAll(office, open.group, "not_leader", effects);
    effects.yields = true;
    return;
  }
  office.catchUpSeq = lastSeq;
  office.waitedTicks = 0;
}

/** Nobody knows whether the append was stored: the current one is repeated at once (O3). */
export function retryUnknown<S, C>(
  office: OfficeSession<S, C>,
  request: number,
  effects: OfficeEffects<C>,
): void {
  const open = findOpen(office, request);
  if (open === undefined) return;
  open.request = null;
  open.isUnknown = true;
  if (open === office.open) ask(office, open, effects);
}

function findOpen<S, C>(office: OfficeSession<S, C>, request: number): OpenAppend<C> | undefined {
  if (office.open?.request === request) return office.open;
  return office.orphans.find((open) => open.request === request);
}

/** What became of a stored entry: applied, old news, out of order, or the end of trust. */
export type StoredOutcome = "applied" | "known" | "gap" | "halted";

/** An entry became visible at `seq`. */
export function applyStored<S, C>(
  office: OfficeSession<S, C>,
  { seq, entry: value }: { seq: number; entry: JsonObject },
  effects: OfficeEffects<C>,
): StoredOutcome {
  const { fold } = office;
  if (seq <= fold.seq) return "known";
  if (seq > fold.seq + 1) return "gap";
  const read = readEntry(value, {
    logId: office.config.logId,
    previousChain: fold.chain,
    parseCommand: fold.commandSet.parse,
  });
  const fault = read.ok ? (findMisfit(fold, read.entry) ?? findFork(office, read.entry)) : read.fault;
  if (!read.ok || fault !== undefined) {
    halt(office, `entry ${seq}: ${fault}`, effects);
    return "halted";
  }
  advance(office, read.entry, effects);
  return "applied";
}

/** Applies the next entry and settles what hung on it. */
function advance<S, C>(office: OfficeSession<S, C>, entry: LogEntry<C>, effects: OfficeEffects<C>): void {
  const { open, fold } = office;
  const results = applyEntry(fold, entry);
  const isOwn = open !== null && open.entry.chain === entry.chain;
  if (!isOwn || office.config.countsTicksOfAppends !== true) {
    // O7: the own next tick may come right after another member's; the time between the two counts once.
    office.ticksSinceApplied = !isOwn && office.config.countsTicksOfAppends === true ? -1 : 0;
    office.hasStampSinceTick = true;
  }
  // The place in the log that earlier appends were asked for is taken: their fate is known.
  for (let index = office.orphans.length - 1; index >= 0; index--) {
    if ((office.orphans[index] as OpenAppend<C>).expectedLastSeq < fold.seq) office.orphans.splice(index, 1);
  }
  if (entry.type === "office-taken") effects.taken.push({ term: entry.term, leader: entry.leader });
  if (entry.type === "checkpoint") effects.checkpoint = { seq: fold.seq, isOwn };
  if (entry.type === "snapshot") effects.snapshot = recordSnapshot(office, entry);
  office.open = null;
  if (isOwn) {
    if (entry.type === "office-taken") office.inOffice = true;
    else answerGroup(open.group, results, effects);
    return;
  }
  if (open !== null) refuseAll(office, open.group, "not_leader", effects);
  if (office.inOffice) effects.yields = true;
}

function answerGroup<C>(
  group: readonly Queued<C>[],
  results: readonly Json[],
  effects: OfficeEffects<C>,
): void {
  let index = 0;
  for (const item of group) {
    if (item.kind === "read") effects.reads.push({ ticket: item.ticket, ok: true });
    else effects.answers.push({ key: item.key, ok: true, value: results[index++] as Json });
  }
}

/** The log cannot be trusted any more: nothing is applied or asked from here on. */
export function halt<S, C>(office: OfficeSession<S, C>, reason: string, effects: OfficeEffects<C>): void {
  office.halted = reason;
  depose(office, effects, "unavailable");
}
