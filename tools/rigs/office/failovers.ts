// Takes the office from its holder in each way, and measures the time until a coordinator answers a new command.
import { setTimeout as sleep } from "node:timers/promises";
import { CONTROL_STREAM, startOfficeRig } from "../../../test/support/office/rig.ts";
import { atMost, type Figure, type Goal, makeFigure } from "./figures.ts";
import { tellProgress } from "./flags.ts";
import { writeProbe } from "./promises.ts";
import type { World } from "./world.ts";
import { PATIENCE_MS } from "./world.ts";

const FAILOVER_GOAL: Goal = {
  text: "p50 ≤ 1000 ms, p99 ≤ 3000 ms",
  holds: ({ p50, p99 }) => p50 <= 1_000 && p99 <= 3_000,
};

/** Kills or pauses (SIGSTOP) the leader `times` times. */
export async function measureFailovers(
  { office, leader, recover }: World,
  how: "kill" | "pause",
  times: number,
): Promise<Figure> {
  const name = how === "kill" ? "kill -9 of the leader" : "SIGSTOP of the leader";
  const values = await measure(name, times, async () => {
    const victim = await leader();
    const startedMs = performance.now();
    if (how === "kill") await victim.kill();
    else victim.pause();
    await writeProbe(office);
    const tookMs = performance.now() - startedMs;
    await recover();
    return tookMs;
  });
  return makeFigure({
    name: `${name}, until a command is confirmed`,
    unit: "ms",
    values,
    goal: FAILOVER_GOAL,
  });
}

/** How long to wait for one transfer: the holder gives it up after its election timeout, and is then asked again. */
const TRANSFER_TIMEOUT_MS = 2_000;

/** Has the leader hand over `times` times. */
export async function measureTransfers({ office }: World, times: number): Promise<Figure> {
  const values = await measure("transfer", times, async () => {
    const startedMs = performance.now();
    const { term } = await office.tenure({ timeoutMs: PATIENCE_MS });
    let isOver = false;
    while (!isOver) {
      await office.transfer(undefined, { timeoutMs: PATIENCE_MS });
      const askedMs = performance.now();
      while (!isOver && performance.now() - askedMs < TRANSFER_TIMEOUT_MS)
        isOver = (await office.tenure({ timeoutMs: PATIENCE_MS })).term > term;
    }
    return performance.now() - startedMs;
  });
  const name = "planned transfer, until the successor answers";
  return makeFigure({ name, unit: "ms", values, goal: atMost(500, "ms") });
}

/** Kills the nats-server that leads the control stream `times` times, on three servers with streams of three copies. */
export async function measureServerKills(times: number): Promise<Figure> {
  const rig = await startOfficeRig();
  try {
    const values = await measure("kill -9 of the server that leads the control stream", times, async () => {
      await rig.cluster.inSync(CONTROL_STREAM);
      const leading = await rig.cluster.streamLeader(CONTROL_STREAM);
      const victim = rig.cluster.server(leading!);
      await writeProbe(rig.office); // the office has recovered
      const startedMs = performance.now();
      await victim.kill();
      await writeProbe(rig.office);
      const tookMs = performance.now() - startedMs;
      await rig.recover();
      return tookMs;
    });
    const name = "kill -9 of the nats-server that leads the control stream";
    return makeFigure({ name, unit: "ms", values, goal: atMost(10_000, "ms") });
  } finally {
    await rig.stop();
  }
}

/** A random pause between two rounds, so that they do not fall into step with a timer. */
const MAX_UNEVEN_MS = 200;

async function measure(name: string, times: number, once: () => Promise<number>): Promise<number[]> {
  const values: number[] = [];
  for (let round = 1; round <= times; round++) {
    await sleep(((round * 71) % 100) * (MAX_UNEVEN_MS / 100));
    values.push(await once());
    tellProgress(`${name} ${round} of ${times}: ${Math.round(values.at(-1)!)} ms`);
  }
  return values;
}
