// Judges a run: checks the answers of clients (with linearizability.ts), the control log, and whether the two agree. Shares
// no code with the program that it judges: it implements the log's hash chain and its commands a second time.
import { createHash } from "node:crypto";
import { checkLinearizable, versionedValue } from "../linearizability.ts";
import type { Lease, OfficeHistory } from "./load.ts";
import { lockModel } from "./locks-model.ts";

/** An entry as the control log stores it. */
export interface LogEntry {
  readonly seq: number;
  readonly storedAtMs: number;
  readonly body: Record<string, unknown>;
}

/** A coordinator's answer to the question for the leader, with the times of question and answer (wall clock, ms). */
export interface StatusSample {
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  /** The named leader; null when the question failed. */
  readonly leader: string | null;
  readonly term: number | null;
  readonly logSeq: number | null;
}

/** The findings about a run. In a sound run, every list is empty. */
export interface AuditReport {
  readonly counts: {
    readonly operations: number;
    readonly acknowledgedWrites: number;
    readonly unknown: number;
    readonly leases: number;
    readonly entries: number;
    readonly terms: number;
    readonly statusNamed: number;
    readonly statusUnknown: number;
  };
  /** Values and locks whose history no order explains. */
  readonly notLinearizable: readonly string[];
  /** Acknowledged writes that are not in the log, or have a different result there. */
  readonly lost: readonly string[];
  /** Values whose final state shows that the office applied a key twice. */
  readonly appliedTwice: readonly string[];
  /** Faults in the log's terms, offices, times or chain, and unexpected errors that clients received. */
  readonly logFaults: readonly string[];
  /** Leases that were shorter than promised, and tokens that were granted twice. */
  readonly leaseFaults: readonly string[];
  /** Answers that named a false leader. */
  readonly statusLies: readonly string[];
}

/** Judges a run. `finalValues` are the office's values at the end, as `[name, value, revision]`. */
export function audit(run: {
  history: OfficeHistory;
  entries: readonly LogEntry[];
  statuses: readonly StatusSample[];
  finalValues: readonly (readonly [string, unknown, number])[];
}): AuditReport {
  const { history, entries, statuses, finalValues } = run;
  const log = foldLog(entries);
  const all = [...history.values, ...history.locks];
  const named = statuses.filter(({ leader }) => leader !== null);
  const answered = all.filter(({ output }) => output !== undefined);
  return {
    counts: {
      operations: all.length + history.leases.length,
      acknowledgedWrites: answered.filter(({ key }) => key !== null).length,
      unknown: all.length - answered.length,
      leases: history.leases.length,
      entries: entries.length,
      terms: log.terms.length,
      statusNamed: named.length,
      statusUnknown: statuses.length - named.length,
    },
    notLinearizable: findNotLinearizable(history),
    lost: findLost(history, log),
    appliedTwice: findAppliedTwice(log, finalValues),
    logFaults: [...log.faults, ...history.unexpectedErrors.map((error) => `a client received: ${error}`)],
    leaseFaults: findLeaseFaults(history.leases),
    statusLies: named.flatMap((sample) => findFalseLeader(sample, entries, log) ?? []),
  };
}

/** True when every list of findings is empty. */
export function isSound({ counts: _counts, ...found }: AuditReport): boolean {
  return Object.values(found).every((list) => list.length === 0);
}

function findNotLinearizable({ values, locks }: OfficeHistory): string[] {
  const verdicts = [
    checkLinearizable(values, { model: versionedValue, partition: nameOf }),
    checkLinearizable(locks, { model: lockModel, partition: nameOf }),
  ];
  return verdicts.flatMap((verdict) => {
    if (verdict.type === "linearizable") return [];
    const left =
      verdict.type === "violated" ? `; unexplained: ${JSON.stringify(verdict.unexplained.slice(0, 3))}` : "";
    return [`${verdict.part}: ${verdict.type}${left}`];
  });
}

function nameOf(operation: object): string {
  return (operation as { name: string }).name;
}

// The log

interface LoggedOffice {
  readonly term: number;
  readonly leader: string;
  readonly seq: number;
}

interface Decision {
  readonly seq: number;
  readonly result: unknown;
}

