// Injects faults into a running swarm, and checks that each alert fires in its fault and only there, with a real Prometheus:
// `npm run test:alerts`. It also checks every query of every board, and that every metric moves.
//
//   node tools/rigs/alerts.ts [--only NAME,NAME] [--json]       names of faults, as --help lists them

import { findBadQueries, findUnmoved } from "./alerts/boards.ts";
import { DRILL_STUCK_SECONDS, FAULTS } from "./alerts/faults.ts";
import { isInstalled } from "./alerts/monitor.ts";
import { type Outcome, runFault } from "./alerts/run.ts";
import { World } from "./alerts/world.ts";
import { readFlags } from "./office/flags.ts";

/** Windows and waits of the rules are this many times shorter. */
const FACTOR = 60;
/** A user without the right to send heartbeats, beside the user of all other processes. */
const SERVER_CONFIG = `authorization { users: [
  { user: all, password: all }
  { user: weak, password: weak, permissions: { publish: { deny: "murmur.heartbeat.>" } } }
] }
no_auth_user: all
`;

const flags = readFlags("node tools/rigs/alerts.ts: each alert fires in its fault and only there.", {
  only: { type: "names", names: FAULTS.map(({ name }) => name), about: "faults" },
});
if (!isInstalled("prometheus")) {
  console.log("prometheus is not on the PATH (Debian's package prometheus has it): no alert can be checked");
  process.exit(1);
}
const chosen = flags.names("only");
const isComplete = chosen.length === FAULTS.length;
const startedMs = Date.now();
const world = await World.start({
  coordinators: 3,
  factor: FACTOR,
  config: SERVER_CONFIG,
  // The drill shortens windows and keeps thresholds; this one alone would need half an hour.
  edit: (rules) => rules.replace("> 1800", `> ${DRILL_STUCK_SECONDS}`),
});
const outcomes: (Outcome & { error?: string })[] = [];
let unmoved: string[] = [];
let badQueries: string[] = [];
try {
  const faults = FAULTS.filter(({ name }) => chosen.includes(name));
  for (const fault of faults) {
    const outcome = await runFault(world, fault, fault === faults.at(-1)).catch((error: Error) => ({
      ...{ fault: fault.name, firedAfterSeconds: null, missing: fault.fires, foreign: [], unsent: [] },
      error: error.message,
    }));
    outcomes.push(outcome);
    if (!flags.json) console.log(showOutcome(outcome));
  }
  const { refused, empty } = await findBadQueries(world.monitor, startedMs);
  badQueries = isComplete ? [...refused, ...empty] : refused;
  if (isComplete) unmoved = await findUnmoved(world.monitor, startedMs);
} finally {
  await world.stop();
}
const failed = outcomes.filter((outcome) => !isGood(outcome)).length + badQueries.length + unmoved.length;
const report = {
  seconds: Math.round((Date.now() - startedMs) / 1_000),
  outcomes,
  badQueries,
  unmoved,
  failed,
};
if (flags.json) console.log(JSON.stringify(report));
else {
  for (const query of badQueries) console.log(`FAIL query ${query}`);
  for (const metric of unmoved) console.log(`FAIL ${metric} did not move`);
  console.log(
    isComplete
      ? ""
      : "not checked: whether each query of the boards has data, and each metric moves, because only some faults were made",
  );
  const alertmanager =
    world.monitor.sent === undefined ? "; Alertmanager is not installed, so its part was not checked" : "";
  console.log(`${outcomes.length} faults in ${report.seconds} s, ${failed} failed${alertmanager}`);
}
process.exitCode = failed === 0 ? 0 : 1;

function showOutcome(outcome: Outcome & { error?: string }): string {
  const { fault, firedAfterSeconds, missing, foreign, unsent, error } = outcome;
  const parts = [
    ...(firedAfterSeconds === null ? [] : [`fired after ${firedAfterSeconds.toFixed(1)} s`]),
    ...(missing.length === 0 ? [] : [`missing: ${missing.join(", ")}`]),
    ...(foreign.length === 0 ? [] : [`foreign: ${foreign.join(", ")}`]),
    ...(unsent.length === 0 ? [] : [`not sent on: ${unsent.join(", ")}`]),
    ...(error === undefined ? [] : [error]),
  ];
  return `${isGood(outcome) ? "ok  " : "FAIL"} ${fault}: ${parts.join("; ") || "silent"}`;
}

function isGood(outcome: Outcome & { error?: string }): boolean {
  const { missing, foreign, unsent, error } = outcome;
  return error === undefined && [missing, foreign, unsent].every(({ length }) => length === 0);
}
