// A swarm for tests of ballots: one coordinator, agents that say what a test tells them, and a publisher.
import { expect, onTestFinished, vi } from "vitest";
import { type AgentContext, createHost, defineAgent, type VotePort } from "../../../src/agent/index.ts";
import { createRollCall } from "../../../src/app/agents.ts";
import { createVotes } from "../../../src/app/processes/votes.ts";
import { createMeter, newId, newInstanceId, silentLogger } from "../../../src/base/index.ts";
import type { AnswerBounds } from "../../../src/coordinator/ballots/state/bounds.ts";
import type { BallotPage } from "../../../src/coordinator/index.ts";
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

/** What an agent says to a task: the value for its name in the input, unless it is given a function. */
export type Saying = (task: Task, ctx: AgentContext) => unknown;

/** One agent: its name, and whatever is special about it. */
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
    const said = (input as Record<string, unknown> | undefined)?.[name];
    const round = question !== undefined && "round" in question ? question.round : 1;
    const now = isRounds(said) ? said.rounds[Math.min(round, said.rounds.length) - 1] : said;
    if (isFailure(now)) throw new Error(now.fail);
    return now;
  };

const isFailure = (said: unknown): said is { fail: string } =>
  typeof said === "object" && said !== null && "fail" in said;
const isRounds = (said: unknown): said is { rounds: unknown[] } =>
  typeof said === "object" && said !== null && "rounds" in said;

/** Starts coordinator `c1` and the agents; `nats`: on a real server. */
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

  /** Starts a process with these agents (`votes` null: without keys) and waits until the office knows them. */
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
    /** Reads of the office. */
    office: swarm.client,
    evidence,
    host,
    /** Hands a ballot in and waits for its result. */
    ask(input: unknown, ballot: BallotInput, task: Partial<TaskInput> = {}): Promise<Result> {
      const settled = { max: 0 };
      return tasks.run(
        { capability: "classify", input, ballot, retry: settled, ...task },
        { timeoutMs: 60_000 },
      );
    },
    show: async (id: string) => (await swarm.client.read("ballot", { id })) as unknown as BallotPage,
    /** The id of the agent of this role. */
    agentOf(role: string): string {
      const members = [...leader.office.state.registry.members.values()];
      const found = members.find(({ profile }) => profile.role === role);
      if (found === undefined) throw new Error(`no agent of role ${role} is registered`);
      return found.profile.id;
    },
    /** Publishes a task as a program in any language would, and waits for its result. */
    async publishRaw(body: object | string, capability = "classify"): Promise<Result> {
      const taskId = newId();
      const { promise, resolve } = Promise.withResolvers<Result>();
      const done = transport.bus.subscribe(subjects.filters.doneById(taskId), ({ data }) =>
        resolve(decode(data).value as Result),
      );
      onTestFinished(() => done.close());
      await transport.bus.flush();
      const text = typeof body === "string" ? body : JSON.stringify(body);
      const subject = subjects.task({ capability, priority: "normal", scope: "-", taskId });
      await transport.log("tasks").append(subject, new TextEncoder().encode(text), { messageId: taskId });
      return promise;
    },
  };
}

/** A completed result, as any program could write it. */
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

/** Writes a result where it belongs; false when one was there before. */
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
