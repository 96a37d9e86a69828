// Records the office in the audit log: the holder at each time, rejected appends, and decided commands of people. Owns the
// choice of these records; no code here waits for a record to be stored, or fails because of it.
//
// N1  Only rare events are recorded. Callers take locks, budgets and placements all the time, and the control log has
//     those.
// N2  The payload of a command is not recorded: values may be large or private, and the state has them.
// N3  A command that was repeated under its key is recorded once.
import { dropOldest } from "../../base/index.ts";
import { type Audit, toSwarmError } from "../../protocol/index.ts";
import type { Office, OfficeTenure } from "./office.ts";

/** Records when this coordinator takes and leaves the office. */
export function auditTenures(office: Pick<Office, "onTenure">, audit: Audit): void {
  let held: OfficeTenure | null = null;
  const factsOf = ({ id, term }: OfficeTenure) => ({ coordinator: id, term });
  office.onTenure((tenure) => {
    if (held !== null) audit({ kind: "office-left", facts: factsOf(held) });
    held = tenure;
    if (tenure !== null) audit({ kind: "office-taken", facts: factsOf(tenure) });
  });
}

/** An append that the control log rejected. */
export interface RefusedAppend {
  readonly term: number;
  readonly expectedLastSeq: number;
  readonly lastSeq: number;
}

/** Records the rejected appends of one coordinator: each once, however often it is repeated. */
export function createRefusalNotes(
  coordinator: string,
  audit: Audit | undefined,
): (refused: RefusedAppend) => void {
  let last = "";
  return (refused) => {
    const what = `${refused.term}.${refused.expectedLastSeq}`;
    if (what === last) return;
    last = what;
    audit?.({ kind: "append-refused", facts: { coordinator, ...refused } });
  };
}

/** The recorded commands, and the recorded fields of each (N1, N2). */
const AUDITED_WRITES: Readonly<Record<string, readonly string[]>> = {
  "config-set": ["name", "by", "expectedRevision", "key"],
  "schedule-set": ["id", "when", "key"],
  "schedule-remove": ["id", "key"],
  "schedule-backfill": ["id", "key"],
  "budget-set": ["name", "limit", "window", "key"],
  "budget-remove": ["name", "key"],
  "capability-pause": ["capability", "by", "key"],
  "capability-resume": ["capability", "by", "key"],
  "ballot-decide": ["id", "by", "choice"],
  "ballot-correct": ["id", "key"],
  transfer: ["to", "term"],
};
/** Programs may send many of these: one is recorded only if it names its writer, as the command line does. */
const NEEDS_NAME: readonly string[] = ["config-set"];
/** Codes of decided refusals. After any other error, nothing is decided, or not yet. */
const REFUSALS: readonly string[] = ["conflict", "not_found", "not_permitted"];
/** The most keys that are remembered (N3): repeats come within seconds. */
const MAX_KEYS = 1_024;

/** Wraps `decide`: answers commands as it does, and records the decided ones. */
export function auditOperations(
  decide: (command: string, body: unknown) => Promise<unknown>,
  audit: Audit,
): (command: string, body: unknown) => Promise<unknown> {
  const keys = new Set<string>();

  function note(command: string, body: unknown, outcome: string): void {
    const fields = AUDITED_WRITES[command] ?? [];
    const recorded = Object.entries((body ?? {}) as Record<string, unknown>).filter(([name]) =>
      fields.includes(name),
    );
    const { key, ...facts } = Object.fromEntries(recorded);
    if (NEEDS_NAME.includes(command) && facts.by === undefined) return;
    if (key !== undefined) {
      const own = `${command} ${key}`;
      if (keys.has(own)) return;
      keys.add(own);
      dropOldest(keys, MAX_KEYS);
    }
    audit({ kind: "office-command", facts: { ...facts, command, outcome } });
  }

  async function decideAndNote(command: string, body: unknown): Promise<unknown> {
    try {
      const reply = await decide(command, body);
      note(command, body, "done");
      return reply;
    } catch (error) {
      const { code } = toSwarmError(error);
      if (REFUSALS.includes(code)) note(command, body, code);
      throw error;
    }
  }

  return (command, body) =>
    Object.hasOwn(AUDITED_WRITES, command) ? decideAndNote(command, body) : decide(command, body);
}
