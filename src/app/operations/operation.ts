// An operation: one thing that a caller can read from the swarm or change in it over NATS. It is data and one function. Every
// face (the command line, HTTP, and later ones) serves the same operations; a face owns flags, rendering and encodings.
// An operation reads no terminal, no standard input, no file of the caller, no signal and no state of its process.
import type { z } from "zod";
import { type Client, createClient } from "../../client/index.ts";
import type { OfficeClient } from "../../coordinator/index.ts";
import type { ErrorCode } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { SubmitOptions, TaskClient } from "../../work/index.ts";
import type { GroupWorkCounter } from "../office/group-work.ts";
import { withinTimeout } from "./time-limit.ts";

/** The right that a caller needs: to look, to submit tasks, to steer the swarm, or to change its foundations. */
export const ACCESS_LEVELS = ["read", "submit", "operate", "admin"] as const;
/** One of {@link ACCESS_LEVELS}. */
export type Access = (typeof ACCESS_LEVELS)[number];

/** The person or program that calls an operation. It is a name for histories, not a proof of identity. */
export interface Caller {
  /** The name that configuration histories, verdicts and audit entries show; at most 64 characters. */
  readonly name: string;
  /** The face, as the audit log lists it: `cli`, `api`. */
  readonly role: string;
}

/** Everything that an operation may use. The face owns the connection and closes it. */
export interface OperationContext {
  readonly transport: Transport;
  readonly tasks: TaskClient;
  readonly office: OfficeClient;
  /** Aborts when the caller no longer waits. */
  readonly signal: AbortSignal;
  readonly caller: Caller;
  /**
   * How long the caller waits for one answer of the swarm, in ms. Without it, requests to the office wait 5,000 ms, and reads
   * of the streams end only when NATS answers or fails.
   */
  readonly timeoutMs?: number | undefined;
  /** The groups of agents and their work; only where the permissions, which list the groups, are read. */
  readonly scaling?: Pick<GroupWorkCounter, "count" | "names"> | undefined;
  /** How the request arrived: its encoding and W3C trace context. A submitted task keeps both. */
  readonly request?: SubmitOptions | undefined;
}

/** The context of a running operation: the face's, and the parts that {@link perform} adds. */
export interface PerformContext extends OperationContext {
  /** The client for programs, over the face's connection: submits, runs, watches and cancels tasks. */
  readonly client: Client;
  /** False when the face shows no events: an operation may then save the work for them. */
  readonly wantsEvents: boolean;
}

/** One operation. Its types end at the table: the schemas check what goes in and out. */
export interface Operation<
  I extends z.ZodType = z.ZodType,
  O extends z.ZodType = z.ZodType,
  E extends z.ZodType = z.ZodType,
> {
  /** A token of a NATS subject, `<thing>-<verb>`: `task-list`. Unique in the table. */
  readonly name: string;
  /** One line: a verb and its object. */
  readonly summary: string;
  readonly input: I;
  readonly output: O;
  /** The schema of its events; without it, the operation yields none. */
  readonly event?: E;
  /** The error codes of the operation itself. `invalid_input`, `unavailable` and `internal` are possible for every operation. */
  readonly errors: readonly ErrorCode[];
  readonly access: Access;
  /** True: it reads as much as is stored, so that the caller's time limits each answer of the swarm and not the whole. */
  readonly takesLong?: true;
  /** Performs the operation. An async generator yields events and returns the output. */
  run(
    context: PerformContext,
    input: z.output<I>,
  ): Promise<z.output<O>> | AsyncGenerator<z.output<E>, z.output<O>>;
}

/** Gives an operation its types. */
export function defineOperation<I extends z.ZodType, O extends z.ZodType, E extends z.ZodType = z.ZodNever>(
  operation: Operation<I, O, E>,
): Operation<I, O, E> {
  return operation;
}

/**
 * Performs an operation to its end and resolves with its output. `onEvent` gets each event in order; an error that it throws
 * ends the operation.
 */
export async function perform<I extends z.ZodType, O extends z.ZodType, E extends z.ZodType>(
  operation: Operation<I, O, E>,
  context: OperationContext,
  input: z.output<I>,
  onEvent?: (event: z.output<E>) => void,
): Promise<z.output<O>> {
  const { transport, tasks } = context;
  const client = await createClient({ transport, tasks });
  const running = operation.run({ ...context, client, wantsEvents: onEvent !== undefined }, input);
  if (!(Symbol.asyncIterator in running)) return running;
  let isAtEnd = false;
  try {
    for (;;) {
      const step = await running.next();
      isAtEnd = step.done === true;
      if (step.done === true) return step.value;
      onEvent?.(step.value);
    }
  } finally {
    // Runs the generator's own cleanup, which closes its subscriptions.
    if (!isAtEnd) await running.return(undefined as never);
  }
}

/** A read of the swarm that ends after the caller's time. @throws SwarmError `unavailable` after `timeoutMs`. */
export function readWithin<T>({ timeoutMs }: OperationContext, work: Promise<T>): Promise<T> {
  return timeoutMs === undefined ? work : withinTimeout(work, timeoutMs, "the swarm did not answer");
}

/** Reads the swarm in steps; the caller's time limits each step. @throws SwarmError `unavailable` after `timeoutMs`. */
export async function* stepWithin<E, T>(
  context: OperationContext,
  steps: AsyncGenerator<E, T>,
): AsyncGenerator<E, T> {
  for (;;) {
    const step = await readWithin(context, steps.next());
    if (step.done === true) return step.value;
    yield step.value;
  }
}
