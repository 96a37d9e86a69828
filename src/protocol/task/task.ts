// A task on the wire: its schema, its defaults and bounds, and its parsing. Its result is in result.ts.
import { z } from "zod";
import { ballotSchema, readPlainBallot } from "../ballot/ballot.ts";
import { adviceQuestionSchema, readPlainSeatQuestion, seatQuestionSchema } from "../ballot/verdict.ts";
import { SwarmError } from "../wire/errors.ts";
import { nameSchema, parse, timeSchema, tokenSchema } from "../wire/schema.ts";
import {
  isName,
  isToken,
  NO_SCOPE,
  PRIORITIES,
  PRIORITY_WEIGHTS,
  type Priority,
  WORKFLOW_CAPABILITY,
} from "../wire/subjects.ts";
import { routeSchema } from "./placement.ts";

/** The default limit of one attempt, in ms. */
export const DEFAULT_TIMEOUT_MS = 300_000;
/** The longest `timeoutMs`: one day. */
export const MAX_TIMEOUT_MS = 86_400_000;
/** The most hand-offs of one task. It stops agents that pass a task in a circle by mistake. */
export const MAX_HAND_OFFS = 8;
/** The most labels on a task. */
export const MAX_LABELS = 16;
/** The longest delay, in ms: 366 days. It bounds `notBefore` and the wait between retries. */
export const MAX_DELAY_MS = 366 * 86_400_000;
/** The default retry policy. */
export const DEFAULT_RETRY = {
  max: 3,
  backoffMs: 500,
  factor: 2,
  maxBackoffMs: 60_000,
  jitter: 0.2,
} as const;

/**
 * The retry policy of a task. `max` is the number of retries after the first attempt: 3 means at most four attempts.
 * The wait after failure n is `backoffMs × factor^(n−1)`, at most `maxBackoffMs`, spread by ±`jitter`.
 */
export const retrySchema = z.strictObject({
  max: z.int().min(0).max(100).default(DEFAULT_RETRY.max),
  backoffMs: z.number().min(0).max(MAX_DELAY_MS).default(DEFAULT_RETRY.backoffMs),
  factor: z.number().min(1).max(100).default(DEFAULT_RETRY.factor),
  maxBackoffMs: z.number().min(0).max(MAX_DELAY_MS).default(DEFAULT_RETRY.maxBackoffMs),
  jitter: z.number().min(0).max(1).default(DEFAULT_RETRY.jitter),
});

/** A blob reference. It replaces a body over 512 KiB. */
export const blobSchema = z.strictObject({
  $blob: z.string().regex(/^[0-9a-f]{64}$/, "must be a sha256 in lower-case hex"),
  bytes: z.int().min(0),
});

const unsupported = (field: string) =>
  z.undefined({ error: `${field} is not supported by this version; leave it out` }).optional();

/** A task's labels. */
export const labelsSchema = z
  .record(tokenSchema, z.string().max(256))
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, `at most ${MAX_LABELS} labels`)
  .meta({ maxProperties: MAX_LABELS }); // zod does not export a refinement to the JSON Schema

/** A task as a publisher writes it. Unknown fields are rejected, because a misspelt option must not be ignored. */
export const taskSchema = z.strictObject({
  id: nameSchema.optional(),
  capability: nameSchema.refine(
    (name) => name !== WORKFLOW_CAPABILITY,
    `must not be ${WORKFLOW_CAPABILITY}, which is reserved for the results of workflows; murmur workflow start begins a run`,
  ),
  input: z.unknown().optional(),
  priority: z.enum(PRIORITIES).default("normal"),
  scope: tokenSchema.default(NO_SCOPE),
  labels: labelsSchema.optional(),
  deadline: timeSchema.optional(),
  notBefore: z.union([timeSchema, z.number().min(0).max(MAX_DELAY_MS)]).optional(),
  timeoutMs: z.number().min(1).max(MAX_TIMEOUT_MS).default(DEFAULT_TIMEOUT_MS),
  retry: retrySchema.optional(),
  route: routeSchema.default("queue"),
  ballot: ballotSchema.optional(),
  session: unsupported("session"),
  budget: unsupported("budget"),
});

const questionSchema = z.union([seatQuestionSchema, adviceQuestionSchema]);

/** A task that the office placed as the question to a ballot's seat. Publishers cannot set the fields that it adds. */
export const placedTaskSchema = taskSchema.extend({
  /** The question, in addition to the input. */
  question: questionSchema.optional(),
  /** The blob with the input as JSON. Set if the input is too large for the control log. */
  inputRef: blobSchema.optional(),
});

