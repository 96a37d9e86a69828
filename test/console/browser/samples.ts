// Answers of the API for the views of the console, with none, one and many things. A test can put one text into every field of free text, so
// that it can make all of them hostile; the pictures of the docs have texts of a shop.

/** The free text of each kind of field. */
const SHOP = {
  agent: ["pay-eu-1", "pay-eu-2", "pay-us-1", "pay-us-2"],
  argument: ["--watch"],
  blocked: ["the log has charge, the code of version 3 asks for pay"],
  by: ["anna", "deploy-bot", "bo"],
  capability: ["refund", "invoice"],
  cause: [
    "all 8 slots of the 4 agents of pay are in use, 4 agents wait for something, and 12 tasks wait",
    "all 4 slots of the 2 agents of invoice are in use, 0 agents wait for something, and 12 tasks wait",
  ],
  doing: ["checks the card", "waits for the bank", "writes the receipt"],
  finding: ["three agents agreed where one alone was wrong in 1 of 4 cases"],
  host: ["node-a", "node-b", "node-c"],
  message: [
    "the bank did not answer within 10 s",
    "the address of the customer is incomplete",
    "the price of the order has changed",
    "the card was declined",
  ],
  model: ["small-fast", "large-careful"],
  note: ["3 of 6 parcels are packed", "waits for the courier", "the invoice is printed"],
  part: ["no answer within 5 s"],
  person: ["ops"],
  step: ["charge-card"],
  summary: ["tasks wait longer than their priority promises, and every slot is in use"],
  what: ["warm cache"],
  workflow: ["order", "refund", "restock"],
} as const;
type Kind = keyof typeof SHOP;

