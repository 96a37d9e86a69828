// Measures whether tasks keep their rate without a holder of the office: rounds with a leader alternate with rounds without
// a running coordinator, and each pair gives a ratio.
import { createMeter, silentLogger, sleep } from "../../../src/base/index.ts";
import { createTaskClient, type TaskClient } from "../../../src/work/index.ts";
import { type Figure, makeFigure } from "./figures.ts";
import { tellProgress } from "./flags.ts";
import type { World } from "./world.ts";

const TASKS = 6_000;
const IN_FLIGHT = 128;
/** A body of 256 bytes as a complete task. */
const INPUT = "x".repeat(208);
/** How long a leader's last message may be believed, in ms: longer than any election. */
const LEADERLESS_MS = 3_000;

/** Pairs of rounds. In every other pair the coordinators are killed instead of paused. */
export async function measureTaskFlow(world: World, pairs: number): Promise<Figure[]> {
  const { coordinators } = world;
  const agents = world.start("echo", ["agent", "run", "echo"]);
  const transport = await world.connect();
  const tasks = createTaskClient({ transport, meter: createMeter(), log: silentLogger });
  const [withLeader, without, ratios]: number[][] = [[], [], []];
  try {
    while (!(await isKnown(tasks))) await sleep(100);
    await runTasks(tasks); // a warm-up
    for (let pair = 1; pair <= pairs; pair++) {
      const measureWith = async () => withLeader!.push(await runTasks(tasks));
      const measureWithout = async () => {
        if (pair % 2 === 0) await Promise.all(coordinators.map((each) => each.kill()));
        else for (const each of coordinators) each.pause();
        await sleep(LEADERLESS_MS);
        without!.push(await runTasks(tasks));
        await world.recover();
      };
      // The order alternates too, so that a machine that gets slower is not blamed on one of the two.
      for (const measure of pair % 4 < 2 ? [measureWith, measureWithout] : [measureWithout, measureWith])
        await measure();
      ratios!.push(without!.at(-1)! / withLeader!.at(-1)!);
      tellProgress(
        `tasks, pair ${pair} of ${pairs}: ${withLeader!.at(-1)!.toFixed(0)}/s with a leader, ${without!.at(-1)!.toFixed(0)}/s without`,
      );
    }
  } finally {
    tasks.close();
    await agents.kill();
  }
  return [
    makeFigure({ name: "tasks with a leader", unit: "1/s", values: withLeader! }),
    makeFigure({ name: "tasks without any coordinator", unit: "1/s", values: without! }),
    makeFigure({
      ...{ name: "the second by the first, pair by pair", unit: "", values: ratios! },
      goal: { text: "median ≥ 0.95", holds: ({ p50 }) => p50 >= 0.95 },
    }),
  ];
}

/** The capability is known as soon as the agent's process runs. */
async function isKnown(tasks: TaskClient): Promise<boolean> {
  return tasks.run({ capability: "echo", input: INPUT }).then(
    () => true,
    () => false,
  );
}

/** Tasks a second, from the first submission to the last result. */
async function runTasks(tasks: TaskClient): Promise<number> {
  const startedMs = performance.now();
  let begun = 0;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (begun++ < TASKS) {
        const { status } = await tasks.run({ capability: "echo", input: INPUT });
        if (status !== "completed") throw new Error(`a task of the measurement ended as ${status}`);
      }
    }),
  );
  return TASKS / ((performance.now() - startedMs) / 1_000);
}
