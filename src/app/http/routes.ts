// The routes of the HTTP API: which operation each one performs, how it reads the request, and the status of the answer.
import type { Context } from "hono";
import { z } from "zod";
import { createOfficeClient } from "../../coordinator/index.ts";
import {
  decode,
  type Encoding,
  HEADERS,
  parse,
  parseTask,
  SwarmError,
  TASK_STATES,
  tokenSchema,
} from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { MAX_LIST_LIMIT, type TaskClient } from "../../work/index.ts";
import { listLivingAgents } from "../operations/agents.ts";
import { listCapabilities, pauseCapability, resumeCapability } from "../operations/capabilities.ts";
import {
  listDeadLetters,
  purgeDeadLetters,
  replayDeadLetter,
  showDeadLetter,
} from "../operations/dead-letters.ts";
import { showOffice } from "../operations/office.ts";
import { type Operation, type OperationContext, perform } from "../operations/operation.ts";
import { listProblems } from "../operations/problems.ts";
import { showScaling } from "../operations/scaling.ts";
import { filterFields } from "../operations/task-filter.ts";
import { purgeTasks } from "../operations/task-purge.ts";
import {
  cancelTasks,
  listTasks,
  moveTask,
  promoteTask,
  reprioritiseTask,
  runTask,
  settleTask,
  showTask,
  submitTask,
} from "../operations/tasks.ts";

/** The longest `?wait=`, in ms. Proxies in front of the API end a quiet request earlier. */
export const MAX_WAIT_MS = 3_600_000;
/** How long `GET /v1/office` waits for a leader that proves itself, in ms: longer than a fail-over (p99 1.2 s). */
const OFFICE_WAIT_MS = 2_000;

/** The swarm that the API serves. */
export interface ServedSwarm {
  transport: Transport;
  tasks: TaskClient;
  /** The groups of agents, where the permissions are read. */
  scaling?: OperationContext["scaling"];
  /** The watch over the problems, see {@link OperationContext}. */
  problems?: OperationContext["problems"];
  traceUrl?: OperationContext["traceUrl"];
  /** Stores the audit entries of operations; default as in {@link OperationContext}. */
  auditor?: OperationContext["auditor"];
  /** Default {@link OFFICE_WAIT_MS}. */
  officeWaitMs?: number | undefined;
}

/** An answer of a route. */
export interface Answer {
  body: unknown;
  status: number;
  /** The encoding of the answer; without it, an encoding that the request accepts. */
  encoding?: Encoding;
}

/** One route. */
export interface Route {
  method: "GET" | "POST" | "DELETE";
  path: string;
  /** True: the answer comes from memory, so it is given without a connection to NATS too. */
  isFromMemory?: true;
  /** True for a request that holds its socket until a task ends. */
  waits?(context: Context): boolean;
  /** Performs the route's operation. @throws SwarmError of the request, or of the operation. */
  answer(context: Context, swarm: ServedSwarm): Promise<Answer>;
}

const waitQuery = z.strictObject({ wait: z.coerce.number().int().min(1).max(MAX_WAIT_MS).optional() });
const listQuery = z.strictObject({
  state: z.enum(TASK_STATES).optional(),
  ...filterFields,
  limit: z.coerce.number().int().min(1).max(MAX_LIST_LIMIT).optional(),
  /** Also the questions of ballots to their seats. */
  seats: z.stringbool({ truthy: ["true"], falsy: ["false"] }).optional(),
  stray: z.stringbool({ truthy: ["true"], falsy: ["false"] }).optional(),
  after: z.string().max(80).optional(),
});

const deadQuery = listQuery.omit({ state: true, seats: true, stray: true });

/** The query; the field `label` may be repeated. */
function queryOf(context: Context): Record<string, unknown> {
  const label = context.req.queries("label");
  return { ...context.req.query(), ...(label === undefined ? {} : { label }) };
}

