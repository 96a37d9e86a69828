// The office of one member: it takes the office, appends to the shared log with fenced writes, settles unknown appends
// and answers commands. Owns the order of appends and answers. The election (election.ts) decides which member may try,
// and the fold (fold.ts) decides the meaning of an entry.
//
// An `OfficeSession` has one owner. The functions change it in place and push their effects to the given `OfficeEffects`.
//
// O1  Every append carries the sequence that it expects to follow. At most one append is in flight.
// O2  The office answers a command with `ok` only after it knows that the entry with the command is stored.
// O3  The office repeats an append of unknown fate, identical and with the same expectation, until the fate is settled.
//     It sends no later append before that.
// O4  The office answers a read only after an append that it requested after the read arrived.
// O5  A member is in office when its own office-taken entry of this term is stored and it knows of no newer one.
// O6  The office never answers `not_leader` to a command whose append may still be stored. It answers `unknown`.
// O7  Log time never runs faster than real time, so a lease never ends earlier than its holder was promised.

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

/** The most commands in one entry. The bound limits the work that waits for one append. */
export const MAX_GROUP_COMMANDS = 1_000;

/**
 * The most bytes of commands in one entry, roughly. The bound is well below 1 MiB, the limit of a NATS message and of a
 * line of the election node, even when JSON escapes every character. A single command may be longer.
 */
export const MAX_GROUP_BYTES = 128 * 1_024;

/**
 * The number of election timeouts after which an elected member gives up when it cannot take the office, because it lags
 * behind the log or because the fate of its append stays unknown. Another member can then try.
 */
export const OFFICE_WAIT_TIMEOUTS = 4;

// The life of an office: elected, requesting it, serving, deposed

/** Records that this member was elected for `term`. The next `proceed` requests the office. */
export function elect<S, C>(office: OfficeSession<S, C>, term: number): void {
  office.electedTerm = term;
  office.waitedTicks = 0;
}

/** Ends this member's leadership: answers all waiting clients, and keeps an open append until its fate is known. */
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

/** Counts one tick. A tick with `isLate` may be older than the last entry that was read or requested. */
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

/** Requests the next append if one is due: the office, a note, or a group of waiting commands and reads. */
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
 * Takes a command. The answer is an effect of this call or of a later one. With `isHandingOver` the office refuses new
 * work: it is being transferred, and its successor must catch up. A repeated key in flight waits together with the
 * first command.
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

/** Takes a read. After the answer `ok` the fold holds every decision that was made before the read arrived. */
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
 * Takes a checkpoint or a snapshot entry to append. It goes before all waiting commands, because it is rare and cheap.
 * The fields `checkpoint` and `snapshot` of a later effect report the stored entry; there is no report if the office is
 * lost first. Returns the reason of a refusal.
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

/** True while the key waits in the queue or in an append of unknown fate, so that this member may still decide it. */
function isUnderWay<S, C>({ open, orphans, queue }: OfficeSession<S, C>, key: string): boolean {
  return queue.keys.has(key) || open?.keys.has(key) === true || orphans.some(({ keys }) => keys.has(key));
}

/** Answers a repeated write from the fold and returns true. A repeated read still waits for an append (O4). */
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

/** Answers commands and reads that this member will not append any more. */
function refuseAll<S, C>(
  office: OfficeSession<S, C>,
  items: readonly Queued<C>[],
  error: AnswerError,
  effects: OfficeEffects<C>,
): void {
  for (const item of items) {
    // This is a copy of a command that has been decided. An error that says "not decided" would be false.
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

/**
 * The fields of every entry beside version and type. Log time is the time of the last entry plus the ticks since then.
 */
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

/** Takes the log's answer that the append is stored at `seq`. */
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
  // Applying an entry at the append's place would have settled the append. So this is the next entry.
  advance(office, open.entry, effects);
}

/** Takes the log's refusal: its last sequence is not the expected one. */
export function settleRefused<S, C>(
  office: OfficeSession<S, C>,
  { request, lastSeq }: { request: number; lastSeq: number },
  effects: OfficeEffects<C>,
): void {
  const open = findOpen(office, request);
  if (open === undefined) return;
  open.request = null;
  if (open.isUnknown) return; // The entry at that place may be an earlier try. Reading the entry will tell.
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

/** Takes the news that the fate of the append is unknown. The current append is repeated at once (O3). */
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

/** The outcome of reading an entry: applied, known before, out of order, or halted because it does not fit. */
export type StoredOutcome = "applied" | "known" | "gap" | "halted";

/** Takes the entry that the log delivers at `seq`. */
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

/** Applies the next entry and settles the appends, commands and reads that depended on it. */
function advance<S, C>(office: OfficeSession<S, C>, entry: LogEntry<C>, effects: OfficeEffects<C>): void {
  const { open, fold } = office;
  const results = applyEntry(fold, entry);
  const isOwn = open !== null && open.entry.chain === entry.chain;
  if (!isOwn || office.config.countsTicksOfAppends !== true) {
    // O7: this member's next tick may follow right after the author's last one. The time between the two counts once.
    office.ticksSinceApplied = !isOwn && office.config.countsTicksOfAppends === true ? -1 : 0;
    office.hasStampSinceTick = true;
  }
  // Another entry now has the place that earlier appends asked for, so their fate is known.
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

/** Halts the office because it cannot trust the log: from here on it applies and requests nothing. */
export function halt<S, C>(office: OfficeSession<S, C>, reason: string, effects: OfficeEffects<C>): void {
  office.halted = reason;
  depose(office, effects, "unavailable");
}
