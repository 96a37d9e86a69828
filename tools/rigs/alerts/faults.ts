// The faults of the drill: each says which alerts must fire, which may fire with them, and how it is made and mended. An alert that is in
// neither list of a fault fails the drill. The times are real: a threshold of 60 s takes 60 s here as well.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { callRoll } from "../../../src/app/agents/roll-call.ts";
import { sleep } from "../../../src/base/index.ts";
import { createSubjects, encode, streamName } from "../../../src/protocol/index.ts";
import type { World } from "./world.ts";

/** One fault. */
export interface Fault {
  readonly name: string;
  /** The alerts that must fire. */
  readonly fires: readonly string[];
  /** Alerts that the same fault may cause as well, by the speed of the machine or by the shortened windows. */
  readonly mayFire?: readonly string[];
  /** The names of the problems that tell the fault in `GET /v1/problems`, one of them; default: the alerts that must fire. */
  readonly lists?: readonly string[];
  /** True once the fault is there; default: at the end of `inject`. The time until its problem counts from here. */
  hasBegun?(world: World): Promise<boolean>;
  /** The longest time until the alerts fire, in seconds; default {@link FIRE_SECONDS}. */
  readonly withinSeconds?: number;
  /** For a fault without alerts: how long the silence is watched, in seconds. */
  readonly watchSeconds?: number;
  inject(world: World): Promise<void>;
  /** Is called again and again until the alerts fire. */
  keep?(world: World): Promise<void>;
  mend(world: World): Promise<void>;
  /** True: the swarm cannot be used after it. */
  readonly endsWorld?: true;
}

/** The default of {@link Fault.withinSeconds}. */
export const FIRE_SECONDS = 60;
const MIB = 2 ** 20;
/** The threshold of MurmurWorkflowWaitsForPerson in the drill, in seconds: an hour divided by the factor. */
export const DRILL_DECISION_SECONDS = 60;
/** The threshold of MurmurAgentsStuck in the drill, in seconds: half an hour divided by the factor. */
export const DRILL_STUCK_SECONDS = 30;

const none = async () => undefined;
const failing = { input: { $fail: "terminal" }, retry: { max: 0 } };
const many = (world: World, count: number, task: Parameters<World["submit"]>[0]) =>
  Promise.all(Array.from({ length: count }, () => world.submit(task)));

/** The stopper of a thing that a fault has started, by the fault's name. */
const stoppers = new Map<string, () => Promise<unknown>>();
const stopOf = (name: string) => async () => {
  await stoppers.get(name)?.();
  stoppers.delete(name);
};

/** The ids of tasks that hold slots until the fault is mended. */
const held = new Set<string>();
async function hold(world: World, count: number, task: Parameters<World["submit"]>[0]): Promise<void> {
  for (const { body } of await many(world, count, task)) {
    if (body.taskId === undefined)
      throw new Error(`a task of the fault was refused: ${JSON.stringify(body)}`);
    held.add(body.taskId);
  }
}
async function release(world: World): Promise<void> {
  await Promise.all([...held].map((id) => world.cancel(id)));
  held.clear();
}

/** The run of a workflow that a fault has started, by the fault's name. */
const runs = new Map<string, string>();
function note(fault: string, run: string | null): void {
  if (run === null) throw new Error("no engine answers");
  runs.set(fault, run);
}
const noted = (fault: string) => runs.get(fault) ?? "-";

/** Ends the agent of the rig, and removes its tasks: the next fault must not meet them. */
async function endOdd(world: World): Promise<void> {
  await release(world);
  await world.forget("odd");
  await world.command("task", "purge", "--capability", "odd", "--yes");
}

