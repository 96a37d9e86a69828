// The pilot of the five-minute drill. The pager names an alert; the pilot reads the problems, the board Overview and the runbook, performs the
// step, and watches the alert and the problem go. Owns the checks that these three sources name cause and remedy.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BOARDS } from "../../../grafana/src/index.ts";
import { PROBLEM_NAMES } from "../../../src/app/problems/catalogue.ts";
import { fillVariables } from "./coverage.ts";
import type { Drill, Figure } from "./drills.ts";
import type { Fault } from "./faults.ts";
import type { ShownProblem, World } from "./world.ts";

/** From the page to the recovery, in ms. */
const DRILL_MS = 300_000;
/** How long a problem may take to be listed after its alert, in ms: the alert waits longer than the problem. */
const LISTED_MS = 15_000;
const root = join(import.meta.dirname, "../../..");

/** The outcome of a drill. */
export interface DrillOutcome {
  readonly fault: string;
  readonly alert: string;
  /** The words or the values that told the cause. */
  readonly told: string;
  /** From the page to the recovery, in seconds; null when the swarm did not recover. */
  readonly seconds: number | null;
  readonly faults: readonly string[];
}

/** Flies one drill on a fault whose alert fires. Never rejects. */
export async function flyDrill(
  world: World,
  { name, fires }: Fault,
  drill: Drill,
  /** The begin of the fault, Unix ms: a graph shows the time since then. */
  beganMs: number,
): Promise<DrillOutcome> {
  const alert = fires[0] ?? "-";
  const startedMs = Date.now();
  const faults: string[] = [];
  let told = "";
  let seconds: number | null = null;
  try {
    const page = readRunbook(alert);
    if (!page.causes.includes(drill.row)) faults.push(`the runbook ${alert} names no cause "${drill.row}"`);
    if (!page.steps.includes(drill.step)) faults.push(`the runbook ${alert} has no step "${drill.step}"`);
    const problem = await findProblem(world, alert, drill.hiddenBy);
    told =
      drill.figure instanceof RegExp
        ? readCause(problem, drill.figure, faults)
        : await readPanel(world, drill.figure, { beganMs, faults });
    await drill.remedy({ world, commands: problem?.commands ?? [] });
    await world.until(
      `${alert} ends`,
      async () => {
        const firing = await world.monitor.firing();
        const listed = await world.problems().catch(() => []);
        return !firing.includes(alert) && !listed.some((each) => each.name === alert);
      },
      Math.max(0, DRILL_MS - (Date.now() - startedMs)),
    );
    seconds = (Date.now() - startedMs) / 1_000;
  } catch (error) {
    faults.push((error as Error).message);
  }
  return { fault: name, alert, told, seconds, faults };
}

/** The parts of a runbook. @throws Error when it has not all of them. */
function readRunbook(alert: string): { causes: string; steps: string } {
  const text = readFileSync(join(root, `docs/runbooks/${alert}.md`), "utf8");
  const [, causes, steps, helped] =
    /\*\*Tell the causes apart\.\*\*(.*?)\*\*Steps.*?\*\*(.*?)\*\*It helped when\*\*(.*)/s.exec(text) ?? [];
  if (causes === undefined || steps === undefined || helped === undefined)
    throw new Error(`the runbook ${alert} lacks causes, steps or the sign that they helped`);
  return { causes, steps };
}

/** The problem of an alert; undefined for an alert that is no problem. @throws Error when it is not listed. */
async function findProblem(
  world: World,
  alert: string,
  hiddenBy: string | undefined,
): Promise<ShownProblem | undefined> {
  if (!(PROBLEM_NAMES as readonly string[]).includes(alert)) return undefined;
  let found: ShownProblem | undefined;
  const look = async () => {
    const listed = await world.problems().catch(() => []);
    found = listed.find(({ name }) => name === alert || name === hiddenBy);
    return found !== undefined;
  };
  await world.until(`GET /v1/problems lists ${alert}`, look, LISTED_MS);
  return found;
}

function readCause(problem: ShownProblem | undefined, figure: RegExp, faults: string[]): string {
  if (problem !== undefined && figure.test(problem.cause)) return problem.cause;
  faults.push(
    `the problem does not tell the cause: ${problem?.cause ?? "none is listed"}; expected ${figure}`,
  );
  return problem?.cause ?? "";
}

async function readPanel(
  { monitor }: World,
  { panel, tells }: Figure,
  { beganMs, faults }: { beganMs: number; faults: string[] },
): Promise<string> {
  const overview = BOARDS.find(({ name }) => name === "overview");
  const found = overview?.rows.flatMap(({ panels }) => panels).find(({ title }) => title === panel);
  if (found === undefined) throw new Error(`the board Overview has no panel ${panel}`);
  const values: string[] = [];
  const numbers: number[] = [];
  for (const { expr } of found.queries) {
    const query = fillVariables(expr);
    // A graph shows its past as well; every other panel shows the value of now.
    const shown =
      found.kind === "lines" ? await monitor.highestSince(query, beganMs) : await monitor.query(query);
    for (const { labels, value } of shown) {
      numbers.push(value);
      values.push(`${Object.values(labels).join(" ")} ${value.toPrecision(3)}`.trim());
    }
  }
  const told = `${panel}: ${values.join(", ") || "no value"}`;
  if (!tells(numbers)) faults.push(`the Overview does not tell the cause: ${told}`);
  return told;
}
