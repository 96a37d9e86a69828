// The process of one coordinator: the office and what listens to it, its servers, and the schedules.
import { sleep, systemChance } from "../../base/index.ts";
import {
  createBallots,
  createForeignLeaderWatch,
  createIsolationWatch,
  createOffice,
  createOfficeClient,
  createOfficeServer,
  createPauseKeeper,
  createPlacement,
  createRivalWatch,
  createScheduler,
  createStaleServer,
  findRival,
  measureBudgets,
  measurePauses,
  NO_LEADER,
} from "../../coordinator/index.ts";
import { type Audit, BALLOT_OUTCOMES, BALLOT_STRATEGIES } from "../../protocol/index.ts";
import { createTaskClient } from "../../work/index.ts";
import type { Ports } from "../cli/command.ts";
import { VERSION } from "../version.ts";
import { type Assembly, createProcessAudit, endWith, type ProcessParts, runProcess } from "./frame.ts";
import { keepMeasures } from "./measures.ts";
import type { ProbePort } from "./probe-port.ts";
import { createRunSink } from "./schedule-runs.ts";
import { awaitStreams } from "./streams.ts";

/** How long a coordinator that must stop waits for its successor, in ms; a planned change takes a few ms of it. */
const HAND_OVER_MS = 2_000;

/**
 * How often a coordinator checks its connection, in ms: it notices a dead connection within 6 s. There are few coordinators,
 * and every one counts in an election.
 */
const COORDINATOR_PING_INTERVAL_MS = 2_000;

/** The id of this coordinator, and the ids of all. */
export interface CoordinatorIdentity {
  id: string;
  members: readonly string[];
}

/** The facts for `onReady`: the base URL of the probes. */
export interface CoordinatorReady {
  probesUrl: string;
}

/** Runs one coordinator until the session's signal aborts; then it hands the office over. `port`: its probes, which listen already. */
export async function runCoordinator(
  ports: Ports,
  { identity, port }: { identity: CoordinatorIdentity; port: ProbePort },
  onReady: (facts: CoordinatorReady) => void,
): Promise<void> {
  await runProcess(ports, {
    port,
    name: "murmur-coordinator",
    role: "coordinator",
    loading: "starting",
    load: () => ({
      description: `Murmur coordinator ${identity.id} of ${identity.members.join(", ")}`,
      preparation: awaitStreams,
      prepare: (parts, tell) => waitForRivals(parts, identity, tell),
      pingIntervalMs: COORDINATOR_PING_INTERVAL_MS,
      assemble: (parts) => assembleCoordinator(parts, identity, onReady),
    }),
  });
}

/** How often a coordinator that waits looks whether its rival has gone, in ms. */
const RIVAL_WAIT_MS = 2_000;

/** Waits until no other process has the place of this coordinator: two would take the office from each other for ever. */
async function waitForRivals(
  { transport, log, signal }: Pick<ProcessParts, "transport" | "log"> & { signal: AbortSignal },
  { id, members }: CoordinatorIdentity,
  tell: (problem: string) => void,
): Promise<void> {
  const client = createOfficeClient({ transport });
  for (let isLogged = false; ; isLogged = true) {
    const rival = await findRival(
      { client, prefix: transport.prefix, id, members },
      { answersItself: false },
    );
    if (rival === null) return;
    tell(`waiting: ${rival}`);
    if (!isLogged) log.error({ alert: "rival_coordinator" }, `waiting: ${rival}`);
    await sleep(RIVAL_WAIT_MS, { signal });
  }
}

/** Builds the services of a coordinator. `findProblem` returns null while it holds the office, or knows the holder. */
export function assembleCoordinator(
  parts: ProcessParts,
  { id, members }: CoordinatorIdentity,
  onReady: (facts: CoordinatorReady) => void,
): Assembly & { findProblem(): string | null } {
  const { transport, meter, log, tracer } = parts;
  const { clock } = transport; // every coordinator decides by the same time, so a change of the office shifts no wait
  const writer = createProcessAudit(parts, "coordinator");
  meter.startAtZero({ strategy: BALLOT_STRATEGIES, outcome: [...BALLOT_OUTCOMES, "cancelled"] });
  // With the version, so that the audit log shows an upgrade: each rolling change of the coordinators changes the holder too.
  const audit: Audit = (note) => {
    const isHolder = note.kind === "office-taken";
    writer.audit(isHolder ? { kind: "office-taken", facts: { ...note.facts, version: VERSION } } : note);
  };
  const seed = Math.floor(systemChance.next() * 2 ** 32);
  const office = createOffice({ transport, clock, meter, log, audit, id, members, version: VERSION, seed });
  const client = createOfficeClient({ transport });
  const foreign = createForeignLeaderWatch({ office, client, members, log });
  const rivals = createRivalWatch({ client, prefix: transport.prefix, id, members, log });
  const findProblem = () => {
    const problem = office.findProblem();
    return problem === NO_LEADER && foreign.problem() !== null ? null : problem;
  };
  const placement = createPlacement({ transport, office, meter, log, seed: seed + 1 });
  const tasks = createTaskClient({ transport, meter, log, tracer });
  const ballots = createBallots({ transport, clock, office, placement, tasks, meter, log, tracer, audit });
  const measure = () => {
    office.measure();
    measureBudgets(office, meter);
    measurePauses(office, meter);
  };
  office.onTenure(measure); // a change of the office shows at once
  const answers = { ...placement.answers, ...ballots.answers };
  return {
    findProblem,
    services: {
      records: [...writer.services, endWith("task client", () => tasks.close())],
      listeners: [placement.service, ballots.service],
      core: [office.service],
      doors: [
        createIsolationWatch({ transport, office }),
        foreign.service,
        rivals.service,
        createStaleServer({ transport, clock, office, log }),
        createOfficeServer({ transport, clock, office, members, log, answers, audit }),
        createScheduler({ office, tasks, runs: createRunSink({ transport, tasks }), log, clock }),
        createPauseKeeper({ transport, clock, office, log }),
        keepMeasures(measure),
      ],
    },
    checks: [
      { name: "office", look: findProblem },
      { name: "rivals", look: rivals.problem },
      { name: "coordinators", look: () => foreign.problem(), isWarning: true },
    ],
    onReady: (probesUrl) => onReady({ probesUrl }),
    drain: () => office.handOver(HAND_OVER_MS),
  };
}
