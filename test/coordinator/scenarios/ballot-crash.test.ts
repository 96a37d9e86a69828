// The coordinator that runs a ballot is cut off before or after each of its effects on the outside, and another one takes
// office. At every such point the ballot ends with one verdict, every seat is asked once, and no task is left over.
import { expect, it, onTestFinished, vi } from "vitest";
import { defineAgent } from "../../../src/agent/index.ts";
import { createMeter, utf8Text } from "../../../src/base/index.ts";
import type { Result, TaskInput } from "../../../src/protocol/index.ts";
import type { Log, Transport } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";
import { SOON, setupOffice, startAgents } from "../support.ts";

/** An effect of a coordinator on the outside because of a ballot. */
type Effect =
  | "ballots-open"
  | "ballots-advance"
  | "ballots-end"
  | "ballots-settle"
  | "question"
  | "cancel"
  | "result";

/** The point at which the coordinator is cut off: before or after the nth such effect. */
interface Cut {
  effect: Effect;
  nth: number;
  mode: "before" | "after";
}

interface Story {
  /** The answer of each agent in a round; `never` works until it is stopped, and `deaf` even then. */
  agents: ((round: number) => string)[];
  ballot: NonNullable<TaskInput["ballot"]>;
  /** The number of questions in all. */
  questions: number;
  points: Cut[];
}

const both = (effect: Effect, nth = 1): Cut[] => [
  { effect, nth, mode: "before" },
  { effect, nth, mode: "after" },
];
const ending = [...both("ballots-end"), ...both("result"), ...both("ballots-settle")];

const STORIES: Record<string, Story> = {
  "that all five seats answer": {
    agents: [() => "cat", () => "dog", () => "cat", () => "cat", () => "dog"],
    ballot: { seats: 5, strategy: "majority" },
    questions: 5,
    points: [...both("ballots-open"), ...[1, 3, 5].flatMap((nth) => both("question", nth)), ...ending],
  },
  "whose seats debate": {
    agents: [1, 2, 3].map((agent) => (round: number) => (round === 1 ? `cat ${agent}` : "cat")),
    ballot: { seats: 3, strategy: "majority", onDisagreement: "debate" },
    questions: 6,
    points: [
      ...both("ballots-advance"),
      ...[4, 6].flatMap((nth) => both("question", nth)),
      ...both("ballots-end"),
    ],
  },
  "that ends without waiting for two seats": {
    agents: [() => "cat", () => "never", () => "cat", () => "never", () => "cat"],
    ballot: { seats: 5, strategy: "majority" },
    questions: 5,
    points: [...ending, ...both("cancel")],
  },
  "with two seats that do not stop when it ends": {
    agents: [() => "cat", () => "deaf", () => "cat", () => "deaf", () => "cat"],
    ballot: { seats: 5, strategy: "majority" },
    questions: 5,
    points: [...[1, 2, 3].flatMap((nth) => both("result", nth)), ...both("cancel", 2)],
  },
};

/** Plays a story and cuts off the first coordinator. Returns the outcome of the ballot. */
async function play({ agents, ballot }: Story, cut: Cut) {
  const swarm = await setupOffice();
  const line = new Line(cut);
  const first = await swarm.start("c1", ["c1"], {}, { transport: line.through(await swarm.connect()) });
  await vi.waitFor(() => expect(first.office.tenure).not.toBeNull(), SOON);
  const ran: string[] = [];
  await startAgents(
    await swarm.connect(),
    agents.map((answer, index) =>
      defineAgent({
        name: `agent-${index + 1}`,
        capabilities: ["classify"],
        run: async ({ id, question }, { signal }) => {
          ran.push(id);
          const reply = answer((question as { round: number }).round);
          if (reply !== "never" && reply !== "deaf") return reply;
          return new Promise((_resolve, reject) => {
            if (reply === "never") signal.addEventListener("abort", () => reject(signal.reason as Error));
          });
        },
      }),
    ),
  );
  await vi.waitFor(() => expect(first.office.state.registry.members.size).toBe(agents.length), SOON);
  const client = createTaskClient({ transport: await swarm.connect(), meter: createMeter() });
  onTestFinished(() => client.close());
  const task = { capability: "classify", id: "b1", input: "picture", ballot };
  const running = client.run(task, { timeoutMs: 30_000 });
  await vi.waitFor(() => expect(line.isCut).toBe(true), SOON);

  const second = await swarm.start("c1", ["c1"]); // its process was restarted
  const { output, verdict } = await running;
  const left = async () => {
    const { open, outbox } = second.office.state.ballots;
    const logs = [swarm.transport.log("tasks"), swarm.transport.log("placed-default")];
    const messages = (await Promise.all(logs.map((log) => log.info()))).reduce(
      (sum, info) => sum + info.messages,
      0,
    );
    return { open: open.size, outbox: outbox.size, tasks: messages };
  };
  await vi.waitFor(async () => expect(await left()).toEqual({ open: 0, outbox: 0, tasks: 0 }), SOON);
  const decided = await decisionsOf(swarm.transport);
  const results = await resultsOf(swarm.transport);
  return {
    output,
    value: verdict?.value,
    decisions: new Set(decided.map((result) => JSON.stringify(result))).size,
    isAsDecided: JSON.stringify(results.b1?.[0]) === JSON.stringify(decided[0]),
    results: results.b1?.length,
    questions: new Set(ran).size,
    runs: ran.length,
  };
}