/** The samples with so many things. `text`: stands in every field of free text; `null`: the texts of a shop. */
export function samples(count: number, text: string | null = "a message") {
  const say = (kind: Kind, index = 0): string => text ?? (SHOP[kind][index % SHOP[kind].length] as string);
  const leader = text ?? "c0";
  const AT = new Date(Date.now() - 3_600_000).toISOString();
  const many = <T>(make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));
  const at = (index: number) => new Date(Date.now() - 1_000 * (index + 1)).toISOString();
  const error = { code: "timeout", message: say("message"), retryable: true };
  const task = (index: number, state: string) => ({
    ...{ taskId: `task-${index}`, capability: "pay", state, attempt: 2, progress: 40, agent: `pay-${index}` },
    ...{
      queuedMs: 1_200,
      dueAt:
        state === "retrying" || state === "scheduled" ? new Date(Date.now() + 60_000).toISOString() : null,
    },
  });
  const result = (index: number) => ({
    ...{
      taskId: `task-${index}`,
      status: "failed",
      error,
      attempt: 2,
      agent: "pay-1",
      startedAt: AT,
      finishedAt: at(index),
    },
    ...{ queuedMs: 10, ranMs: 900, output: { reason: say("message", index) } },
  });
  const history = {
    ...{ droppedAttempts: 0, droppedTraces: 0 },
    attempts: [
      {
        attempt: 1,
        agent: say("agent"),
        outcome: "failed",
        startedAt: AT,
        endedAt: at(9),
        retryAt: at(8),
        error,
        trace: text ?? "4bf92f3577b34da6",
      },
      { attempt: 2, agent: "pay-1", outcome: "running", startedAt: at(1) },
    ],
    steps: [{ step: say("step"), state: "completed", attempt: 1, agent: "pay-1", at: at(2) }],
  };
  const problem = (index: number) => ({
    ...{
      name: "MurmurSlotsSaturated",
      severity: index % 2 === 0 ? "page" : "ticket",
      effect: "late",
      summary: say("summary"),
    },
    ...{
      since: at(60),
      hit: { capabilities: [`pay${index}`, say("capability", index)], tasks: 12, oldest: at(90) },
      cause: say("cause", index),
    },
    ...{
      runbook: "docs/runbooks/MurmurSlotsSaturated.md",
      commands: [text === null ? "murmur agent ls" : `murmur agent ls ${text}`, "murmur top"],
    },
  });
  const page = (tasks: object[]) => ({
    ...{ tasks, next: null, seen: tasks.length, missesBallots: false },
    hidden: count === 0 ? [] : [{ why: "filter", count: 3, reason: text ?? "they do not fit the search" }],
  });
  const run = (index: number) => ({
    ...{
      id: `run-${index}`,
      name: say("workflow", index),
      version: 1,
      state: "running",
      generation: 1,
      entries: 4,
      bytes: 900,
    },
    ...{
      progress: 0.5,
      note: say("note", index),
      at: at(index),
      waiting: { reason: "human", path: "approve", count: 1, by: [say("person")] },
    },
  });
  const ballot = (index: number) => ({
    ...{
      id: `ballot-${index}`,
      capability: "classify",
      strategy: "majority",
      topology: "star",
      state: "asking",
    },
    ...{ seats: 3, answered: 2, agreement: 0.66, openedAt: at(5), endedAt: null },
  });
  const states = ["retrying", "failed", "running", "pending", "completed"];
  return {
    "/v1/overview": () => ({
      ...{ prefix: "murmur", at: new Date().toISOString(), problems: many(problem).slice(0, 20) },
      unknown: count === 0 ? [] : [{ part: "streams", reason: say("part") }],
      counts: { arrived: 100, ended: 90, dead: count },
      capabilities: many((index) => ({
        ...{
          capability: `pay${index}`,
          waiting: index,
          running: 1,
          oldest: at(index),
          isPaused: index % 3 === 0,
          agents: 2,
        },
      })),
      agents: {
        states: count === 0 ? {} : { idle: count },
        waits: count === 0 ? {} : { model: 1 },
        slots: { used: 1, total: count },
      },
      office: count === 0 ? null : { leader, coordinators: 3, lag: 0 },
      delayed: count,
      streams: count === 0 ? [] : [{ stream: "tasks", share: 0.42 }],
      ages: { queues: 400, agents: 1_200, streams: 300, office: null },
    }),
    "/v1/tasks": (search: URLSearchParams) => {
      const state = search.get("state");
      if (search.get("stray") === "true")
        return page(
          count === 0
            ? []
            : [
                {
                  ...task(9_999_999, "pending"),
                  stray: text ?? "no agent has offered the capability pai yet",
                },
              ],
        );
      if (state === "running")
        return page(
          many((index) => ({
            ...task(index, "running"),
            waiting: { reason: "human", steps: [say("step")], since: AT },
          })).slice(0, 3),
        );
      const all = many((index) => {
        const own = state ?? states[index % states.length]!;
        const ended = own === "failed" || own === "completed";
        return { ...task(index, own), ...(ended ? { result: result(index) } : {}) };
      });
      return page(all);
    },
    "/v1/tasks/task-0": {
      ...task(0, "running"),
      ...{
        history,
        result: result(0),
        ...(text === null ? {} : { stray: text }),
        traceId: "abc",
        traceUrl: "https://traces.example/abc",
      },
      ...{
        placement: { agent: say("agent"), reasons: [{ what: say("what"), value: 1 }] },
        paused: { since: AT, by: say("by") },
      },
      ...{ handOffs: [{ agent: say("agent"), attempt: 1, at: AT }], ballot: { seats: 3, answered: 1 } },
      waiting: { reason: "human", steps: [say("step")], since: AT },
    },
    "/v1/dead/groups": {
      groups: many((index) => ({
        ...{
          capability: `pay${index}`,
          code: "timeout",
          fingerprint: text === null ? say("message", index) : `${text} ${index}`,
          count: 5,
          oldest: at(90),
          newest: at(3),
        },
        sample: { taskId: `task-${index}`, message: say("message", index) },
      })),
      ...{ seen: count * 5, stored: count * 5, more: 0 },
    },
    "/v1/agents": {
      agents: many((index) => ({
        ...{
          id: `pay-${index}`,
          role: "pay",
          capabilities: ["pay"],
          state: index % 2 === 0 ? "waiting" : "idle",
        },
        ...{
          waiting: index % 2 === 0 ? "model" : null,
          doing: say("doing", index),
          slots: { used: 1, total: 2 },
          loop: 1,
          host: say("host", index),
        },
        ...{ pid: 1, since: AT, version: "1", model: say("model", index) },
      })),
      ageMs: 900,
    },
    "/v1/office": {
      ...{ leader: count === 0 ? null : leader, leaderPid: 1, term: 4, since: AT, logSeq: 1_000 },
      members: many((index) => ({
        ...{
          id: `c${index}`,
          host: say("host", index),
          pid: 1,
          role: index === 0 ? "leader" : "follower",
          appliedSeq: 990,
          lag: 10,
        },
      })).slice(0, 5),
    },
    "/v1/audit": {
      entries: many((index) => ({
        ...{
          streamSeq: index,
          writer: "api.x",
          seq: index,
          at: at(index),
          kind: "operation",
          facts: { by: say("by", index) },
        },
      })),
    },
    "/v1/workflows": { runs: many(run), more: 0, seen: count, unreadable: 0, isCut: false },
    "/v1/workflows/run-0": {
      ...{
        ...run(0),
        startedAt: AT,
        input: text === null ? { order: 4_711, customer: "c-88" } : { text },
        output: text === null ? { parcels: 3 } : { text },
        parent: "run-1",
        absent: [say("capability")],
        more: 2,
      },
      blocked: { cause: text ?? "changed", message: say("blocked"), path: say("step") },
      error,
      maps: [{ path: text ?? "files", items: 10, ended: 4 }],
      steps: [
        {
          path: "load",
          kind: "step",
          state: "completed",
          call: text ?? "pay",
          task: "run-0-1",
          orderedAt: AT,
          endedAt: AT,
        },
        {
          path: "files/0/check",
          kind: "step",
          state: "failed",
          call: "pay",
          task: "run-0-2",
          orderedAt: AT,
          error,
        },
        {
          path: "wait",
          kind: "sleep",
          state: "open",
          orderedAt: AT,
          due: new Date(Date.now() + 9_000).toISOString(),
        },
        { path: "approve", kind: "approval", state: "open", orderedAt: AT, by: [say("person")] },
      ],
    },
    "/v1/ballots": { ballots: many(ballot), seq: 4, ageMs: 40 },
    "/v1/ballots/ballot-0": {
      ...{ ...ballot(0), state: "human", rounds: 1, spec: null, evidence: [] },
      votes: [
        {
          seat: 1,
          agent: say("agent"),
          model: say("model"),
          state: "answered",
          value: text === null ? { label: "refund" } : { text },
        },
        { seat: 2, agent: "b", state: "abstained", reason: say("message") },
        { seat: 3, agent: "c", state: "open" },
      ],
      candidates: [{ candidate: 1, value: text === null ? { label: "refund" } : { text } }],
      statistics: {
        ...{
          cases: 4,
          agents: [],
          voters: [],
          models: [],
          correlations: [],
          meanCorrelation: null,
          effectiveVoters: 2.4,
        },
        single: {
          ...{
            ballots: 4,
            decided: 4,
            agreement: 0.9,
            compared: 4,
            differed: 1,
            tokenRatio: 3,
            costRatio: null,
          },
          judged: {
            cases: 4,
            ballotAccuracy: 0.9,
            singleAccuracy: 0.8,
            gain: { rate: 0.1, low: -0.1, high: 0.3 },
          },
          finding: say("finding"),
        },
      },
      result: null,
    },
  };
}

/** The views: their addresses, and the title that each one shows. */
export const VIEWS: readonly { at: string; name: string; title: RegExp }[] = [
  { at: "#/problems", name: "problems", title: /wrong now|problems? now/ },
  { at: "#/stuck", name: "stuck", title: /Stuck/ },
  { at: "#/dead", name: "dead", title: /Dead letters/ },
  { at: "#/tasks", name: "tasks", title: /Tasks/ },
  { at: "#/task/task-0", name: "task", title: /Task task-0/ },
  { at: "#/queues", name: "queues", title: /Queues/ },
  { at: "#/agents", name: "agents", title: /Agents/ },
  { at: "#/workflows", name: "workflows", title: /Workflows/ },
  { at: "#/workflow/run-0", name: "workflow", title: /Run run-0/ },
  { at: "#/ballots", name: "ballots", title: /Ballots/ },
  { at: "#/ballot/ballot-0", name: "ballot", title: /Ballot ballot-0/ },
  { at: "#/office", name: "office", title: /Office/ },
];
