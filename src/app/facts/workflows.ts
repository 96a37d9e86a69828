// The facts about workflows: the engines with their lanes, and the runs that wait for a person. Engines tell both from memory. Only while no
// engine answers, the logs of the runs and the stored commands are looked at.
import {
  callEngines,
  type EngineRoll,
  isEnded,
  listRuns,
  MAX_LISTED_RUNS,
  type StuckKind,
  type StuckRun,
  stuckRunOf,
} from "../../engine/index.ts";
import { createSubjects } from "../../protocol/index.ts";
import { isStreamMissing, type Transport } from "../../transport/index.ts";

/** The most stored commands that are counted by their subjects. */
const MAX_COMMANDS = 10_000;

/** The work that waits for an engine while none answers. */
export interface OrphanFacts {
  /** Runs that have not ended. */
  readonly runs: number;
  /** Stored commands, with wake-ups that came due. */
  readonly commands: number;
  /** When the oldest command was stored, Unix ms; null without one. */
  readonly oldestAtMs: number | null;
  /** True: there are more runs than were looked at. */
  readonly isCut: boolean;
}

/** The engines and the runs that do not go on by themselves. */
export interface WorkflowFacts {
  /** The engines that answered. */
  readonly engines: number;
  readonly lanes: EngineRoll["lanes"];
  /** The number of waiting runs of each kind. */
  readonly counts: Readonly<Record<StuckKind, number>>;
  /** The runs with the longest waits. */
  readonly runs: readonly StuckRun[];
  /** Null while an engine answers. */
  readonly orphans: OrphanFacts | null;
}

const NO_COUNTS = { blocked: 0, compensation_failed: 0, approval: 0 } as const;

/** Makes the reader. It remembers the logs that it looked at, until another entry is stored. */
export function createWorkflowReader(transport: Transport): () => Promise<WorkflowFacts> {
  let looked: { lastSeq: number; open: number; isCut: boolean; runs: StuckRun[] } | null = null;

  return async () => {
    const rolls = await callEngines(transport);
    if (rolls.length === 0) return readOrphans();
    looked = null;
    const counts = { ...NO_COUNTS } as Record<StuckKind, number>;
    for (const roll of rolls)
      for (const kind of Object.keys(counts) as StuckKind[]) counts[kind] += roll.counts[kind] ?? 0;
    return {
      engines: rolls.length,
      lanes: rolls.flatMap(({ lanes }) => lanes),
      counts,
      runs: byAge(rolls.flatMap(({ runs }) => runs)),
      orphans: null,
    };
  };

  async function readOrphans(): Promise<WorkflowFacts> {
    try {
      const { lastSeq, messages } = await transport.log("workflows").info();
      if (looked?.lastSeq !== lastSeq)
        looked = { lastSeq, ...(messages === 0 ? NO_LOGS : await lookAtLogs()) };
      const commands = await countCommands();
      const { runs, open, isCut } = looked;
      return {
        ...{ engines: 0, lanes: [], counts: countKinds(runs), runs },
        orphans: { runs: open, isCut, ...commands },
      };
    } catch (error) {
      if (!isStreamMissing(error)) throw error;
      return { engines: 0, lanes: [], counts: NO_COUNTS, runs: [], orphans: null }; // a swarm without workflows
    }
  }

  async function lookAtLogs() {
    const list = await listRuns(transport, {}, MAX_LISTED_RUNS);
    const open = list.runs.filter(({ state }) => !isEnded(state));
    const runs = byAge(open.flatMap((run) => stuckRunOf(run, run.atMs) ?? []));
    return { open: open.length, isCut: list.isCut || list.fitting > list.runs.length, runs };
  }

  async function countCommands(): Promise<Pick<OrphanFacts, "commands" | "oldestAtMs">> {
    const log = transport.log("flow");
    const filter = createSubjects(transport.prefix).filters.allCommands;
    const counts = await log.subjects(filter, { max: MAX_COMMANDS });
    let commands = 0;
    for (const count of counts.values()) commands += count;
    if (commands === 0) return { commands, oldestAtMs: null };
    for await (const { storedAtMs } of log.read({ filter, limit: 1 }))
      return { commands, oldestAtMs: storedAtMs };
    return { commands, oldestAtMs: null };
  }
}

const NO_LOGS = { open: 0, isCut: false, runs: [] };

function byAge(runs: readonly StuckRun[]): StuckRun[] {
  return runs.toSorted((one, other) => one.sinceMs - other.sinceMs || (one.id < other.id ? -1 : 1));
}

function countKinds(runs: readonly StuckRun[]): Record<StuckKind, number> {
  const counts = { ...NO_COUNTS } as Record<StuckKind, number>;
  for (const { kind } of runs) counts[kind]++;
  return counts;
}
