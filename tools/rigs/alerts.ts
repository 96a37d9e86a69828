// Injects faults into a running swarm, and checks that each alert fires in its fault and only there, with a real Prometheus:
// `npm run test:alerts`. It also checks every query of every board and alert, and that every metric moves.
//
//   node tools/rigs/alerts.ts [--only NAME,NAME] [--from NAME] [--drill] [--json]       names of faults, as --help lists them

import { Coverage, type CoverageReport } from "./alerts/coverage.ts";
import { DRILLS, EXTRA, WITHOUT_DRILL } from "./alerts/drills.ts";
import {
  DRILL_DECISION_SECONDS,
  DRILL_STUCK_SECONDS,
  FAULTS,
  type Fault,
  FIRE_SECONDS,
} from "./alerts/faults.ts";
import { isInstalled } from "./alerts/monitor.ts";
import { type DrillOutcome, flyDrill } from "./alerts/pilot.ts";
import { isGood, type Outcome, runFault } from "./alerts/run.ts";
import { World } from "./alerts/world.ts";
import { readFlags, tellProgress } from "./office/flags.ts";

/** Windows and waits of the rules are this many times shorter. */
const FACTOR = 60;
/** A user without the right to send heartbeats, beside the user of all other processes. */
const SERVER_CONFIG = `authorization { users: [
  { user: all, password: all }
  { user: weak, password: weak, permissions: { publish: { deny: "murmur.heartbeat.>" } } }
] }
no_auth_user: all
`;
/** The time of a fault beside the wait for its alerts, in seconds, before one was measured: its remedy, and the quiet after it. */
const ROUND_SECONDS = 45;

const flags = readFlags("node tools/rigs/alerts.ts: each alert fires in its fault and only there.", {
  only: { type: "names", names: FAULTS.map(({ name }) => name), about: "faults" },
  drill: {
    type: "switch",
    about: "mends each fault by /v1/problems, the board Overview and the runbook alone",
  },
  from: { type: "names", names: FAULTS.map(({ name }) => name), about: "goes on with this fault" },
});
if (!isInstalled("prometheus")) {
  console.log("prometheus is not on the PATH (Debian's package prometheus has it): no alert can be checked");
  process.exit(1);
}
const first = FAULTS.findIndex(({ name }) => flags.names("from").includes(name));
const chosen = FAULTS.filter(({ name }, at) => at >= first && flags.names("only").includes(name));
const isComplete = chosen.length === FAULTS.length;
const startedMs = Date.now();
const coverage = new Coverage(FACTOR);
const outcomes: Outcome[] = [];
const drills: DrillOutcome[] = [];
let hasAlertmanager = true;
let world: { own: World; sinceMs: number } | null = null;
try {
  for (const [at, fault] of chosen.entries()) {
    const next = chosen[at + 1];
    tellProgress(
      `${at + 1}/${chosen.length} ${fault.name}: ${tellWait(fault)}; about ${minutesLeft(at)} min left`,
    );
    const outcome = await runOne(fault, next === undefined);
    outcomes.push(outcome);
    tellProgress(showOutcome(outcome));
    const drill = drills.find((each) => each.fault === fault.name);
    if (drill !== undefined) tellProgress(showDrill(drill));
  }
} finally {
  await endWorld();
}
report(coverage.report());

/** Runs one fault. A world whose fault failed, or left no way back, is replaced: the next fault must not meet its remains. */
async function runOne(fault: Fault, isLast: boolean): Promise<Outcome> {
  let beganMs = Date.now();
  try {
    world ??= { own: await startWorld(), sinceMs: Date.now() };
    beganMs = Date.now();
    hasAlertmanager = world.own.monitor.sent !== undefined;
    const drill = flags.has("drill") ? DRILLS[fault.name] : undefined;
    const mend = async (own: World) => {
      if (drill !== undefined) drills.push(await flyDrill(own, fault, drill, beganMs));
      await fault.mend(own);
      if (drill !== undefined) await own.forget(EXTRA); // the agents that its remedy started
    };
    const outcome = await runFault(world.own, fault, { isLast: isLast || fault.endsWorld === true, mend });
    if (outcome.error !== undefined || fault.endsWorld === true) await endWorld();
    return outcome;
  } catch (error) {
    await endWorld();
    return {
      fault: fault.name,
      firedAfterSeconds: null,
      listedAfterSeconds: null,
      seconds: (Date.now() - beganMs) / 1_000,
      missing: fault.fires,
      foreign: [],
      unsent: [],
      error: `no swarm for it: ${(error as Error).message}`,
    };
  }
}

