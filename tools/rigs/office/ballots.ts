// Measures ballots under faults: kills of the leader while many ballots are open, and ballots that end without waiting for two
// slow seats. `murmur bench --scenario ballot` measures the speed without faults.
import { createMeter, seededChance, sleep } from "../../../src/base/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import {
  type BallotsJudged,
  SEATS,
  startBallotLoad,
  startVoters,
  VOTING,
} from "../../../test/support/office/ballots.ts";
import { atMost, type Figure, makeFigure } from "./figures.ts";
import { tellProgress } from "./flags.ts";
import type { World } from "./world.ts";

/** The seats that answer at once, and the time that the others would take; in ms. */
const QUICK_SEATS = 3;
const SLOW_MS = 10_000;

/**
 * Submits `ballots` and kills the leader `kills` times while some of them are open. Chance, from `seed`, picks the number of
 * ended ballots after which the leader is killed.
 */
export async function measureKills(
  { connect, leader, recover }: Pick<World, "connect" | "leader" | "recover">,
  { ballots, kills, seed, tell }: { ballots: number; kills: number; seed: number; tell(text: string): void },
): Promise<{ figures: Figure[]; judged: BallotsJudged; handedIn: number }> {
  const chance = seededChance(seed);
  const load = await startBallotLoad(connect, chance);
  const openAtKill: number[] = [];
  try {
    for (let kill = 1; kill <= kills; kill++) {
      const share = Math.floor((ballots * kill) / kills) - Math.floor((ballots * (kill - 1)) / kills);
      const killAfter = Math.floor(chance.next() * share * 0.8);
      const victim = await leader();
      let killing: Promise<void> | undefined;
      const strike = (ended: number) => {
        if (killing !== undefined || ended < killAfter) return;
        openAtKill.push(load.open);
        killing = victim.kill();
      };
      if (killAfter === 0) setTimeout(() => strike(0), 1 + chance.next() * 20);
      await load.run(share, strike);
      await killing;
      await recover();
      tell(`kill ${kill} of ${kills}: ${openAtKill.at(-1)} ballots were open; all have ended`);
    }
    const judged = await load.judge();
    return {
      figures: [
        makeFigure({ name: "ballots that were open at a kill", unit: "", values: openAtKill }),
        makeFigure({
          name: "a ballot, from submission to verdict, with kills",
          unit: "ms",
          values: load.tookMs,
        }),
      ],
      judged,
      handedIn: load.tookMs.length,
    };
  } finally {
    await load.stop();
  }
}

/** Measures ballots with three seats that agree at once and two that would take ten seconds. */
export async function measureEarlyStop(
  { connect }: Pick<World, "connect">,
  times: number,
): Promise<Figure[]> {
  let answered: number[] = [];
  let stopped: number[] = [];
  const quick = async () => {
    answered.push(performance.now());
    return "yes";
  };
  const slow = async (_task: unknown, { signal }: { signal: AbortSignal }) => {
    signal.addEventListener("abort", () => stopped.push(performance.now()), { once: true });
    await sleep(SLOW_MS, { signal });
    return "no";
  };
  const agents = Array.from({ length: SEATS }, (_, index) => (index < QUICK_SEATS ? quick : slow));
  const voters = await startVoters(await connect(), agents);
  const tasks = createTaskClient({ transport: await connect(), meter: createMeter() });
  const [verdictMs, cancelMs]: number[][] = [[], []];
  try {
    // Round 0 is a warm-up and not counted.
    for (let round = 0; round <= times; round++) {
      answered = [];
      stopped = [];
      const ballot = { seats: SEATS, strategy: "majority" } as const;
      const { status } = await tasks.run(
        { capability: VOTING, input: round, ballot },
        { timeoutMs: SLOW_MS },
      );
      const endedMs = performance.now();
      if (status !== "completed") throw new Error(`a ballot of the measurement ended as ${status}`);
      while (stopped.length < SEATS - QUICK_SEATS) await sleep(1);
      if (round === 0) continue;
      verdictMs!.push(endedMs - answered[QUICK_SEATS - 1]!);
      cancelMs!.push(Math.max(...stopped) - endedMs);
      tellProgress(`early stop ${round} of ${times}: ${verdictMs!.at(-1)!.toFixed(1)} ms`);
    }
  } finally {
    tasks.close();
    await voters.stop();
  }
  return [
    makeFigure({
      name: "from the third of five answers to the verdict",
      unit: "ms",
      values: verdictMs!,
      goal: atMost(50, "ms"),
    }),
    makeFigure({
      name: "from the verdict to the end of both other seats",
      unit: "ms",
      values: cancelMs!,
      goal: atMost(1_000, "ms"),
    }),
  ];
}
