// A swarm for tests of ballots: one coordinator, agents that give the answers of the test, and a client.
import { expect, onTestFinished, vi } from "vitest";
import { type AgentContext, createHost, defineAgent, type VotePort } from "../../../src/agent/index.ts";
import { createRollCall } from "../../../src/app/agents/roll-call.ts";
import { createVotes } from "../../../src/app/processes/votes.ts";
import { createMeter, newId, newInstanceId, silentLogger, utf8Bytes } from "../../../src/base/index.ts";
import type { AnswerBounds } from "../../../src/coordinator/ballots/state/bounds.ts";
import {
  type BallotInput,
  createSubjects,
  decode,
  type Evidence,
  encode,
  type Result,
  SwarmError,
  type Task,
  type TaskInput,
} from "../../../src/protocol/index.ts";
import type { Transport } from "../../../src/transport/index.ts";
import { createTaskClient, createWorker } from "../../../src/work/index.ts";
import { SOON, setupOffice } from "../support.ts";

/** Makes an agent's answer to a task. Without it an agent takes the value for its name from the input. */
export type Saying = (task: Task, ctx: AgentContext) => unknown;

/** One agent of the swarm. */
export interface Voter {
  name: string;
  model?: string;
  capability?: string;
  slots?: number;
  say?: Saying;
}

const sayFromInput =
  (name: string): Saying =>
  ({ input, question }) => {
    const answer = (input as Record<string, unknown> | undefined)?.[name];
    const round = question !== undefined && "round" in question ? question.round : 1;
    const now = isRounds(answer) ? answer.rounds[Math.min(round, answer.rounds.length) - 1] : answer;
    if (isFailure(now)) throw new Error(now.fail);
    return now;
  };

const isFailure = (answer: unknown): answer is { fail: string } =>
  typeof answer === "object" && answer !== null && "fail" in answer;
const isRounds = (answer: unknown): answer is { rounds: unknown[] } =>
  typeof answer === "object" && answer !== null && "rounds" in answer;

/** Starts the coordinator `c1` and the agents; with `nats` on a real server. */
export async function setupBallots(
  voters: readonly (Voter | string)[],
  options: { nats?: boolean; bounds?: AnswerBounds } = {},
) {
  const swarm = await setupOffice(options);
  const { bounds } = options;
  const leader = await swarm.start("c1", ["c1"], {}, bounds === undefined ? {} : { ballots: { bounds } });
  await vi.waitFor(() => expect(leader.office.tenure).not.toBeNull(), SOON);
  const transport = await swarm.connect();
  const subjects = createSubjects(transport.prefix);
  const tasks = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(() => tasks.close());
  const evidence: Evidence[] = [];
  const tap = transport.bus.subscribe(`${transport.prefix}.event.ballot.*.evidence`, ({ data }) => {
    evidence.push(decode(data).value as Evidence);
  });
  onTestFinished(() => tap.close());
  await transport.bus.flush();

  /** Starts a host with these agents and waits until the registry has them. `votes` null: the agents have no vote keys. */
  async function host(more: readonly (Voter | string)[], votes: VotePort | null = createVotes()) {
    const shared = {
      transport: await swarm.connect(),
      meter: createMeter(),
      log: silentLogger,
      hostId: newInstanceId("test"),
    };
    const roles = more.map((voter) => {
      const {
        name,
        model,
        capability = "classify",
        slots,
        say,
      } = typeof voter === "string" ? { name: voter } : voter;
      const run = say ?? sayFromInput(name);
      return {
        definition: defineAgent({
          name,
          capabilities: [capability],
          ...(model === undefined ? {} : { model }),
          ...(slots === undefined ? {} : { slots }),
          run: (task, ctx) => run(task as Task, ctx),
        }),
      };
    });
    const made = createHost({
      ...shared,
      role: "test",
      version: "1.0.0",
      roles,
      ...(votes === null ? {} : { votes }),
    });
    const worker = createWorker({ ...shared, workforce: made.workforce, capabilities: made.capabilities });
    const rollCall = createRollCall({ ...shared, status: () => made.status() });
    await made.service.start();
    await rollCall.start();
    await worker.start();
    const stop = async () => {
      await rollCall.stop();
      await worker.stop();
      await made.service.stop();
    };
    onTestFinished(stop);
    const { members } = leader.office.state.registry;
    await vi.waitFor(() => {
      const known = [...members.values()].map(({ profile }) => profile.role);
      expect(more.every((voter) => known.includes(typeof voter === "string" ? voter : voter.name))).toBe(
        true,
      );
    }, SOON);
    return { stop, meter: shared.meter };
  }
  if (voters.length > 0) await host(voters);

  return {
    leader,
    start: swarm.start,
    transport,
    subjects,
    tasks,
    /** Reads from the office. */
    office: swarm.client,
    evidence,
    host,
    /** Submits a ballot and waits for its result. */
    ask(input: unknown, ballot: BallotInput, task: Partial<TaskInput> = {}): Promise<Result> {
      const settled = { max: 0 };
      return tasks.run(
        { capability: "classify", input, ballot, retry: settled, ...task },
        { timeoutMs: 60_000 },
      );
    },
    show: (id: string) => swarm.client.read("ballot", { id }),
    /** The id of the agent of this role. */
    agentOf(role: string): string {
      const members = [...leader.office.state.registry.members.values()];
      const found = members.find(({ profile }) => profile.role === role);
      if (found === undefined) throw new Error(`no agent of role ${role} is registered`);
      return found.profile.id;
    },
    /** Publishes a task without any check, like a program in another language, and waits for its result. */
    async publishRaw(body: object | string, capability = "classify"): Promise<Result> {
      const taskId = newId();
      const { promise, resolve } = Promise.withResolvers<Result>();
      const done = transport.bus.subscribe(subjects.filters.doneOfTask(capability, taskId), ({ data }) =>
        resolve(decode(data).value as Result),
      );
      onTestFinished(() => done.close());
      await transport.bus.flush();
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const subject = subjects.task({ capability, priority: "normal", scope: "-", taskId });
      await transport.log("tasks").append(subject, utf8Bytes(text), { messageId: taskId });
      return promise;
    },
  };
}

/** A completed result, such as any program could write. */
export function resultOf(taskId: string, agent: string, output: unknown): Result {
  const at = new Date(0).toISOString();
  return {
    taskId,
    status: "completed",
    output,
    attempt: 1,
    agent,
    startedAt: at,
    finishedAt: at,
    queuedMs: 0,
    ranMs: 0,
  };
}

/** Writes a result to its subject; false when the subject has one already. */
export async function store(transport: Transport, subject: string, result: Result): Promise<boolean> {
  try {
    await transport
      .log("results")
      .append(subject, encode(result), { headers: { "Content-Type": "application/json" } });
    return true;
  } catch (error) {
    if (error instanceof SwarmError && error.code === "conflict") return false;
    throw error;
  }
}
