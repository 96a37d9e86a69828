// Submits ballots with a known right verdict while the office changes hands, and then checks their results. Owns the voters,
// the load and the checks; the caller kills the coordinators.
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

/** The capability of the voters. */
export const VOTING = "classify";
/** The seats of a ballot. Each of the five voters gets one. */
export const SEATS = 5;
/** The most ballots that are open at a time. */
const MAX_OPEN = 32;
/** The longest time that a voter takes for its answer, in ms. It keeps ballots open while the office changes hands. */
const MAX_ANSWER_MS = 30;
/** The time limit of a ballot, in ms, over any number of elections. */
const BALLOT_TIMEOUT_MS = 120_000;

/** The voting agents; they run in this process. */
export interface Voters {
  stop(): Promise<void>;
}

/** Starts one voter for each function in `answers`; the function gives the voter's answer. */
export async function startVoters(
  transport: Transport,
  answers: readonly Parameters<typeof defineAgent>[0]["run"][],
): Promise<Voters> {
  const parts = { transport, meter: createMeter(), log: silentLogger, hostId: newInstanceId("voters") };
  const roles = answers.map((run, index) => ({
    definition: defineAgent({
      name: `voter-${index + 1}`,
      capabilities: [VOTING],
      slots: MAX_OPEN,
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

/** The findings about some ballots. In a sound run, every list is empty. */
export interface BallotsJudged {
  /** The number of ballots that ended with the right verdict. */
  right: number;
  /** The results of ballots that ended in another way. */
  different: Result[];
  /** Ballots that do not have exactly one result in the stream of results. */
  notOnce: string[];
  /** Ballots with more than one announcement of their stored result. */
  announcedTwice: string[];
  /** Ballots that asked more questions than they have seats: one seat was asked under two ids. */
  askedTwice: string[];
}

/** A load of ballots with a known right verdict: three voters give the right answer, and each of the other two a wrong one. */
export interface BallotLoad {
  /** Submits `count` ballots and resolves when all have ended. Calls `onEnded` after each, with the number that have ended. */
  run(count: number, onEnded?: (ended: number) => void): Promise<void>;
  /** The time that each ballot took, in ms. */
  readonly tookMs: readonly number[];
  /** The number of ballots that were submitted and have not ended. */
  readonly open: number;
  /** Compares the stored results with the right verdicts. Call it when all ballots have ended. */
  judge(): Promise<BallotsJudged>;
  stop(): Promise<void>;
}

/** Starts the voters and the client that submits the ballots. `connect` opens a connection for each. */
export async function startBallotLoad(
  connect: () => Promise<Transport>,
  chance: Chance,
): Promise<BallotLoad> {
  const [voting, submitting] = [await connect(), await connect()];
  const subjects = createSubjects(submitting.prefix);
  const questions = new Map<string, Set<string>>();
  const announced = new Map<string, number>();
  const results = new Map<string, { result: Result; expected: string }>();
  const tookMs: number[] = [];
  let open = 0;
  const answerAs = (voter: number) => async (task: { id: string; input: unknown; question?: unknown }) => {
    const { ballot } = task.question as { ballot: string };
    questions.set(ballot, (questions.get(ballot) ?? new Set()).add(task.id));
    await sleep(chance.next() * MAX_ANSWER_MS);
    return voter <= 3 ? rightAnswer(task.input as number) : `wrong-${voter}`;
  };
  const voters = await startVoters(voting, [1, 2, 3, 4, 5].map(answerAs));
  const tasks = createTaskClient({ transport: submitting, meter: createMeter() });
  const subscription = submitting.bus.subscribe(subjects.filters.doneOfCapability(VOTING), ({ subject }) => {
    const id = subject.slice(subject.lastIndexOf(".") + 1);
    announced.set(id, (announced.get(id) ?? 0) + 1);
  });
  await submitting.bus.flush();
  await waitForVoters(tasks);

  async function runBallot(input: number): Promise<void> {
    const id = newId();
    const startedMs = performance.now();
    open++;
    const result = await runWithRetries(tasks, { id, input });
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
      const runInTurn = async () => {
        while (begun < count) {
          await runBallot(begun++);
          onEnded?.(++ended);
        }
      };
      await Promise.all(Array.from({ length: Math.min(MAX_OPEN, count) }, runInTurn));
    },
    async judge() {
      const stored = new Map<string, number>();
      for await (const { subject } of submitting
        .log("results")
        .read({ filter: subjects.filters.allResults })) {
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
      subscription.close();
      tasks.close();
      await voters.stop();
    },
  };
}

/** The answer of the three voters that are right. */
function rightAnswer(input: number): string {
  return `label-${input % 7}`;
}

/** Resolves when the office knows all voters. Before that, a ballot would wait or be refused. */
async function waitForVoters(tasks: TaskClient): Promise<void> {
  await runWithRetries(tasks, { id: newId(), input: 0 });
}

/**
 * Runs a ballot and retries while the swarm refuses it or does not answer. All tries have one id, so they are one ballot.
 */
async function runWithRetries(
  tasks: TaskClient,
  { id, input }: { id: string; input: number },
): Promise<Result> {
  const giveUpMs = performance.now() + BALLOT_TIMEOUT_MS;
  for (;;) {
    try {
      const ballot = { seats: SEATS, strategy: "majority" } as const;
      return await tasks.run({ id, capability: VOTING, input, ballot }, { timeoutMs: BALLOT_TIMEOUT_MS });
    } catch (error) {
      if (performance.now() > giveUpMs) throw error;
      await sleep(100);
    }
  }
}
