import { expect, test } from "vitest";
import {
  judgeApis,
  judgeClocks,
  judgeDead,
  judgeOffice,
  judgePauses,
  judgePlaced,
  judgeProcesses,
  judgeQueue,
  judgeServer,
  judgeStrays,
  judgeStreams,
  withoutDoubles,
} from "../../../../src/app/commands/local/diagnose.ts";
import type { AgentStatus } from "../../../../src/protocol/index.ts";

const agent = (state: AgentStatus["state"], capability = "echo"): AgentStatus => ({
  id: "echo-1",
  role: "echo",
  capabilities: [capability],
  state,
  waiting: null,
  slots: { used: 0, total: 1 },
  loop: 1,
  host: "h",
  pid: 1,
  since: "2026-01-01T00:00:00Z",
  version: "0.1.0",
});
const verdicts = (findings: { verdict: string }[]) => findings.map(({ verdict }) => verdict);

test.each([
  [{ version: "2.14.5", jetstream: true }, "ok"],
  [{ version: "2.12.7", jetstream: true }, "ok"],
  [{ version: "2.12.6", jetstream: true }, "warning"],
  [{ version: "2.11.9", jetstream: true }, "failed"],
  [{ version: "3.0.0", jetstream: true }, "ok"],
  [{ version: "2.14.5", jetstream: false }, "failed"],
  [{ problem: "connection refused" }, "failed"],
])("server %j is %s", (seen, verdict) => {
  expect(judgeServer("nats://a", seen).verdict).toBe(verdict);
});

test("for missing streams the next step is init, for differing streams nats stream edit", () => {
  expect(judgeStreams([{ name: "A", problem: "does not exist; run" }]).next).toContain("murmur init");
  expect(judgeStreams([{ name: "A", problem: "max_age differs" }]).next).toContain("nats stream edit");
  expect(judgeStreams([{ name: "A", problem: null }]).verdict).toBe("ok");
});

test("advice about streams is a warning that names the streams of each advice once", () => {
  const older = "has the subjects of an earlier version";
  const finding = judgeStreams([
    { name: "A", problem: null, advice: [older, "keeps messages 30 days"] },
    { name: "B", problem: null, advice: [older] },
    { name: "C", problem: null, advice: [] },
  ]);
  expect(finding).toMatchObject({
    verdict: "warning",
    detail: `A, B: ${older}; A: keeps messages 30 days`,
    next: expect.stringContaining("murmur init --apply"),
  });
});

test("waiting tasks whose capability no agent offers are a failure; a capability without tasks is a warning", () => {
  expect(verdicts(judgeQueue({ pending: new Map([["echo", 3]]), agents: [] }))).toEqual(["failed", "ok"]);
  expect(verdicts(judgeQueue({ pending: new Map([["echo", 0]]), agents: [] }))).toEqual(["warning", "ok"]);
  expect(verdicts(judgeQueue({ pending: new Map([["echo", 3]]), agents: [agent("idle")] }))).toEqual([
    "ok",
    "ok",
  ]);
});

test.each(["failed", "draining", "stopped"] as const)("a %s agent offers nothing", (state) => {
  const [queue] = judgeQueue({ pending: new Map([["echo", 1]]), agents: [agent(state)] });
  expect(queue?.verdict).toBe("failed");
});

test("paused agents are a warning with the way back", () => {
  const findings = judgeQueue({ pending: new Map(), agents: [agent("paused")] });
  expect(findings.find(({ verdict }) => verdict === "warning")?.next).toContain("agent resume");
});

test("tasks without any consumer are named by capability", () => {
  expect(judgeStrays(["murmur.task.ecko.normal.-.a"])).toMatchObject({
    verdict: "failed",
    detail: expect.stringContaining("ecko"),
  });
  expect(judgeStrays([]).verdict).toBe("ok");
});

test("no api process is a failure, and the finding counts the delayed tasks", () => {
  expect(judgeApis(0, 7).detail).toContain("7 delayed tasks");
  expect(judgeApis(1, 7).verdict).toBe("ok");
});

test("dead letters are counted by capability and are a warning", () => {
  expect(judgeDead(new Map([["echo", 2]]))).toMatchObject({ verdict: "warning", detail: "2 (echo 2)" });
  expect(judgeDead(new Map()).verdict).toBe("ok");
});

test("a process that is not restarted any more is a failure, a restarted process a warning", () => {
  const record = { name: "echo-1", status: "running", restarts: 0, lastExit: null, isAlive: true };
  const judge = (change: object) =>
    verdicts(judgeProcesses({ isSupervisorAlive: true, processes: [{ ...record, ...change }] }));
  expect(judge({})).toEqual(["ok"]);
  expect(judge({ restarts: 2 })).toEqual(["warning"]);
  expect(judge({ status: "failed" })).toEqual(["failed"]);
});

