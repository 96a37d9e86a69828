// An operation: one thing that a caller can read from the swarm or change in it over NATS. It is data and one function. Every
// face (the command line, HTTP, and later ones) serves the same operations; a face owns flags, rendering and encodings.
// An operation reads no terminal, no standard input, no file of the caller, no signal and no state of its process.
import type { z } from "zod";
import { type Client, createClient } from "../../client/index.ts";
import type { OfficeClient } from "../../coordinator/index.ts";
import { type AuditNote, type ErrorCode, toSwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import type { SubmitOptions, TaskClient } from "../../work/index.ts";
import type { GroupWorkCounter } from "../office/group-work.ts";
import { auditOperation } from "../office/operation-audit.ts";
import type { ProblemWatch } from "../problems/watch.ts";
import { withinTimeout } from "./time-limit.ts";

/** The right that a caller needs: to look, to submit tasks, to steer the swarm, or to change its foundations. */
export const ACCESS_LEVELS = ["read", "submit", "operate", "admin"] as const;
/** One of {@link ACCESS_LEVELS}. */
export type Access = (typeof ACCESS_LEVELS)[number];

/** The person or program that calls an operation. */
export interface Caller {
  /** The name that configuration histories, verdicts and audit entries show; at most 64 characters. */
  readonly name: string;
  /** The face, as the audit log lists it: `cli`, `api`. */
  readonly role: string;
  /** True: NATS, or a token of the HTTP API, proved the name. Default false: the name is a claim for histories. */
  readonly isProven?: boolean | undefined;
  /** The groups of a proven name, by permissions.yaml or by the file of the API tokens. */
  readonly groups?: readonly string[] | undefined;
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
  /** The class of agents that `swarm-init` makes a stream of placed tasks for; default `default`. */
  readonly agentClass?: string | undefined;
  /** The setting `traceUrl`. */
  readonly traceUrl?: string | undefined;
  /** The groups of agents and their work; only where the permissions, which list the groups, are read. */
  readonly scaling?: Pick<GroupWorkCounter, "count" | "names"> | undefined;
  /** The advice about an operation that NATS refused a user; only in a process that has permissions.yaml. */
  readonly advise?:
    | ((refused: { user: string; operation: "publish" | "subscribe"; subject: string }) => string)
    | undefined;
  /** The watch over the problems of the swarm, in a process that keeps one. Default: the operation looks once. */
  readonly problems?: Pick<ProblemWatch, "report" | "present"> | undefined;
  /** How the request arrived: its encoding and W3C trace context. A submitted task keeps both. */
  readonly request?: SubmitOptions | undefined;
  /** Stores the audit entries of operations. Default: each entry is a chain of its own ({@link auditOperation}). */
  readonly auditor?: Auditor | undefined;
}

/** An operation that a face refused its caller with `not_permitted`, for the audit log. */
export interface RefusedOperation {
  readonly by: string;
  readonly isProven: boolean;
  /** The operation, or the request of HTTP. */
  readonly command: string;
  readonly reason: string;
}

/** Writes one entry into the audit log within `timeoutMs`, and resolves to true when it is stored. Never rejects. */
export type Auditor = (note: AuditNote, timeoutMs: number | undefined) => Promise<boolean>;

/** The context of a running operation: the face's, and the parts that {@link perform} adds. */
export interface PerformContext extends OperationContext {
  /** The client for programs, over the face's connection: submits, runs, watches and cancels tasks. */
  readonly client: Client;
  /** False when the face shows no events: an operation may then save the work for them. */
  readonly wantsEvents: boolean;
}

/** The capabilities that an input touches: the named ones, and the capability of the task. `filter`: an optional filter for one. */
export interface Reach {
  readonly capabilities?: readonly string[] | undefined;
  readonly task?: string | undefined;
  readonly filter?: { readonly capability?: string | undefined } | undefined;
}

/** The facts of an operation's audit entry. Values that people set are none of them: histories have those. */
export interface AuditRule<I = unknown, O = unknown> {
  /** Fields of the input that no entry shows: values, bodies of tasks. */
  readonly keepsBack?: readonly (keyof I & string)[];
  /** False: the input asks for a preview, so that nothing is changed and nothing is noted. */
  isChange?(input: I): boolean;
  /** The facts about the input, instead of its fields. */
  about?(input: I): Record<string, unknown>;
  /** The facts about the output: counts, the id of a new task. */
  outcome?(output: O): Record<string, unknown>;
}

/** True: the operation changes the swarm for others, so that the audit log notes who called it, and how it ended. */
export function isAudited({ access }: Pick<Operation, "access">): boolean {
  return access === "operate" || access === "admin";
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
  /** The access that this input needs, where it is less than `access`: for a task of one's own, or a preview. */
  accessOf?(input: z.output<I>): Access;
  /** The part of the swarm that this input touches, for callers who may touch only some capabilities. Default: more than that. */
  reach?(input: z.output<I>): Reach;
  /**
   * The role whose NATS user alone has the rights that it needs, where no api process has them: the command line then does not send
   * it through the front door.
   */
  readonly role?: "init" | "coordinator";
  /** True: agents may call it too, for their own capabilities. */
  readonly isForAgents?: true;
  /** The audit entry of an operation with the access `operate` or `admin`. Default: every field of the input. */
  readonly audit?: AuditRule<z.output<I>, z.output<O>>;
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

/** Takes one event; the operation waits until the taking is done. */
export type EventSink<E> = (event: E) => void | Promise<void>;

/**
 * Performs an operation to its end and resolves with its output. `onEvent` gets each event in order; an error that it throws
 * ends the operation. An operation with the access `operate` or `admin` leaves an entry in the audit log, also when it fails.
 */
export async function perform<I extends z.ZodType, O extends z.ZodType, E extends z.ZodType>(
  operation: Operation<I, O, E>,
  context: OperationContext,
  input: z.output<I>,
  onEvent?: EventSink<z.output<E>>,
): Promise<z.output<O>> {
  if (!isAudited(operation) || operation.audit?.isChange?.(input) === false) {
    return runToEnd(operation, context, input, onEvent);
  }
  const about = { command: operation.name, ...describeInput(operation, input) };
  let output: z.output<O>;
  try {
    output = await runToEnd(operation, context, input, onEvent);
  } catch (error) {
    await noteOperation(context, { ...about, outcome: toSwarmError(error).code });
    throw error;
  }
  const counts = operation.audit?.outcome?.(output) ?? {};
  return withAudited(output, await noteOperation(context, { ...about, outcome: "done", ...counts }));
}

async function runToEnd<I extends z.ZodType, O extends z.ZodType, E extends z.ZodType>(
  operation: Operation<I, O, E>,
  context: OperationContext,
  input: z.output<I>,
  onEvent: EventSink<z.output<E>> | undefined,
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
      await onEvent?.(step.value);
    }
  } finally {
    // Runs the generator's own cleanup, which closes its subscriptions.
    if (!isAtEnd) await running.return(undefined as never);
  }
}

