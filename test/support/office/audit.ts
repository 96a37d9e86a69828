// Judges a run: the answers of clients (linearizability.ts), the control log, and their agreement. Shares no code with the
// judged program: it implements the log's chain and meaning a second time.
import { createHash } from "node:crypto";
import { checkLinearizable, versionedValue } from "../linearizability.ts";
import type { Lease, OfficeHistory } from "./load.ts";
import { lockModel } from "./locks-model.ts";

/** A stored entry. */
export interface LogEntry {
  readonly seq: number;
  readonly storedAtMs: number;
  readonly body: Record<string, unknown>;
}

/** An answer about the office, with the times of request and answer (wall clock, ms). */
export interface StatusSample {
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  /** Null: no leader is known. */
  readonly leader: string | null;
  readonly term: number | null;
  readonly logSeq: number | null;
}

/** The findings. Every list but `counts` is empty in a sound run. */
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
  /** Histories that no order explains. */
  readonly notLinearizable: readonly string[];
  /** Acknowledged writes that are not in the log, or have another result there. */
  readonly lost: readonly string[];
  /** Keys that changed the state twice. */
  readonly appliedTwice: readonly string[];
  /** Faults of the log itself: terms, offices, chain. */
  readonly logFaults: readonly string[];
  /** Leases that were shorter than promised, and tokens that did not rise. */
  readonly leaseFaults: readonly string[];
  /** False answers about the office. */
  readonly statusLies: readonly string[];
}

/** Judges the run. `finalValues`: the office's values at the end, as `[name, value, revision]`. */
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
    logFaults: [...log.faults, ...history.surprises.map((surprise) => `a client was told: ${surprise}`)],
    leaseFaults: findLeaseFaults(history.leases),
    statusLies: named.flatMap((sample) => findLie(sample, entries, log) ?? []),
  };
}

/** True without findings. */
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
      verdict.type === "violated" ? `; left over: ${JSON.stringify(verdict.unexplained.slice(0, 3))}` : "";
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

/** Reads the log as it was written: its chain, its offices and its decisions. */
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
    const fault = (what: string) => faults.push(`entry ${entry.seq}: ${what}`);
    if (entry.seq !== seq + 1) fault(`stands behind ${seq}`);
    seq = entry.seq;
    chain = sha256(`${chain}\n${canonical(body)}`);
    if (stored !== chain) fault("its chain hash is not that of its content and the entry before");
    if (body.logId !== logId) fault("is of another log");
    if ((body.at as number) < at) fault(`log time falls from ${at} to ${body.at}`);
    at = body.at as number;
    const held = terms.at(-1);
    if (body.type === "office-taken") {
      const taken = { term: body.term as number, leader: body.leader as string, seq };
      if (taken.term <= (held?.term ?? 0))
        fault(`takes the office of term ${taken.term} after ${held?.term}`);
      terms.push(taken);
    } else if (body.term !== held?.term) fault(`is of term ${body.term} while ${held?.term} is in office`);
    for (const { key, command } of (body.commands ?? []) as KeyedCommand[])
      model.decide(seq, key, command, at);
  }
  return { faults, terms, decisions: model.decisions, values: model.values };
}

interface KeyedCommand {
  key: string;
  command: Record<string, unknown> & { type: string; name: string };
}

/** The meaning of values and locks, a second time and as simply as possible. Other commands are ignored. */
function createModel() {
  const values = new Map<string, { value: unknown; revision: number }>();
  const locks = new Map<string, { owner: string; token: number; until: number }>();
  const decisions = new Map<string, Decision>();
  let revisions = 0;
  let tokens = 0;
  /** 50 ms each, and one more than the quotient. */
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

/** Sorted keys and no spaces: the form of RFC 8785 for the JSON in the log. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const fields = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${fields.map(([name, field]) => `${JSON.stringify(name)}:${canonical(field)}`).join(",")}}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

// History against log

function findLost({ values, locks }: OfficeHistory, { decisions }: FoldedLog): string[] {
  const lost: string[] = [];
  for (const { key, input, output } of [...values, ...locks]) {
    if (key === null || output === undefined) continue;
    const decision = decisions.get(`c.${key}`);
    const told = tell(output);
    if (decision === undefined) lost.push(`${key}: ${JSON.stringify(input)} is not in the log`);
    else if (decision.result !== told) {
      lost.push(`${key}: ${JSON.stringify(input)} was answered ${told}; the log says ${decision.result}`);
    }
  }
  return lost;
}

/** An answer in the terms of the model. */
function tell(output: { type: string; revision?: number; token?: number; by?: string }): unknown {
  if (output.type === "written") return output.revision;
  if (output.type === "acquired") return output.token;
  if (output.type === "held") return `held by ${output.by}`;
  return output.type === "not-held" ? "not held" : output.type;
}

/** The keys in the log, each decided once, lead to these values and revisions. A key that was applied twice would use two. */
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

/** A lease lasts at least its time, counted from before its request, unless it is released; tokens rise. */
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
          `${lease.name}: token ${next.token} was granted ${early} ms before ${lease.token} was over`,
        );
      }
    }
  }
  return faults;
}

/** Clocks of one machine, read in ms. */
const CLOCK_STEP_MS = 2;

/** A named leader held the office at some moment between request and answer. */
export function findLie(
  { askedAtMs, answeredAtMs, leader, term, logSeq }: StatusSample,
  entries: readonly LogEntry[],
  { terms }: Pick<FoldedLog, "terms">,
): string | undefined {
  const index = terms.findIndex((taken) => taken.term === term);
  const taken = terms[index];
  const said = `at ${new Date(answeredAtMs).toISOString()} ${leader} was said to lead term ${term}`;
  if (taken === undefined || taken.leader !== leader)
    return `${said}; the log knows ${taken?.leader ?? "nobody"}`;
  if (logSeq === null || logSeq < taken.seq)
    return `${said} at ${logSeq}, before it took the office at ${taken.seq}`;
  const next = terms[index + 1];
  const first = entries[0]?.seq ?? 1;
  const nextAtMs = next === undefined ? Number.POSITIVE_INFINITY : entries[next.seq - first]!.storedAtMs;
  if (nextAtMs >= askedAtMs - CLOCK_STEP_MS) return undefined;
  return `${said}; ${next?.leader} had taken over ${Math.round(askedAtMs - nextAtMs)} ms before the question`;
}
