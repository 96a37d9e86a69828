// The routes of the HTTP API as data: which operation each one performs, and where the request has the fields of its input. A route
// has no code of its own: request.ts reads, perform.ts performs, and the OpenAPI document is made from the same table.
import { OPERATIONS } from "../../operations/index.ts";
import type { Operation } from "../../operations/operation.ts";

/** The methods of routes. */
export type Method = "GET" | "POST" | "PUT" | "DELETE";

/** The stream of a route: its names for the events and for the output of the operation. */
export interface StreamFacts {
  readonly event: string;
  readonly output: string;
  /** True: the route answers only with a stream. False: when the request accepts one. */
  readonly isAlways: boolean;
  /** True: each event has an id, and a reader may go on after one. */
  readonly hasIds: boolean;
  /** True: the stream also comes on a WebSocket, with the same events. */
  readonly takesSocket?: true;
}

/** One route. */
export interface Route {
  readonly method: Method;
  /** With `:name` for each parameter: `/v1/tasks/:id`. */
  readonly path: string;
  readonly operation: Operation;
  /** The field of the input that each parameter of the path is. The other fields are in the query of a GET or DELETE, else in the body. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Fields of the input that this route does not take. */
  readonly leavesOut: readonly string[];
  /** The status of a good answer. */
  readonly status: number;
  /** With the query field `wait`, in ms, the route performs this operation instead, and answers 200 when it ends. */
  readonly waiting?: Operation;
  /** True: the answer comes from memory, so it is given without a connection to NATS too. */
  readonly isFromMemory?: true;
  /** How long the operation waits for each answer of the swarm, in ms. */
  readonly timeoutMs?: number;
  /** How the route answers with server-sent events. */
  readonly stream?: StreamFacts;
  /** The status of an output that is good and means a problem, and that problem. */
  readonly problem?: { readonly status: number; readonly about: string; is(output: unknown): boolean };
}

/** The path whose stream also comes on a WebSocket. */
export const SOCKET_PATH = "/v1/events";

/** How long `GET /v1/office` waits for a leader that proves itself, in ms: longer than a fail-over (p99 1.2 s). */
const OFFICE_WAIT_MS = 2_000;

const byName = new Map(OPERATIONS.map((operation) => [operation.name, operation]));

function operationOf(name: string): Operation {
  const found = byName.get(name);
  if (found === undefined) throw new Error(`a route names the operation ${name}, which is not in the table`);
  return found;
}

type Details = Partial<Omit<Route, "method" | "path" | "operation" | "waiting">> & { waiting?: string };

function route(request: `${Method} /${string}`, name: string, details: Details = {}): Route {
  const [method, path] = request.split(" ") as [Method, string];
  const { waiting, ...rest } = details;
  return {
    ...{ method, path, operation: operationOf(name), parameters: {}, leavesOut: [], status: 200 },
    ...rest,
    ...(waiting === undefined ? {} : { waiting: operationOf(waiting) }),
  };
}

/** The stream of a bulk change. */
const progress: StreamFacts = { event: "progress", output: "report", isAlways: false, hasIds: false };

const task = { parameters: { id: "task" } } as const;
const agent = { parameters: { id: "agent" } } as const;
const run = { parameters: { id: "id" } } as const;
const ballot = { parameters: { id: "id" } } as const;
const named = { parameters: { name: "name" } } as const;
const capability = { parameters: { capability: "capability" } } as const;
const schedule = { parameters: { id: "id" } } as const;

