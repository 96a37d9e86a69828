// Ballots whose right verdict is known, handed in while the office changes hands, and what became of them. Owns voters,
// load and judging; who kills whom is the caller's business.
import { createHost, defineAgent } from "../../../src/agent/index.ts";
import {
  type Chance,
  createMeter,
  newId,
  newInstanceId,
  silentLogger,
  sleep,
} from "../../../src/base/index.ts";
import { createSubjects, type Result } from "../../../src/protocol/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { createTaskClient, createWorker, type TaskClient } from "../../../src/work/index.ts";

/** What the voters offer. */
export const VOTING = "classify";
/** Seats of a ballot: every voter has one. */
export const SEATS = 5;
/** Ballots on their way at the same time. */
const IN_FLIGHT = 32;
/** The longest that a voter thinks, in ms: so that ballots are open when the office is taken away. */
const MAX_THINKING_MS = 30;
/** How long a ballot may take, over any number of elections. */
const PATIENCE_MS = 120_000;

/** Agents, in this process. */
export interface Voters {
  stop(): Promise<void>;
}

/** Starts one agent for each of `answers`. */
export async function startVoters(
  transport: Transport,
  answers: readonly Parameters<typeof defineAgent>[0]["run"][],
): Promise<Voters> {
  const parts = { transport, meter: createMeter(), log: silentLogger, hostId: newInstanceId("voters") };
  const roles = answers.map((run, index) => ({
    definition: defineAgent({
      name: `voter-${index + 1}`,
      capabilities: [VOTING],
      slots: IN_FLIGHT,
      run: run!,
    }),
  }));
  const host = createHost({ ...parts, role: "voters", version: "0.0.0", roles });
  const worker = createWorker({ ...parts, workforce: host.workforce, capabilities: host.capabilities });
  await host.service.start();
  await worker.start();
  return {
    async stop() {
      await worker.stop();
      await host.service.stop();
    },
  };
}

/** What was found of some ballots. All counts but the first should be 0. */
export interface BallotsJudged {
  /** Ballots that ended with the right verdict. */
  right: number;
  /** Ballots that ended with something else: the first such results. */
  different: Result[];
  /** Ballots without a result, or with several, in the stream of results. */
  notOnce: string[];
  /** Ballots whose result was announced as stored more than once. */
  announcedTwice: string[];
  /** Ballots that asked more questions than they have seats: the same seat under two ids. */
  askedTwice: string[];
}

/** A load of ballots whose right verdict is known: three voters say it, two say something else each. */
export interface BallotLoad {
  /** Hands in that many and resolves when all have ended. `onEnded` is told how many have, each time. */
  run(count: number, onEnded?: (ended: number) => void): Promise<void>;
  /** How long each took, in ms. */
  readonly tookMs: readonly number[];
  /** How many were handed in and have not ended. */
  readonly open: number;
  /** Looks at what is stored. Call it when all have ended. */
  judge(): Promise<BallotsJudged>;
  stop(): Promise<void>;
}

/** Starts the voters and whoever hands in. */
export async function startBallotLoad(
  connect: () => Promise<Transport>,
  chance: Chance,
): Promise<BallotLoad> {
  const [voting, handing] = [await connect(), await connect()];
  const subjects = createSubjects(handing.prefix);
  const questions = new Map<string, Set<string>>();
  const announced = new Map<string, number>();
  const results = new Map<string, { result: Result; expected: string }>();
  const tookMs: number[] = [];
  let open = 0;
  const say = (voter: number) => async (task: { id: string; input: unknown; question?: unknown }) => {
    const { ballot } = task.question as { ballot: string };
    questions.set(ballot, (questions.get(ballot) ?? new Set()).add(task.id));
    await sleep(chance.next() * MAX_THINKING_MS);
    return voter <= 3 ? rightAnswer(task.input as number) : `wrong-${voter}`;
  };
  const voters = await startVoters(voting, [1, 2, 3, 4, 5].map(say));
  const tasks = createTaskClient({ transport: handing, meter: createMeter() });
  const listening = handing.bus.subscribe(subjects.filters.doneOfCapability(VOTING), ({ subject }) => {
    const id = subject.slice(subject.lastIndexOf(".") + 1);
    announced.set(id, (announced.get(id) ?? 0) + 1);
  });
  await handing.bus.flush();
  await untilSeated(tasks);

  async function once(input: number): Promise<void> {
    const id = newId();
    const startedMs = performance.now();
    open++;
    const result = await runSurely(tasks, { id, input });
    open--;
    tookMs.push(performance.now() - startedMs);
    results.set(id, { result, expected: rightAnswer(input) });
  }

  return {
    tookMs,
    get open() {
      return open;
    },
    async run(count, onEnded) {
      let [begun, ended] = [0, 0];
      const lane = async () => {
        while (begun < count) {
          await once(begun++);
          onEnded?.(++ended);
        }
      };
      await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count) }, lane));
    },
    async judge() {
      const stored = new Map<string, number>();
      for await (const { subject } of handing.log("results").read({ filter: subjects.filters.allResults })) {
        const id = subject.slice(subject.lastIndexOf(".") + 1);
        stored.set(id, (stored.get(id) ?? 0) + 1);
      }
      const ids = [...results.keys()];
      const all = [...results.values()];
      const isRight = ({ result, expected }: (typeof all)[number]) =>
        result.output === expected && result.verdict?.value === expected;
      return {
        right: all.filter(isRight).length,
        different: all.filter((each) => !isRight(each)).map(({ result }) => result),
        notOnce: ids.filter((id) => stored.get(id) !== 1),
        announcedTwice: ids.filter((id) => (announced.get(id) ?? 0) > 1),
        askedTwice: ids.filter((id) => (questions.get(id)?.size ?? 0) > SEATS),
      };
    },
    async stop() {
      listening.close();
      tasks.close();
      await voters.stop();
    },
  };
}

/** What most voters say. */
function rightAnswer(input: number): string {
  return `label-${input % 7}`;
}

/** Resolves when the office knows all voters: until then a ballot would wait, or be refused. */
async function untilSeated(tasks: TaskClient): Promise<void> {
  await runSurely(tasks, { id: newId(), input: 0 });
}

/** Hands a ballot in until the swarm knows what is asked, and waits for its result. The same id twice is one ballot. */
async function runSurely(tasks: TaskClient, { id, input }: { id: string; input: number }): Promise<Result> {
  const giveUpMs = performance.now() + PATIENCE_MS;
  for (;;) {
    try {
      const ballot = { seats: SEATS, strategy: "majority" } as const;
      return await tasks.run({ id, capability: VOTING, input, ballot }, { timeoutMs: PATIENCE_MS });
    } catch (error) {
      if (performance.now() > giveUpMs) throw error;
      await sleep(100);
    }
  }
}