/** The facts about an input for the audit log: its fields, without the fields that are kept back. */
export function describeInput<I extends z.ZodType, O extends z.ZodType>(
  { audit }: Pick<Operation<I, O>, "audit">,
  input: z.output<I>,
): Record<string, unknown> {
  if (audit?.about !== undefined) return audit.about(input);
  const keepsBack: readonly string[] = audit?.keepsBack ?? [];
  const fields = Object.entries(input as Record<string, unknown>);
  return Object.fromEntries(
    fields.filter(([name, value]) => value !== undefined && !keepsBack.includes(name)),
  );
}

/** How long the note of a failed operation may take, in ms: the caller waits for the error. */
const FAILED_NOTE_MS = 1_000;

/** Notes an operation with its caller, and resolves to true when the entry is stored. Never rejects. */
export function noteOperation(
  context: Pick<OperationContext, "transport" | "caller" | "timeoutMs" | "auditor">,
  facts: { command: string; outcome: string; [about: string]: unknown },
): Promise<boolean> {
  const { transport, caller, timeoutMs, auditor } = context;
  const note = {
    kind: "operation",
    facts: { ...facts, by: caller.name, isProven: caller.isProven === true },
  } as const;
  const limitMs =
    facts.outcome === "done" ? timeoutMs : Math.min(timeoutMs ?? FAILED_NOTE_MS, FAILED_NOTE_MS);
  if (auditor !== undefined) return auditor(note, limitMs);
  return auditOperation({ transport, role: caller.role, timeoutMs: limitMs }, note);
}

/** An output with the fact whether the audit log has its entry, where the output tells it. */
function withAudited<T>(output: T, audited: boolean): T {
  if (typeof output !== "object" || output === null) return output;
  const { report } = output as { report?: unknown };
  return {
    ...output,
    ...("audited" in output ? { audited } : {}),
    ...(report === undefined ? {} : { report: withAudited(report, audited) }),
  };
}

/** `audited` of an output before {@link perform} knows it. */
export const NOT_AUDITED = false;

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