/** A task as a publisher may write it. */
export type TaskInput = z.input<typeof taskSchema>;
/** A task with its defaults filled in. */
export type Task = z.output<typeof placedTaskSchema>;
/** A retry policy with its defaults filled in. */
export type RetryPolicy = z.output<typeof retrySchema>;

/** Parses a task. Throws `invalid_input` naming the field. */
export function parseTask(value: unknown): Task {
  return readPlainTask(value) ?? checkRoute(parse(taskSchema, value, "task"));
}

/**
 * Reads a task that has only the most common fields, each with a good value, as {@link taskSchema} does; undefined for every
 * other value, which the schema must judge. Most tasks are plain, and the schema costs 5 % of the CPU time of a worker.
 * `isPlaced`: reads as the schema of placed tasks does, so the task may have a question.
 */
export function readPlainTask(value: unknown, isPlaced = false): Task | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (Object.getPrototypeOf(value) !== Object.prototype) return undefined;
  let id: string | undefined;
  let capability: string | undefined;
  let input: unknown;
  let priority: Priority = "normal";
  let scope: string = NO_SCOPE;
  let timeoutMs: number = DEFAULT_TIMEOUT_MS;
  let question: Task["question"];
  let ballot: Task["ballot"];
  for (const key in value) {
    const field = (value as Record<string, unknown>)[key];
    switch (key) {
      case "input":
        if (field === undefined) return undefined;
        input = field;
        break;
      case "id":
        if (typeof field !== "string" || !isName(field)) return undefined;
        id = field;
        break;
      case "capability":
        if (typeof field !== "string" || !isName(field) || field === WORKFLOW_CAPABILITY) return undefined;
        capability = field;
        break;
      case "priority":
        if (typeof field !== "string" || !Object.hasOwn(PRIORITY_WEIGHTS, field)) return undefined;
        priority = field as Priority;
        break;
      case "scope":
        if (typeof field !== "string" || !isToken(field)) return undefined;
        scope = field;
        break;
      case "timeoutMs":
        if (typeof field !== "number" || !(field >= 1 && field <= MAX_TIMEOUT_MS)) return undefined;
        timeoutMs = field;
        break;
      case "route":
        if (field !== "queue") return undefined; // our own clients write the default
        break;
      case "question":
        question = isPlaced
          ? (readPlainSeatQuestion(field) ?? questionSchema.safeParse(field).data)
          : undefined;
        if (question === undefined) return undefined;
        break;
      case "ballot":
        ballot = readPlainBallot(field);
        if (ballot === undefined) return undefined;
        break;
      default:
        return undefined;
    }
  }
  if (capability === undefined) return undefined;
  const task: Task = { capability, priority, scope, timeoutMs, route: "queue" };
  if (id !== undefined) task.id = id;
  if (input !== undefined) task.input = input;
  if (question !== undefined) task.question = question;
  if (ballot !== undefined) task.ballot = ballot;
  return task;
}

function parsePlacedTask(value: unknown): Task {
  return readPlainTask(value, true) ?? parse(placedTaskSchema, value, "task");
}

/** Rejects a ballot with a route: the office chooses the agents of the seats, so it would ignore the route. */
function checkRoute<T extends Task>(task: T): T {
  if (task.ballot === undefined || task.route === "queue") return task;
  throw new SwarmError(
    "invalid_input",
    "task: route: the office chooses the agents of a task with a ballot; leave out route, or leave out ballot",
    { field: "route" },
  );
}

/**
 * Parses a task that arrived on a subject. Id, capability, priority and scope come from the subject. The body may repeat
 * them but must not contradict them. `isPlaced`: only the office and hosts publish on this subject, so the body may
 * contain a ballot's question. Throws `invalid_input` naming the field.
 */
export function parseTaskAt(
  value: unknown,
  at: { capability: string; priority: (typeof PRIORITIES)[number]; scope: string; taskId: string },
  isPlaced = false,
): Task & { id: string } {
  const task = isPlaced ? parsePlacedTask(value) : parseTask(value);
  const body = value as Record<string, unknown>;
  refuseContradiction("id", body.id, at.taskId);
  refuseContradiction("capability", body.capability, at.capability);
  refuseContradiction("priority", body.priority, at.priority);
  refuseContradiction("scope", body.scope, at.scope);
  task.priority = at.priority;
  task.scope = at.scope;
  return Object.assign(task, { id: at.taskId });
}

function refuseContradiction(field: string, inBody: unknown, inSubject: string): void {
  if (inBody === undefined || inBody === inSubject) return;
  throw new SwarmError(
    "invalid_input",
    `task: ${field} is ${String(inBody)} in the body but ${inSubject} in the subject`,
    {
      field,
    },
  );
}