test("a dead supervisor is a failure that names the processes it left", () => {
  const processes = [{ name: "nats-1", status: "running", restarts: 0, lastExit: null, isAlive: true }];
  expect(judgeProcesses({ isSupervisorAlive: false, processes })[0]?.detail).toContain("it left nats-1");
});

test("tasks that were placed on hosts that are gone are a warning that leads to the office", () => {
  expect(judgePlaced(["murmur.placed.default.host-1.coder-1.-.a"])).toMatchObject({
    verdict: "warning",
    detail: expect.stringContaining("1 tasks"),
    next: expect.stringContaining("office status"),
  });
  expect(judgePlaced([]).verdict).toBe("ok");
});

test("a clock that is 2 s off is a warning that names the process and the direction", () => {
  const good = { name: "this command", skewMs: 12 };
  expect(judgeClocks([good, { name: "agent-1", skewMs: -1_999 }])).toMatchObject({ verdict: "ok" });
  expect(
    judgeClocks([good, { name: "agent-1", skewMs: -40_000 }, { name: "api-1", skewMs: null }]),
  ).toMatchObject({
    verdict: "warning",
    detail: "agent-1 is 40.0 s behind; not measured: api-1",
  });
});

test("every capability that takes no work because of a pause is told, with time, operator and way out", () => {
  const echo = { capability: "echo", waiting: 3, inFlight: 0, since: "2026-01-01T00:00:00.000Z", by: "ada" };
  const unknown = { ...echo, since: null, by: null };
  expect(judgePauses([{ ...echo, state: "open" }])).toEqual([]);
  expect(judgePauses([{ ...echo, state: "paused" }])).toEqual([
    {
      name: "capability echo",
      verdict: "warning",
      detail: "paused since 2026-01-01T00:00:00.000Z by ada; 3 tasks wait",
      next: "murmur capability resume echo, when it should work",
    },
  ]);
  const [pausing, resuming, held, silent] = judgePauses([
    { ...echo, state: "pausing" },
    { ...unknown, state: "resuming" },
    { ...unknown, state: "held" },
    { ...unknown, state: "paused" },
  ]);
  expect(pausing?.detail).toContain("NATS does not follow yet (pausing)");
  expect(resuming).toMatchObject({
    detail: expect.stringContaining("was resumed, and NATS does not follow yet"),
  });
  expect(held).toMatchObject({ next: expect.stringContaining("nats consumer resume") });
  expect(silent?.detail).toBe("paused by an unknown operator (no coordinator answers); 3 tasks wait");
});

test.each([
  ["no coordinator answers", { leader: null, term: null, members: [] }, "warning"],
  [
    "none leads",
    { leader: null, term: null, members: [{ id: "a", role: "candidate", lag: null }] },
    "failed",
  ],
  [
    "silent: b",
    {
      leader: "a",
      term: 3,
      members: [
        { id: "a", role: "leader", lag: 0 },
        { id: "b", role: "silent", lag: null },
      ],
    },
    "warning",
  ],
  [
    "a by 1001 entries",
    { leader: "a", term: 3, members: [{ id: "a", role: "leader", lag: 1_001 }] },
    "warning",
  ],
  ["a leads in term 3", { leader: "a", term: 3, members: [{ id: "a", role: "leader", lag: 1_000 }] }, "ok"],
])("of an office doctor says: %s", (text, office, verdict) => {
  expect(judgeOffice(office)).toMatchObject({ verdict, detail: expect.stringContaining(text) });
});

test("doctor shows a fault once: a finding that a problem tells is left out, and the same finding about another capability stays", () => {
  const findings = judgeQueue({
    pending: new Map([
      ["echo", 3],
      ["draw", 1],
    ]),
    agents: [agent("failed", "other")],
  });
  const dead = judgeDead(
    new Map([
      ["echo", 2],
      ["draw", 1],
    ]),
  );
  const office = judgeOffice({ leader: null, term: 4, members: [{ id: "c1", role: "follower", lag: 0 }] });
  const problem = (
    name:
      | "MurmurCapabilityWithoutAgents"
      | "MurmurDeadLettersGrowing"
      | "MurmurOfficeVacant"
      | "MurmurAgentsGivenUp",
    ...capabilities: string[]
  ) => ({
    name,
    hit: { capabilities, workflows: [], tasks: null, oldest: null },
  });
  const all = [...findings, dead, office];
  expect(withoutDoubles(all, [])).toEqual(all);
  const left = withoutDoubles(all, [
    problem("MurmurCapabilityWithoutAgents", "echo"),
    problem("MurmurDeadLettersGrowing", "echo"),
    problem("MurmurOfficeVacant"),
    problem("MurmurAgentsGivenUp", "other"),
  ]);
  expect(left.map(({ detail }) => detail)).toEqual([
    "1 tasks of draw wait, and no living agent offers it",
    "3 (echo 2, draw 1)", // the old letters of draw are in no problem
  ]);
});