interface FoldedLog {
  readonly faults: string[];
  readonly terms: LoggedOffice[];
  readonly decisions: Map<string, Decision>;
  readonly values: Map<string, { value: unknown; revision: number }>;
}

/** Applies the entries in order: checks the hash chain and the terms, and computes the decisions and the values. */
export function foldLog(entries: readonly LogEntry[]): FoldedLog {
  const faults: string[] = [];
  const terms: LoggedOffice[] = [];
  const [genesis, ...rest] = entries;
  const logId = genesis?.body.logId;
  let chain = genesis === undefined ? "" : sha256(canonical(genesis.body));
  let seq = genesis?.seq ?? 0;
  let at = 0;
  const model = createModel();
  if (genesis?.body.type !== "genesis") faults.push("the log does not begin with genesis");
  for (const entry of rest) {
    const { chain: stored, ...body } = entry.body;
    const fault = (text: string) => faults.push(`entry ${entry.seq}: ${text}`);
    if (entry.seq !== seq + 1) fault(`follows entry ${seq}`);
    seq = entry.seq;
    chain = sha256(`${chain}\n${canonical(body)}`);
    if (stored !== chain) fault("its chain hash does not match its content and the entry before it");
    if (body.logId !== logId) fault("belongs to another log");
    if ((body.at as number) < at) fault(`log time falls from ${at} to ${body.at}`);
    at = body.at as number;
    const held = terms.at(-1);
    if (body.type === "office-taken") {
      const taken = { term: body.term as number, leader: body.leader as string, seq };
      if (taken.term <= (held?.term ?? 0))
        fault(`takes the office of term ${taken.term} after ${held?.term}`);
      terms.push(taken);
    } else if (body.term !== held?.term)
      fault(`belongs to term ${body.term}, but the office is of term ${held?.term}`);
    for (const { key, command } of (body.commands ?? []) as KeyedCommand[])
      model.decide(seq, key, command, at);
  }
  return { faults, terms, decisions: model.decisions, values: model.values };
}

interface KeyedCommand {
  key: string;
  command: Record<string, unknown> & { type: string; name: string };
}

/** A second, simple implementation of the commands for values and locks. It ignores other commands. */
function createModel() {
  const values = new Map<string, { value: unknown; revision: number }>();
  const locks = new Map<string, { owner: string; token: number; until: number }>();
  const decisions = new Map<string, Decision>();
  let revisions = 0;
  let tokens = 0;
  /** A time as log ticks of 50 ms: rounded up, plus one. */
  const ticks = (ms: unknown) => Math.ceil((ms as number) / 50) + 1;

  function setValue({ name, value, expectedRevision }: Record<string, unknown>): unknown {
    const found = values.get(name as string)?.revision ?? 0;
    if (expectedRevision !== undefined && expectedRevision !== found) return "conflict";
    revisions++;
    if (value === null) values.delete(name as string);
    else values.set(name as string, { value, revision: revisions });
    return revisions;
  }

  function acquire({ name, owner, ttlMs }: Record<string, unknown>, at: number): unknown {
    const lock = locks.get(name as string);
    if (lock !== undefined && lock.until > at)
      return lock.owner === owner ? lock.token : `held by ${lock.owner}`;
    tokens++;
    locks.set(name as string, { owner: owner as string, token: tokens, until: at + ticks(ttlMs) });
    return tokens;
  }

  function release({ name, owner, token }: Record<string, unknown>, at: number): unknown {
    const lock = locks.get(name as string);
    if (lock === undefined || lock.until <= at || lock.owner !== owner || lock.token !== token)
      return "not held";
    locks.delete(name as string);
    return "released";
  }

  return {
    values,
    decisions,
    decide(seq: number, key: string, command: KeyedCommand["command"], at: number): void {
      if (decisions.has(key)) return;
      const result =
        command.type === "config-set"
          ? setValue(command)
          : command.type === "lock-acquire"
            ? acquire(command, at)
            : command.type === "lock-release"
              ? release(command, at)
              : null;
      decisions.set(key, { seq, result });
    },
  };
}