/** All routes but the probes. */
export const ROUTES: readonly Route[] = [
  {
    method: "POST",
    path: "/v1/tasks",
    waits: (context) => context.req.query("wait") !== undefined,
    async answer(context, swarm) {
      const { wait } = parse(waitQuery, context.req.query(), "query");
      const bytes = new Uint8Array(await context.req.arrayBuffer());
      const contentType = context.req.header("content-type");
      refuseForm(contentType);
      const { value, encoding } = decode(bytes, contentType);
      const request = {
        encoding,
        traceparent: context.req.header(HEADERS.traceparent),
        tracestate: context.req.header(HEADERS.tracestate),
      };
      const task = parseTask(value);
      if (wait === undefined) {
        const body = await perform(submitTask, contextOf(swarm, { request }), task);
        return { body, status: 202, encoding };
      }
      const body = await perform(runTask, contextOf(swarm, { request, timeoutMs: wait }), task);
      return { body, status: 200, encoding };
    },
  },
  {
    method: "GET",
    path: "/v1/tasks",
    async answer(context, swarm) {
      const query = parse(listQuery, queryOf(context), "query");
      const input = parse(listTasks.input, query, "query");
      return { body: await perform(listTasks, contextOf(swarm), input), status: 200 };
    },
  },
  {
    method: "GET",
    path: "/v1/tasks/:id",
    answer: async (context, swarm) => ({
      body: await perform(showTask, contextOf(swarm), { task: taskIdOf(context) }),
      status: 200,
    }),
  },
  {
    method: "DELETE",
    path: "/v1/tasks/:id",
    answer: async (context, swarm) => ({
      body: await perform(cancelTasks, contextOf(swarm), { task: taskIdOf(context) }),
      status: 200,
    }),
  },
  {
    method: "POST",
    path: "/v1/tasks/purge",
    answer: (context, swarm) => performBody(context, swarm, purgeTasks),
  },
  {
    method: "POST",
    path: "/v1/tasks/:id/move",
    answer: (context, swarm) => performBody(context, swarm, moveTask, { task: taskIdOf(context) }),
  },
  {
    method: "POST",
    path: "/v1/tasks/:id/reprioritise",
    answer: (context, swarm) => performBody(context, swarm, reprioritiseTask, { task: taskIdOf(context) }),
  },
  {
    method: "POST",
    path: "/v1/tasks/:id/promote",
    answer: (context, swarm) => performBody(context, swarm, promoteTask, { task: taskIdOf(context) }),
  },
  {
    method: "POST",
    path: "/v1/tasks/:id/settle",
    answer: (context, swarm) => performBody(context, swarm, settleTask, { task: taskIdOf(context) }),
  },
  {
    method: "GET",
    path: "/v1/dead",
    async answer(context, swarm) {
      const query = parse(deadQuery, queryOf(context), "query");
      const input = parse(listDeadLetters.input, query, "query");
      return { body: await perform(listDeadLetters, contextOf(swarm), input), status: 200 };
    },
  },
  {
    method: "GET",
    path: "/v1/dead/:id",
    answer: async (context, swarm) => ({
      body: await perform(showDeadLetter, contextOf(swarm), { task: taskIdOf(context) }),
      status: 200,
    }),
  },
  {
    method: "POST",
    path: "/v1/dead/replay",
    answer: (context, swarm) => performBody(context, swarm, replayDeadLetter),
  },
  {
    method: "POST",
    path: "/v1/dead/purge",
    answer: (context, swarm) => performBody(context, swarm, purgeDeadLetters),
  },
  {
    method: "GET",
    path: "/v1/agents",
    answer: async (_context, swarm) => ({
      body: await perform(listLivingAgents, contextOf(swarm), {}),
      status: 200,
    }),
  },
  {
    method: "GET",
    path: "/v1/capabilities",
    answer: async (_context, swarm) => ({
      body: await perform(listCapabilities, contextOf(swarm), {}),
      status: 200,
    }),
  },
  ...(["pause", "resume"] as const).map(
    (verb): Route => ({
      method: "POST",
      path: `/v1/capabilities/:capability/${verb}`,
      answer: async (context, swarm) => ({
        body: await perform(
          verb === "pause" ? pauseCapability : resumeCapability,
          contextOf(swarm),
          parse(pauseCapability.input, { capability: context.req.param("capability") }, "path"),
        ),
        status: 200,
      }),
    }),
  ),
  {
    method: "GET",
    path: "/v1/problems",
    isFromMemory: true,
    answer: async (_context, swarm) => ({
      body: await perform(listProblems, contextOf(swarm), {}),
      status: 200,
    }),
  },
  {
    // For autoscalers, such as the trigger metrics-api of KEDA with the value location `work`.
    method: "GET",
    path: "/v1/scaling/:group",
    answer: async (context, swarm) => ({
      body: await perform(
        showScaling,
        contextOf(swarm),
        parse(showScaling.input, { group: context.req.param("group") }, "path"),
      ),
      status: 200,
    }),
  },
  {
    // Without a leader the same body has status 503, so that a probe need not read it.
    method: "GET",
    path: "/v1/office",
    async answer(_context, swarm) {
      const { officeWaitMs = OFFICE_WAIT_MS } = swarm;
      const office = await perform(showOffice, contextOf(swarm, { timeoutMs: officeWaitMs }), {});
      return { body: office, status: office.leader === null ? 503 : 200 };
    },
  },
];

/** Performs an operation whose fields are the body, which may be empty; `path` has the fields of the path. */
async function performBody<I extends z.ZodType, O extends z.ZodType, E extends z.ZodType>(
  context: Context,
  swarm: ServedSwarm,
  operation: Operation<I, O, E>,
  path: object = {},
): Promise<Answer> {
  const bytes = new Uint8Array(await context.req.arrayBuffer());
  const isEmpty = bytes.length === 0;
  const { value, encoding } = isEmpty
    ? { value: {}, encoding: undefined }
    : decode(bytes, context.req.header("content-type"));
  const fields = parse(z.record(z.string(), z.unknown()), value, "body");
  const input = parse(operation.input, { ...fields, ...path }, "body");
  const body = await perform(operation, contextOf(swarm), input);
  return { body, status: 200, ...(encoding === undefined ? {} : { encoding }) };
}

/** A closed connection does not end the work for it: most of it is short, and a submitted task continues anyway. */
const NEVER_ABORTED = new AbortController().signal;
const CALLER = { name: "http", role: "api" };

function contextOf(
  { transport, tasks, scaling, problems, traceUrl, auditor }: ServedSwarm,
  more: Pick<OperationContext, "timeoutMs" | "request"> = {},
): OperationContext {
  const office = createOfficeClient({ transport });
  return {
    transport,
    tasks,
    office,
    scaling,
    problems,
    traceUrl,
    signal: NEVER_ABORTED,
    caller: CALLER,
    auditor,
    ...more,
  };
}

/** `curl -d` sends a form unless it is told otherwise. @throws SwarmError `invalid_input` with the flag to use. */
function refuseForm(contentType: string | undefined): void {
  if (
    contentType === undefined ||
    !/^(application\/x-www-form-urlencoded|multipart\/form-data)/i.test(contentType)
  )
    return;
  throw new SwarmError(
    "invalid_input",
    `Content-Type must be application/json or application/msgpack, got ${contentType.slice(0, 80)}; with curl, add -H 'Content-Type: application/json'`,
    { field: "Content-Type" },
  );
}

function taskIdOf(context: Context): string {
  return parse(z.object({ id: tokenSchema }), { id: context.req.param("id") }, "path").id;
}