function startWorld(): Promise<World> {
  return World.start({
    coordinators: 3,
    engine: true,
    factor: FACTOR,
    config: SERVER_CONFIG,
    // The drill shortens windows and keeps thresholds; these alone would need half an hour and an hour.
    edit: (rules) =>
      rules
        .replace("> 1800", `> ${DRILL_STUCK_SECONDS}`)
        .replace(
          "murmur_workflow_person_wait_seconds) > 3600",
          `murmur_workflow_person_wait_seconds) > ${DRILL_DECISION_SECONDS}`,
        ),
  });
}

async function endWorld(): Promise<void> {
  if (world === null) return;
  const { own, sinceMs } = world;
  world = null;
  await coverage
    .look(own.monitor, sinceMs)
    .catch((error: Error) => tellProgress(`queries were not looked at: ${error.message}`));
  await own.stop();
}

function tellWait({ fires, watchSeconds = 0, withinSeconds = FIRE_SECONDS }: Fault): string {
  return fires.length === 0
    ? `silence for ${watchSeconds} s`
    : `waits for ${fires.join(", ")} for at most ${withinSeconds} s`;
}

/** The time for the faults from `at` on, by the mean of the earlier faults. */
function minutesLeft(at: number): number {
  const measured = outcomes.map(({ seconds }) => seconds);
  const mean =
    measured.length === 0
      ? FIRE_SECONDS / 2 + ROUND_SECONDS
      : measured.reduce((sum, each) => sum + each, 0) / measured.length;
  return Math.ceil(((chosen.length - at) * mean) / 60);
}

function report(queries: CoverageReport): void {
  const faults = [
    ...outcomes.filter((outcome) => !isGood(outcome)).map(({ fault }) => fault),
    ...drills.flatMap(({ fault, faults: found }) => found.map((each) => `drill of ${fault}: ${each}`)),
    ...queries.refused.map((query) => `refused: ${query}`),
    ...queries.wrongUnit.map((query) => `does not fit its unit: ${query}`),
    // With some faults alone, most of the rest has no data.
    ...(isComplete ? queries.empty.map((query) => `no data: ${query}`) : []),
    ...(isComplete ? queries.unmoved.map((metric) => `did not move: ${metric}`) : []),
  ];
  const seconds = Math.round((Date.now() - startedMs) / 1_000);
  if (flags.json)
    console.log(
      JSON.stringify({
        seconds,
        isComplete,
        hasAlertmanager,
        outcomes,
        drills,
        queries,
        failed: faults.length,
      }),
    );
  else {
    console.log([...outcomes.map(showOutcome), ...drills.map(showDrill)].join("\n"));
    if (flags.has("drill"))
      for (const [fault, reason] of Object.entries(WITHOUT_DRILL))
        console.log(`no drill of ${fault}: ${reason}`);
    for (const fault of faults.slice(outcomes.filter((outcome) => !isGood(outcome)).length))
      console.log(`FAIL ${fault}`);
    const checked = queries.queries - queries.empty.length - queries.excused.length;
    console.log(
      isComplete
        ? `${checked} of ${queries.queries} queries had data; excused: ${queries.excused.length}`
        : "not checked: whether each query of the boards has data, and each metric moves, because only some faults were made",
    );
    const without = hasAlertmanager ? "" : "; Alertmanager is not installed, so its part was not checked";
    console.log(`${outcomes.length} faults in ${seconds} s, ${faults.length} failed${without}`);
  }
  process.exitCode = faults.length === 0 ? 0 : 1;
}

function showDrill({ fault, alert, told, seconds, faults }: DrillOutcome): string {
  const end = seconds === null ? "not recovered" : `recovered ${seconds.toFixed(0)} s after the page`;
  const head = `${faults.length === 0 ? "ok  " : "FAIL"} drill of ${fault}: ${alert}`;
  return `${[head, told.slice(0, 160), end, ...faults].join("; ")}`;
}

function showOutcome(outcome: Outcome): string {
  const { fault, firedAfterSeconds, listedAfterSeconds, seconds, missing, foreign, unsent, error } = outcome;
  const parts = [
    ...(firedAfterSeconds === null ? [] : [`fired after ${firedAfterSeconds.toFixed(1)} s`]),
    ...(listedAfterSeconds === null ? [] : [`a problem after ${listedAfterSeconds.toFixed(1)} s`]),
    ...(missing.length === 0 ? [] : [`missing: ${missing.join(", ")}`]),
    ...(foreign.length === 0 ? [] : [`foreign: ${foreign.join(", ")}`]),
    ...(unsent.length === 0 ? [] : [`not sent on: ${unsent.join(", ")}`]),
    ...(error === undefined ? [] : [error]),
  ];
  const told = parts.join("; ") || "silent";
  return `${isGood(outcome) ? "ok  " : "FAIL"} ${fault.padEnd(36)} ${seconds.toFixed(0).padStart(4)} s  ${told}`;
}