/** All routes but the probes, and the description of the API. */
export const ROUTES: readonly Route[] = [
  route("POST /v1/tasks", "task-submit", { status: 202, waiting: "task-run" }),
  route("POST /v1/tasks/batch", "task-submit-batch"),
  route("POST /v1/tasks/purge", "task-purge", { stream: progress }),
  route("GET /v1/tasks", "task-list"),
  route("GET /v1/tasks/:id", "task-show", task),
  route("GET /v1/tasks/:id/events", "task-watch", {
    ...task,
    stream: { event: "status", output: "status", isAlways: true, hasIds: true },
  }),
  route("DELETE /v1/tasks/:id", "task-cancel", { ...task, leavesOut: ["scope"] }),
  route("POST /v1/tasks/:id/retry", "task-retry", task),
  route("POST /v1/tasks/:id/move", "task-move", task),
  route("POST /v1/tasks/:id/reprioritise", "task-reprioritise", task),
  route("POST /v1/tasks/:id/promote", "task-promote", task),
  route("POST /v1/tasks/:id/settle", "task-settle", task),
  route("DELETE /v1/scopes/:scope", "task-cancel", { parameters: { scope: "scope" }, leavesOut: ["task"] }),
  route("GET /v1/dead", "dead-list"),
  route("GET /v1/dead/groups", "dead-groups"),
  route("GET /v1/dead/:id", "dead-show", task),
  route("POST /v1/dead/replay", "dead-replay", { stream: progress }),
  route("POST /v1/dead/purge", "dead-purge", { stream: progress }),
  route("GET /v1/agents", "agent-list"),
  route("GET /v1/agents/:id", "agent-show", agent),
  route("POST /v1/agents/:id/pause", "agent-pause", agent),
  route("POST /v1/agents/:id/resume", "agent-resume", agent),
  route("POST /v1/agents/:id/drain", "agent-drain", agent),
  route("GET /v1/capabilities", "capability-list"),
  route("POST /v1/capabilities/:capability/pause", "capability-pause", capability),
  route("POST /v1/capabilities/:capability/resume", "capability-resume", capability),
  // For autoscalers, such as the trigger metrics-api of KEDA with the value location `work`.
  route("GET /v1/scaling/:group", "scaling-show", { parameters: { group: "group" } }),
  route("POST /v1/workflows", "workflow-start", { status: 202, waiting: "workflow-run" }),
  route("POST /v1/plans", "workflow-plan"),
  route("GET /v1/workflows", "workflow-list"),
  route("GET /v1/workflows/:id", "workflow-show", run),
  route("GET /v1/workflows/:id/events", "workflow-watch", {
    ...run,
    stream: { event: "run", output: "run", isAlways: true, hasIds: false },
  }),
  route("GET /v1/workflows/:id/graph", "workflow-graph", run),
  route("GET /v1/workflows/:id/log", "workflow-export", run),
  route("GET /v1/workflows/:id/verify", "workflow-verify", run),
  route("GET /v1/workflows/:id/shared", "workflow-shared-list", run),
  route("GET /v1/workflows/:id/shared/:name", "workflow-shared-show", {
    parameters: { id: "id", name: "name" },
    leavesOut: ["task"],
  }),
  route("PUT /v1/workflows/:id/shared/:name", "workflow-shared-set", {
    parameters: { id: "id", name: "name" },
    leavesOut: ["task"],
  }),
  route("POST /v1/workflows/:id/signal", "workflow-signal", run),
  route("POST /v1/workflows/:id/approve", "workflow-approve", run),
  route("POST /v1/workflows/:id/reject", "workflow-reject", run),
  route("POST /v1/workflows/:id/pause", "workflow-pause", run),
  route("POST /v1/workflows/:id/resume", "workflow-resume", run),
  route("POST /v1/workflows/:id/cancel", "workflow-cancel", run),
  route("POST /v1/workflows/:id/retry", "workflow-retry", run),
  route("GET /v1/ballots", "ballot-list"),
  route("GET /v1/ballots/:id", "ballot-show", ballot),
  route("POST /v1/ballots/:id/decide", "ballot-decide", ballot),
  route("POST /v1/ballots/:id/correct", "ballot-correct", ballot),
  route("GET /v1/topology", "topology-show"),
  route("GET /v1/locks", "lock-list"),
  route("POST /v1/locks/:name/acquire", "lock-acquire", named),
  route("POST /v1/locks/:name/release", "lock-release", named),
  route("GET /v1/config", "config-show"),
  route("GET /v1/config/history", "config-history"),
  route("PUT /v1/config/:name", "config-set", named),
  route("GET /v1/schedules", "schedule-list"),
  route("PUT /v1/schedules/:id", "schedule-set", schedule),
  route("DELETE /v1/schedules/:id", "schedule-remove", schedule),
  route("POST /v1/schedules/:id/backfill", "schedule-backfill", schedule),
  route("GET /v1/budgets", "budget-list"),
  route("PUT /v1/budgets/:name", "budget-set", named),
  route("DELETE /v1/budgets/:name", "budget-remove", named),
  route("GET /v1/audit", "audit-list"),
  route("GET /v1/audit/verify", "audit-verify"),
  route("GET /v1/problems", "problems-list", { isFromMemory: true }),
  route("GET /v1/status", "swarm-status"),
  route("GET /v1/overview", "swarm-overview", { isFromMemory: true }),
  route(`GET ${SOCKET_PATH}`, "event-watch", {
    stream: { event: "event", output: "end", isAlways: true, hasIds: false, takesSocket: true },
  }),
  route("GET /v1/office", "office-status", {
    timeoutMs: OFFICE_WAIT_MS,
    // A probe need not read the body.
    problem: {
      status: 503,
      about: "No coordinator proves that it holds the office. The body is the same.",
      is: (office) => (office as { leader: string | null }).leader === null,
    },
  }),
  route("POST /v1/office/transfer", "office-transfer"),
];

/** The operations that HTTP does not serve, each with the reason. */
export const NOT_SERVED: Readonly<Record<string, string>> = {
  "office-recover": "it needs the rights of a coordinator on NATS",
  "swarm-init": "it needs the rights of the role init on NATS",
  "blob-put": "the API takes large bodies as they are",
  "blob-get": "the API answers with large bodies as they are",
  "journal-read": "it is for the hosts of agents, which have NATS",
  "journal-trim": "it is for the hosts of agents, which have NATS",
  "task-delay": "it is for the hosts of agents, which have NATS",
  "permission-advise": "it is for users of NATS",
};