it.each(Object.entries(STORIES))(
  "a ballot %s ends with one verdict at whatever point its coordinator is cut off",
  { timeout: 120_000 },
  async (_name, story) => {
    const outcomes = await Promise.all(
      story.points.map(async (cut) => ({ cut, ...(await play(story, cut)) })),
    );
    const { questions } = story;
    const right = { output: "cat", value: "cat", decisions: 1, isAsDecided: true, results: 1, questions };
    expect(outcomes).toEqual(story.points.map((cut) => ({ cut, ...right, runs: questions })));
  },
);

/** The connection of a coordinator, which breaks at a chosen effect: from then on nothing gets in or out. */
class Line {
  isCut = false;
  readonly #cut: Cut;
  #count = 0;

  constructor(cut: Cut) {
    this.#cut = cut;
  }

  through(transport: Transport): Transport {
    const log = (key: Parameters<Transport["log"]>[0]): Log => {
      const inner = transport.log(key);
      return {
        ...inner,
        append: (subject, data, options) =>
          this.#do(effectOf(key, data), () => inner.append(subject, data, options)),
        purge: (options) => this.#do(undefined, () => inner.purge(options)),
        tail: (options) => inner.tail({ ...options, onStored: this.#receiving(options.onStored) }),
      };
    };
    const bus: Transport["bus"] = {
      publish: (subject, ...rest) => {
        const effect = subject.includes(".cancel.") ? "cancel" : undefined;
        void this.#do(effect, async () => transport.bus.publish(subject, ...rest));
      },
      subscribe: (subject, onMessage, options) =>
        transport.bus.subscribe(subject, this.#receiving(onMessage), options),
      converse: (...args) => transport.bus.converse(...args),
      scatter: (...args) => transport.bus.scatter(...args),
      flush: () => transport.bus.flush(),
      request: (...args) => this.#do(undefined, () => transport.bus.request(...args)),
    };
    return new Proxy(transport, {
      get(target, name) {
        if (name === "log") return log;
        if (name === "bus") return bus;
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  /** Performs an effect unless the connection is cut: then the caller waits for a reply that never comes. */
  async #do<T>(effect: Effect | undefined, act: () => Promise<T>): Promise<T> {
    if (this.isCut) return new Promise(() => {});
    if (effect !== this.#cut.effect || ++this.#count !== this.#cut.nth) return act();
    this.isCut = true;
    if (this.#cut.mode === "after") await act();
    return new Promise(() => {});
  }

  #receiving<M>(onMessage: (message: M) => void): (message: M) => void {
    return (message) => {
      if (!this.isCut) onMessage(message);
    };
  }
}

function effectOf(key: string, data: Uint8Array): Effect | undefined {
  if (key.startsWith("placed-")) return "question";
  if (key === "results") return "result";
  return /"type":"(ballots-[a-z]+)"/.exec(utf8Text(data))?.[1] as Effect | undefined;
}

interface End {
  result: string;
}

/** The results of the decisions in the control log. */
async function decisionsOf(transport: Transport): Promise<Result[]> {
  const decided: Result[] = [];
  for await (const { data } of transport.log("office").read()) {
    const { commands = [] } = JSON.parse(utf8Text(data)) as {
      commands?: { command: { ends?: End[] } }[];
    };
    for (const { command } of commands)
      decided.push(...(command.ends ?? []).map(({ result }) => JSON.parse(result) as Result));
  }
  return decided;
}

/** All stored results, by task. */
async function resultsOf(transport: Transport): Promise<Record<string, Result[]>> {
  const results: Record<string, Result[]> = {};
  for await (const { data } of transport.log("results").read()) {
    const result = JSON.parse(utf8Text(data)) as Result;
    results[result.taskId] = [...(results[result.taskId] ?? []), result];
  }
  return results;
}