/** Asks JetStream. @throws Error with its description. */
async function askJetStream(world: World, subject: string, body: object): Promise<Record<string, unknown>> {
  const transport = await world.transport();
  const reply = await transport.bus.request(
    `$JS.API.${subject}`,
    new TextEncoder().encode(JSON.stringify(body)),
    {
      timeoutMs: 5_000,
    },
  );
  const answer = JSON.parse(new TextDecoder().decode(reply.data)) as { error?: { description: string } };
  if (answer.error !== undefined) throw new Error(`${subject}: ${answer.error.description}`);
  return answer as Record<string, unknown>;
}

/** Gives the stream of tasks another limit; returns the earlier one. */
async function limitTasks(world: World, maxBytes: number): Promise<number> {
  const stream = streamName("murmur", "TASKS");
  const { config } = (await askJetStream(world, `STREAM.INFO.${stream}`, {})) as {
    config: { max_bytes: number };
  };
  await askJetStream(world, `STREAM.UPDATE.${stream}`, { ...config, max_bytes: maxBytes });
  return config.max_bytes;
}

/** Pauses the consumer of the movers until a time, Unix ms; a time in the past ends the pause. */
export async function pauseMover(world: World, untilMs: number): Promise<void> {
  const pause_until = new Date(untilMs).toISOString();
  await askJetStream(world, `CONSUMER.PAUSE.${streamName("murmur", "LATER")}.mover`, { pause_until });
}

/** A write of the office, with a key of its own. */
const writeOffice = (world: World, command: string, body: object) =>
  askOffice(world, command, { key: randomUUID(), ...body });

/** A request to the holder of the office. */
async function askOffice(world: World, command: string, body: object): Promise<void> {
  const transport = await world.transport();
  const subject = createSubjects("murmur").office(command);
  await transport.bus.request(subject, encode(body), { timeoutMs: 5_000 });
}

