// Performs the operation of a route for a caller of HTTP: checks the caller's rights, waits for NATS, and gives the output.
import type { Context } from "hono";
import { createOfficeClient } from "../../../coordinator/index.ts";
import { type Encoding, HEADERS, SwarmError, toSwarmError } from "../../../protocol/index.ts";
import type { Transport } from "../../../transport/index.ts";
import type { TaskClient } from "../../../work/index.ts";
import { authorise, checkTask } from "../../door/index.ts";
import {
  type Operation,
  type OperationContext,
  perform,
  type RefusedOperation,
} from "../../operations/operation.ts";
import { whileConnected } from "../../operations/time-limit.ts";
import type { ApiCaller } from "../tokens/callers.ts";
import { readRequest } from "./request.ts";
import type { Route } from "./table.ts";

/** How long an operation waits for each answer of the swarm, in ms: as long as a command does. */
const OPERATION_TIMEOUT_MS = 5_000;
/** How long a request waits for a lost connection to come back, in ms: a reconnect takes 100 ms, and the caller hears of an outage within 1 s. */
const RECONNECT_WAIT_MS = 500;
/** When a caller may try again after that, in ms: the connection tries at least once within this time at the start of an outage. */
const RECONNECT_RETRY_MS = 1_000;

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
  /** Hears of each request that is refused with `not_permitted`. */
  onRefused?: (refused: RefusedOperation) => void;
  /** The longest wait for a leader that proves itself, in ms; default that of the route. */
  officeWaitMs?: number | undefined;
  /** The longest pause in a body, in ms; default 10,000. */
  bodyStallMs?: number | undefined;
}

/** One request, with its caller. */
export interface Call {
  readonly route: Route;
  readonly context: Context;
  readonly swarm: ServedSwarm;
  readonly caller: ApiCaller;
  /** Aborts when the process stops: requests that last must end. */
  readonly stopping: AbortSignal;
}

/** A call that may be performed: its input is read, and its caller has the right. */
export interface Prepared {
  readonly operation: Operation;
  readonly input: unknown;
  readonly encoding: Encoding | undefined;
  /** How long the caller waits for a result, in ms; undefined when the caller does not wait. */
  readonly waitMs: number | undefined;
}

/** An answer of a route. */
export interface Answer {
  body: unknown;
  status: number;
  /** The encoding of the answer; without it, an encoding that the request accepts. */
  encoding?: Encoding | undefined;
}

/** Reads a request and checks its caller. @throws SwarmError of the request; `not_permitted`; `unavailable` without NATS. */
export async function prepare(call: Call): Promise<Prepared> {
  const { route, context, swarm, caller } = call;
  const { transport } = swarm;
  if (transport.state !== "connected" && route.isFromMemory !== true) await reconnected(transport);
  const { input: given, encoding, waitMs } = await readRequest(context, route, swarm);
  const operation = waitMs === undefined ? route.operation : (route.waiting ?? route.operation);
  try {
    const { input, task } = authorise(caller.rights, operation, given);
    if (task !== null && caller.rights.capabilities !== null)
      checkTask(caller.rights, task, (await swarm.tasks.status(task)).capability);
    return { operation, input, encoding, waitMs };
  } catch (error) {
    const { code, message } = toSwarmError(error);
    const { rights, isProven } = caller;
    if (code === "not_permitted")
      swarm.onRefused?.({ by: rights.user, isProven, command: operation.name, reason: message });
    throw error;
  }
}

/** Performs a prepared call. @throws SwarmError of the operation. */
export async function answer(call: Call, prepared: Prepared): Promise<Answer> {
  const { route, context, swarm, stopping } = call;
  const { operation, input, encoding, waitMs } = prepared;
  const limitMs =
    route.timeoutMs === undefined ? OPERATION_TIMEOUT_MS : (swarm.officeWaitMs ?? route.timeoutMs);
  const timeoutMs = waitMs ?? limitMs;
  // A caller that leaves ends work that lasts. Short work goes on, so that it is done or not done, and never half done.
  const lasts = waitMs !== undefined || operation.event !== undefined;
  const signal = lasts ? AbortSignal.any([stopping, context.req.raw.signal]) : NEVER_ABORTED;
  const performed = perform(operation, contextOf(call, { encoding, timeoutMs, signal }), input);
  const body = await (waitMs !== undefined || route.isFromMemory === true
    ? performed
    : whileConnected(performed, swarm.transport, RECONNECT_WAIT_MS, () =>
        away(operation.access === "read" ? LOST_READ : LOST_WRITE),
      ));
  const { problem } = route;
  const status = problem?.is(body) === true ? problem.status : route.status;
  return { body, status: waitMs === undefined ? status : 200, encoding };
}

const NEVER_ABORTED = new AbortController().signal;

/** The context of the operation. */
export function contextOf(
  { context, swarm, caller }: Call,
  { encoding, timeoutMs, signal }: { encoding: Encoding | undefined; timeoutMs: number; signal: AbortSignal },
): OperationContext {
  const { transport, tasks, scaling, problems, traceUrl, auditor } = swarm;
  return {
    ...{ transport, tasks, scaling, problems, traceUrl, auditor, timeoutMs, signal },
    office: createOfficeClient({ transport }),
    caller: {
      name: caller.rights.user,
      role: "api",
      isProven: caller.isProven,
      groups: caller.rights.groups,
    },
    request: {
      encoding,
      traceparent: context.req.header(HEADERS.traceparent),
      tracestate: context.req.header(HEADERS.tracestate),
    },
  };
}

/**
 * Waits a moment for the connection to NATS. Most routes need it, and the requests of a route would wait for it much longer.
 * @throws SwarmError `unavailable`, with the time of the next try.
 */
async function reconnected(transport: Pick<Transport, "state" | "onState">): Promise<void> {
  const isBack = await new Promise<boolean>((resolve) => {
    const timer = setTimeout(() => settle(false), RECONNECT_WAIT_MS);
    const states = transport.onState((state) => {
      if (state !== "disconnected") settle(state === "connected");
    });
    const settle = (back: boolean) => {
      clearTimeout(timer);
      states.close();
      resolve(back);
    };
    if (transport.state === "closed") settle(false);
  });
  if (isBack) return;
  throw away("this API is not connected to NATS; it keeps trying. Send the request again");
}

const LOST_READ =
  "this API lost its connection to NATS while it read; it keeps trying. Send the request again";
const LOST_WRITE =
  "this API lost its connection to NATS, so it is not known how far this came; look at the swarm, then send the request again";

function away(message: string): SwarmError {
  return new SwarmError("unavailable", message, { retryAfterMs: RECONNECT_RETRY_MS });
}
