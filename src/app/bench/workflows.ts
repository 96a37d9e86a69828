// The scenario `workflows`: runs of five steps against a loop that makes the same appends, publishes, pulls and acks. One engine, one agent that
// answers at once, and one process that starts the runs and waits for their ends.
import { alternate } from "./comparison.ts";
import { type BenchFigure, STEPS_PER_RUN } from "./figure.ts";
import { PairedFigures } from "./paired-figures.ts";
import type { ScenarioTools } from "./scenario.ts";

/** The number of runs in flight. */
const RUNS_IN_FLIGHT = 128;

/** Measures runs of five steps: many in flight against the bare loop, and one alone against five plain tasks. */
export async function measureWorkflows(tools: ScenarioTools): Promise<BenchFigure[]> {
  const { names, open, serverPid } = tools;
  const [bareEngine, bareAgent, bare, engine, agent, publisher] = await Promise.all([
    open("bare-engine", names.bare, { inFlight: RUNS_IN_FLIGHT }),
    open("bare-agent", names.bare),
    open("bare-publisher", names.bare),
    open("engine", names.murmur),
    open("agent", names.murmur),
    open("publisher", names.murmur),
  ]);
  const scenario = "workflows" as const;
  const count = Math.max(RUNS_IN_FLIGHT, Math.floor(tools.tasks / 10));
  const many = await alternate(
    tools,
    {
      order: { op: "workflows", count, inFlight: RUNS_IN_FLIGHT },
      figure: {
        scenario,
        name: `runs of ${STEPS_PER_RUN} steps, ${RUNS_IN_FLIGHT} in flight`,
        unit: "runs/s",
        goal: "≥ 0.5 × bare",
      },
      read: ({ seconds }) => count / seconds,
      met: (ratio) => ratio >= 0.5,
      cpu: { jobs: count, job: "run", worker: { name: "engine and agent" } },
    },
    {
      bare: { publisher: bare, serving: [bareEngine, bareAgent], serverPid },
      murmur: { publisher, serving: [engine, agent], serverPid },
    },
  );
  return [...many, await measureAlone(tools, publisher, Math.max(20, Math.floor(count / 50)))];
}

/** The median time of a run alone, against five plain tasks of Murmur one after the other. */
async function measureAlone(
  { rounds, onProgress }: Pick<ScenarioTools, "rounds" | "onProgress">,
  publisher: Awaited<ReturnType<ScenarioTools["open"]>>,
  count: number,
): Promise<BenchFigure> {
  const alone = new PairedFigures();
  for (let round = 0; round <= rounds; round++) {
    onProgress(`runs one at a time: round ${round} of ${rounds}`);
    const tasks = await publisher.ask({ op: "tasks", count: count * STEPS_PER_RUN, inFlight: 1 });
    const runs = await publisher.ask({ op: "workflows", count, inFlight: 1 });
    if (round > 0) alone.add(runs.medianMs, tasks.medianMs * STEPS_PER_RUN);
  }
  return alone.figure(
    {
      scenario: "workflows",
      name: `a run of ${STEPS_PER_RUN} steps alone, median (bare: ${STEPS_PER_RUN} tasks)`,
      unit: "ms",
      goal: "≤ 1.6 × the tasks",
    },
    (ratio) => ratio <= 1.6,
  );
}