/** All faults, the cheap ones first. */
export const FAULTS: readonly Fault[] = [
  { name: "quiet", fires: [], watchSeconds: 60, inject: none, mend: none },
  {
    name: "mixed load", // no fault: everything that a swarm does, so that every query has data
    fires: [],
    watchSeconds: 20,
    inject: async (world) => {
      await world.start("traced", ["agent", "run", "echo"], {
        OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:9", // no collector: its spans are dropped
        OTEL_BSP_SCHEDULE_DELAY: "500",
      });
      await world.startOdd();
      await many(world, 40, {});
      await many(world, 4, { notBefore: 2_000 });
      const retry = { max: 1, backoffMs: 100 };
      await many(world, 4, { capability: "odd", input: { how: "flaky" }, retry });
      await many(world, 4, { ballot: { seats: 1, strategy: "majority" } });
      await many(world, 4, { route: "best" });
      await world.submit({ capability: "odd", input: { how: "step" } });
      await world.submit({ input: "x".repeat(MIB) });
      await writeOffice(world, "budget-set", { name: "mixed", limit: { usd: 10 } });
      await writeOffice(world, "budget-reserve", { name: "mixed", amount: { usd: 1 }, ttlMs: 5_000 });
      for (let run = 0; run < 3; run++) await world.run("sound");
      await world.run("slow");
      const { body } = await world.submit({ input: { $sleepMs: 6_000 } });
      await world.follow(body.taskId ?? "-", 4_000);
    },
    mend: async (world) => {
      await world.forget("traced");
      await endOdd(world);
    },
  },
  {
    name: "one process killed",
    fires: [],
    watchSeconds: 15,
    inject: async (world) => {
      await world.process("echo").kill();
      world.process("echo").start();
    },
    mend: none,
  },
  {
    name: "dead letter",
    fires: ["MurmurDeadLettersGrowing"],
    inject: async (world) => void (await world.submit(failing)),
    mend: none,
  },
  {
    name: "few tasks, most of them fail",
    fires: ["MurmurTasksFailingSteadily", "MurmurDeadLettersGrowing"],
    inject: async (world) => {
      for (let task = 0; task < 6; task++) {
        await world.submit(failing, "wait=5000");
        await sleep(500);
      }
    },
    mend: none,
  },
  {
    name: "many tasks fail",
    fires: ["MurmurTaskErrorBudgetBurn", "MurmurDeadLettersGrowing"],
    mayFire: ["MurmurTasksFailingSteadily"],
    inject: none,
    keep: async (world) => void (await many(world, 10, failing)),
    mend: none,
  },
  {
    name: "a pause",
    fires: [],
    watchSeconds: 75, // longer than the alert about absent agents waits
    inject: async (world) => {
      await world.post("/v1/capabilities/echo/pause");
      await many(world, 3, {});
    },
    mend: async (world) => void (await world.post("/v1/capabilities/echo/resume")),
  },
  {
    name: "late starts",
    fires: ["MurmurQueueWaitBudgetBurn"],
    mayFire: ["MurmurQueueGrowing"],
    inject: async (world) => {
      await world.post("/v1/capabilities/echo/pause");
      await many(world, 80, { priority: "urgent" });
      await sleep(7_000); // the objective of urgent tasks is 5 s
      await world.post("/v1/capabilities/echo/resume");
    },
    mend: none,
  },
  {
    name: "all slots in use",
    fires: ["MurmurSlotsSaturated"],
    mayFire: ["MurmurQueueWaitBudgetBurn"],
    inject: async (world) => hold(world, 10, { priority: "urgent", input: { $sleepMs: 60_000 } }),
    mend: release,
  },
  {
    name: "a growing queue",
    fires: ["MurmurQueueGrowing"],
    mayFire: ["MurmurSlotsSaturated"],
    inject: async (world) => hold(world, 60, { priority: "low", input: { $sleepMs: 60_000 } }),
    mend: release,
  },
  {
    name: "an agent hangs",
    fires: ["MurmurAgentsStuck"],
    withinSeconds: 90,
    inject: async (world) => {
      await world.startOdd(); // alone on its agent: a turn of another slot is progress of the agent
      await hold(world, 1, { capability: "odd", input: { how: "hang" }, timeoutMs: 600_000 });
    },
    mend: endOdd,
  },
  {
    name: "an event loop is blocked",
    fires: ["MurmurTargetDown"],
    mayFire: ["MurmurDeadLettersGrowing", "MurmurCapabilityWithoutAgents"],
    inject: async (world) => hold(world, 1, { input: { $fail: "block" }, retry: { max: 0 } }),
    mend: async (world) => {
      await release(world); // before the process is there again, or the task would block it anew
      await world.process("echo").kill();
      world.process("echo").start();
    },
  },
  {
    name: "agents given up",
    fires: ["MurmurAgentsGivenUp"],
    mayFire: [
      "MurmurDeadLettersGrowing",
      "MurmurTasksFailingSteadily",
      "MurmurTaskErrorBudgetBurn",
      "MurmurQueueGrowing",
    ],
    inject: (world) => world.startOdd(),
    keep: async (world) =>
      void (await many(world, 4, { capability: "odd", input: { how: "crash" }, retry: { max: 0 } })),
    // An agent uses up its restarts first, with longer and longer waits.
    hasBegun: async (world) =>
      (await callRoll(await world.transport())).some(({ state }) => state === "failed"),
    mend: endOdd,
  },
  {
    name: "agents wait for a model",
    fires: ["MurmurWaitingOnModel"],
    mayFire: ["MurmurSlotsSaturated", "MurmurQueueWaitBudgetBurn"],
    inject: async (world) => {
      await world.startOdd();
      await hold(world, 4, { capability: "odd", priority: "urgent", input: { how: "model", ms: 300_000 } });
    },
    mend: endOdd,
  },
  {
    name: "no agent of a capability",
    fires: ["MurmurCapabilityWithoutAgents"],
    withinSeconds: 120,
    inject: async (world) => {
      await world.process("echo").stop();
      await world.submit({});
    },
    mayFire: ["MurmurTargetDown", "MurmurQueueWaitBudgetBurn"],
    mend: async (world) => world.process("echo").start(),
  },
  {
    name: "a process away",
    fires: ["MurmurTargetDown"],
    inject: async (world) => {
      await world.start("second", ["agent", "run", "echo"]);
      await world.untilScraped();
      await world.process("second").kill();
    },
    mend: (world) => world.forget("second"),
  },
  {
    name: "no coordinator",
    fires: ["MurmurOfficeVacant"],
    mayFire: ["MurmurTargetDown"],
    inject: async (world) => void (await Promise.all(world.coordinators.map((each) => each.kill()))),
    mend: (world) => world.startCoordinators(),
  },
  {
    name: "leaders killed in a row",
    fires: [], // an election takes a second or more, so fewer than eight fit into the shortened window
    watchSeconds: 30,
    mayFire: ["MurmurOfficeVacant", "MurmurTargetDown", "MurmurOfficeLogLag", "MurmurOfficeFlapping"],
    inject: none,
    keep: async (world) => {
      const { leader } = await (await world.office()).tenure({ timeoutMs: 20_000 });
      const process = world.coordinators.find(({ id }) => id === leader);
      await process?.kill();
      process?.start();
    },
    mend: (world) => world.startCoordinators(),
  },
  {
    name: "the office moves again and again",
    fires: ["MurmurOfficeFlapping"],
    mayFire: ["MurmurOfficeVacant"],
    inject: none,
    keep: async (world) => {
      await (await world.office()).tenure({ timeoutMs: 20_000 });
      await askOffice(world, "transfer", {}).catch(() => undefined); // between two holders: the next call asks again
    },
    mend: none,
  },
  {
    name: "NATS stopped",
    fires: ["MurmurNatsUnreachable"],
    mayFire: ["MurmurOfficeVacant", "MurmurFactsStale", "MurmurTargetDown"],
    inject: (world) => world.nats.kill(),
    mend: (world) => world.startNats(),
  },
  {
    name: "NATS hangs",
    fires: ["MurmurFactsStale"],
    mayFire: ["MurmurNatsUnreachable", "MurmurOfficeVacant", "MurmurCommitSlow"],
    lists: ["MurmurNatsUnreachable"], // nothing else is known then
    inject: async (world) => void process.kill(world.nats.pid, "SIGSTOP"),
    mend: async (world) => void process.kill(world.nats.pid, "SIGCONT"),
  },
  {
    name: "a stream almost full",
    fires: ["MurmurStreamAlmostFull"],
    inject: async (world) => {
      await world.post("/v1/capabilities/echo/pause");
      const before = await limitTasks(world, MIB);
      stoppers.set("a stream almost full", () => limitTasks(world, before));
      await hold(world, 20, { input: "x".repeat(0.92 * (MIB / 20)) });
    },
    mend: async (world) => {
      await stopOf("a stream almost full")();
      await release(world);
      await world.post("/v1/capabilities/echo/resume");
    },
  },
  {
    name: "no mover",
    fires: ["MurmurDelayedTasksLate"],
    withinSeconds: 90,
    inject: async (world) => {
      await pauseMover(world, Date.now() + 600_000);
      await world.submit({ notBefore: 1_000 });
    },
    mend: (world) => pauseMover(world, Date.now() - 1_000),
  },
  {
    name: "two versions",
    fires: ["MurmurVersionSkew"],
    withinSeconds: 120,
    inject: async (world) => {
      // A process of another version, by the one metric that tells it.
      const port = await world.addForeign();
      const server = createServer((_, response) =>
        response
          .setHeader("Content-Type", "text/plain; version=0.0.4")
          .end('murmur_build_info{version="0.0.1",role="agent",swarm="murmur"} 1\nmurmur_nats_connected 1\n'),
      );
      await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
      stoppers.set("two versions", () => new Promise((resolve) => server.close(resolve)));
    },
    mend: async (world) => {
      world.removeForeign();
      await stopOf("two versions")();
    },
  },
  {
    name: "a missing right",
    fires: ["MurmurPermissionViolations"],
    mayFire: ["MurmurCapabilityWithoutAgents"],
    inject: async (world) =>
      void (await world.start("weak", ["agent", "run", "echo"], {
        MURMUR_SERVER: world.nats.url.replace("//", "//weak:weak@"),
      })),
    mend: (world) => world.forget("weak"),
  },
  {
    name: "a step waits for a person",
    fires: ["MurmurTaskWaitsForPerson"],
    mayFire: ["MurmurTargetDown"],
    inject: async (world) => {
      await world.startOdd();
      await hold(world, 1, { capability: "odd", input: { how: "once" } });
      await sleep(3_000);
      await world.process("odd").kill(); // within the step: its end is never told
      world.process("odd").start();
    },
    mend: endOdd,
  },
  {
    name: "a run of a workflow is blocked",
    fires: ["MurmurWorkflowStalled"],
    inject: async (world) => note("a run of a workflow is blocked", await world.run("twice")),
    mend: (world) => world.cancelRun(noted("a run of a workflow is blocked")),
  },
  {
    name: "no engine",
    fires: ["MurmurWorkflowStalled"],
    mayFire: ["MurmurTargetDown"],
    inject: async (world) => {
      await world.run("slow"); // its wake-up comes due without an engine
      await world.process("engine").kill();
    },
    mend: (world) => world.startEngine(),
  },
  {
    name: "a compensation fails",
    fires: ["MurmurCompensationFailed"],
    mayFire: ["MurmurDeadLettersGrowing", "MurmurTasksFailingSteadily"],
    inject: async (world) => {
      await world.startOdd();
      note("a compensation fails", await world.run("half"));
    },
    mend: async (world) => {
      const path = `/v1/workflows/${noted("a compensation fails")}/resume`;
      await world.post(path, { skip: "book", note: "the rig undid it by hand" });
      await endOdd(world);
    },
  },
  {
    name: "a run waits for a person",
    fires: ["MurmurWorkflowWaitsForPerson"],
    withinSeconds: 120,
    inject: async (world) => note("a run waits for a person", await world.run("asked")),
    mend: async (world) =>
      void (await world.post(`/v1/workflows/${noted("a run waits for a person")}/approve`, {
        approval: "go",
        as: "ops",
      })),
  },
  {
    name: "ballots without a quorum",
    fires: ["MurmurNoQuorum"],
    mayFire: ["MurmurTasksFailingSteadily", "MurmurTaskErrorBudgetBurn", "MurmurDeadLettersGrowing"],
    inject: async (world) =>
      void (await many(world, 4, {
        input: { $fail: "terminal" },
        retry: { max: 0 },
        ballot: { seats: 1, strategy: "majority" },
      })),
    mend: none,
  },
  {
    name: "a budget nearly spent",
    fires: ["MurmurBudgetNearlySpent"],
    inject: async (world) => {
      await writeOffice(world, "budget-set", { name: "drill", limit: { calls: 100 } });
      await writeOffice(world, "budget-reserve", { name: "drill", amount: { calls: 95 }, ttlMs: 3_600_000 });
    },
    mend: (world) => writeOffice(world, "budget-remove", { name: "drill" }),
  },
  {
    name: "the control log lost its entries",
    fires: ["MurmurControlLogHalted"],
    mayFire: ["MurmurOfficeVacant", "MurmurAuditDropped"],
    inject: async (world) =>
      void (await askJetStream(world, `STREAM.PURGE.${streamName("murmur", "OFFICE_LOG")}`, {})),
    withinSeconds: 150, // a running coordinator waits for 45 s before it halts
    endsWorld: true, // so young a log has no snapshot to recover from
    mend: none,
  },
];