/** The JSON with sorted keys and without spaces. For the values in the log, this is the form of RFC 8785. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

// The history compared with the log

function findLost({ values, locks }: OfficeHistory, { decisions }: FoldedLog): string[] {
  const lost: string[] = [];
  for (const { key, input, output } of [...values, ...locks]) {
    if (key === null || output === undefined) continue;
    const decision = decisions.get(`c.${key}`);
    const answer = toDecision(output);
    if (decision === undefined) lost.push(`${key}: ${JSON.stringify(input)} is not in the log`);
    else if (decision.result !== answer) {
      lost.push(`${key}: ${JSON.stringify(input)} was answered ${answer}; the log says ${decision.result}`);
    }
  }
  return lost;
}

/** An answer in the form of the model's decisions. */
function toDecision(output: { type: string; revision?: number; token?: number; by?: string }): unknown {
  if (output.type === "written") return output.revision;
  if (output.type === "acquired") return output.token;
  if (output.type === "held") return `held by ${output.by}`;
  return output.type === "not-held" ? "not held" : output.type;
}

/**
 * Finds final values that differ from the model's. The model applies each key once; an office that applied a key twice would
 * use two revisions for it.
 */
function findAppliedTwice(
  { values }: FoldedLog,
  finalValues: readonly (readonly [string, unknown, number])[],
): string[] {
  const shown = new Map(
    finalValues.map(([name, value, revision]) => [name, `${revision} ${JSON.stringify(value)}`]),
  );
  const wanted = new Map(
    [...values].map(([name, { value, revision }]) => [name, `${revision} ${JSON.stringify(value)}`]),
  );
  const names = new Set([...shown.keys(), ...wanted.keys()]);
  return [...names].flatMap((name) =>
    shown.get(name) === wanted.get(name)
      ? []
      : [`${name} is ${shown.get(name)}; each key applied once gives ${wanted.get(name)}`],
  );
}

/**
 * Finds faults of leases. Unless its holder releases it, a lease must last its full time, counted from before the request.
 * No token may be granted twice.
 */
export function findLeaseFaults(leases: readonly Lease[]): string[] {
  const faults: string[] = [];
  const byName = Map.groupBy(leases, ({ name }) => name);
  for (const granted of byName.values()) {
    granted.sort((one, other) => one.token - other.token);
    for (const [index, lease] of granted.entries()) {
      const next = granted[index + 1];
      if (next === undefined) continue;
      const endsAt = Math.min(lease.calledAt + lease.ttlMs, lease.releasedAt);
      if (next.token === lease.token) faults.push(`${lease.name}: token ${lease.token} was granted twice`);
      if (next.returnedAt < endsAt) {
        const early = Math.round(endsAt - next.returnedAt);
        faults.push(
          `${lease.name}: token ${next.token} was granted ${early} ms before the lease of ${lease.token} ended`,
        );
      }
    }
  }
  return faults;
}

/** The tolerance when times of two processes are compared: both read the clock of one machine, in ms. */
const CLOCK_STEP_MS = 2;

/**
 * A message when the sample names a false leader, else undefined. The named leader must have held the office at some moment
 * between question and answer.
 */
export function findFalseLeader(
  { askedAtMs, answeredAtMs, leader, term, logSeq }: StatusSample,
  entries: readonly LogEntry[],
  { terms }: Pick<FoldedLog, "terms">,
): string | undefined {
  const index = terms.findIndex((taken) => taken.term === term);
  const taken = terms[index];
  const claim = `at ${new Date(answeredAtMs).toISOString()} an answer named ${leader} the leader of term ${term}`;
  if (taken === undefined || taken.leader !== leader)
    return `${claim}; the log names ${taken?.leader ?? "no leader"}`;
  if (logSeq === null || logSeq < taken.seq)
    return `${claim} at entry ${logSeq}, before it took the office at entry ${taken.seq}`;
  const next = terms[index + 1];
  const first = entries[0]?.seq ?? 1;
  const nextAtMs = next === undefined ? Number.POSITIVE_INFINITY : entries[next.seq - first]!.storedAtMs;
  if (nextAtMs >= askedAtMs - CLOCK_STEP_MS) return undefined;
  return `${claim}; ${next?.leader} had taken the office ${Math.round(askedAtMs - nextAtMs)} ms before the question`;
}
