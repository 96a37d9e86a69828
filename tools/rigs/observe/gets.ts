// The time of a GET while an api process answers 200 a second, on each kind of resource.
import { sleep } from "../../../src/base/index.ts";
import { type Figure, makeFigure } from "../office/figures.ts";
import { tellProgress } from "../office/flags.ts";
import { cpuSeconds, ObservedSwarm, until } from "./world.ts";

const GET_GOAL_MS = 50;

/** Sends `perSecond` GETs for `seconds`, in open loop: a slow answer delays no other request. */
export async function measureGets({
  perSecond,
  seconds,
}: {
  perSecond: number;
  seconds: number;
}): Promise<Figure[]> {
  const swarm = await ObservedSwarm.start(["coordinator", "api", "agent"]);
  try {
    const base = swarm.url("api");
    let taskId = "";
    await until("a task ends", async () => {
      const answer = await fetch(`${base}/v1/tasks?wait=5000`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ capability: "echo", input: {} }),
      });
      taskId = ((await answer.json()) as { taskId?: string }).taskId ?? "";
      return answer.status === 200;
    });
    const paths = [
      `/v1/tasks/${taskId}`,
      "/v1/problems",
      "/v1/queues",
      "/v1/budgets",
      "/v1/agents",
      "/healthz",
    ];
    const known: string[] = [];
    for (const path of paths) if ((await fetch(`${base}${path}`)).status === 200) known.push(path);
    tellProgress(`GETs of ${known.join(", ")}`);
    const times = new Map<string, number[]>(known.map((path) => [path, []]));
    let failed = 0;
    const pending: Promise<void>[] = [];
    const before = cpuSeconds(swarm.process("api").pid);
    const startedMs = performance.now();
    for (let sent = 0; sent < perSecond * seconds; sent++) {
      const path = known[sent % known.length] ?? "/healthz";
      pending.push(
        timeGet(`${base}${path}`).then((ms) => {
          if (ms === null) failed++;
          else times.get(path)?.push(ms);
        }),
      );
      const dueMs = startedMs + ((sent + 1) * 1_000) / perSecond;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
    }
    await Promise.all(pending);
    const cpu = ((cpuSeconds(swarm.process("api").pid) - before) * 1e6) / (perSecond * seconds);
    const goal = { text: `p99 ≤ ${GET_GOAL_MS} ms`, holds: ({ p99 }: { p99: number }) => p99 <= GET_GOAL_MS };
    return [
      makeFigure({
        name: `GET at ${perSecond}/s, all`,
        unit: "ms",
        values: [...times.values()].flat(),
        goal,
      }),
      ...[...times].map(([path, values]) =>
        makeFigure({ name: `  ${path.replace(taskId, "{id}")}`, unit: "ms", values, goal }),
      ),
      makeFigure({ name: "CPU of the api process", unit: "µs a GET", values: [cpu] }),
      makeFigure({
        ...{ name: "GETs without an answer of status 200", unit: "requests", values: [failed] },
        goal: { text: "0", holds: ({ max }) => max === 0 },
      }),
    ];
  } finally {
    await swarm.stop();
  }
}

/** The time of one GET in ms; null without an answer of status 200. */
async function timeGet(url: string): Promise<number | null> {
  const startedMs = performance.now();
  const answer = await fetch(url).catch(() => null);
  if (answer === null) return null;
  await answer.arrayBuffer();
  return answer.status === 200 ? performance.now() - startedMs : null;
}
