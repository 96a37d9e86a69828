// What of the office goes into the audit log: who held it when, which appends were refused, and which commands of people
// were decided. Owns the choice of what is noted; nothing here waits for a note, or fails because of one.
//
// N1  Only what is rare is noted: who needs locks, budgets or placements does so without end, and the control log has it.
// N2  What a command put in is not noted: values may be large or private, and stand where they were put.
// N3  A command that was repeated under its key is noted once.
import { dropOldest } from "../../base/index.ts";
import { type Audit, toSwarmError } from "../../protocol/index.ts";
import type { Office, OfficeTenure } from "./office.ts";

/** Notes that this coordinator takes and leaves the office. */
export function auditTenures(office: Pick<Office, "onTenure">, audit: Audit): void {
  let held: OfficeTenure | null = null;
  const factsOf = ({ id, term }: OfficeTenure) => ({ coordinator: id, term });
  office.onTenure((tenure) => {
    if (held !== null) audit({ kind: "office-left", facts: factsOf(held) });
    held = tenure;
    if (tenure !== null) audit({ kind: "office-taken", facts: factsOf(tenure) });
  });
}

/** An append that the control log refused. */
export interface RefusedAppend {
  readonly term: number;
  readonly expectedLastSeq: number;
  readonly lastSeq: number;
}

/** Notes refused appends of one coordinator, each once however often it is repeated. */
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

/** Commands that are noted, and the fields of their requests that are (N1, N2). */
const OPERATIONS: Readonly<Record<string, readonly string[]>> = {
  "config-set": ["name", "by", "expectedRevision", "key"],
  "schedule-set": ["id", "when", "key"],
  "schedule-remove": ["id", "key"],
  "budget-set": ["name", "limit", "window", "key"],
  "budget-remove": ["name", "key"],
  "ballot-decide": ["id", "by", "choice"],
  "ballot-correct": ["id", "key"],
  transfer: ["to", "term"],
};
/** Of these programs may make many: noted is only what says who made it, as the command line does. */
const NEEDS_NAME: readonly string[] = ["config-set"];
/** Errors that were decided. Any other says that nothing was, or not yet. */
const REFUSALS: readonly string[] = ["conflict", "not_found", "not_permitted"];
/** Keys that are remembered (N3): repeats come within seconds. */
const MAX_KEYS = 1_024;

/** Answers commands of people as `decide` does, and notes what was decided. */
export function auditOperations(
  decide: (command: string, body: unknown) => Promise<unknown>,
  audit: Audit,
): (command: string, body: unknown) => Promise<unknown> {
  const keys = new Set<string>();

  function note(command: string, body: unknown, outcome: string): void {
    const fields = OPERATIONS[command] ?? [];
    const said = Object.entries((body ?? {}) as Record<string, unknown>).filter(([name]) =>
      fields.includes(name),
    );
    const { key, ...facts } = Object.fromEntries(said);
    if (NEEDS_NAME.includes(command) && facts.by === undefined) return;
    if (key !== undefined) {
      const own = `${command} ${key}`;
      if (keys.has(own)) return;
      keys.add(own);
      dropOldest(keys, MAX_KEYS);
    }
    audit({ kind: "operation", facts: { ...facts, command, outcome } });
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
    Object.hasOwn(OPERATIONS, command) ? decideAndNote(command, body) : decide(command, body);
}
