// The report about one run, from its log: its state, and every step with its state and times. Pure.
import { z } from "zod";
import { toIsoTime, tryJson } from "../../base/index.ts";
import { isJsonObject, type Json, resultErrorSchema } from "../../protocol/index.ts";
import { type Fold, type Graph, type Op, readSource, stateOf, summaryOf } from "../../workflow/index.ts";
import { outlineOf, outlineSchema } from "./workflow-outline.ts";

/** The states of a run. */
export const RUN_STATES = [
  "pending",
  "running",
  "paused",
  "blocked",
  "compensating",
  "compensation_failed",
  "completed",
  "failed",
  "cancelled",
  "compensated",
] as const;

/** The reasons of a wait. */
export const RUN_WAITING_REASONS = ["human", "signal", "task", "workflow", "timer"] as const;

/** A JSON value; its JSON Schema allows every value. */
const json: z.ZodType<Json> = z.unknown() as z.ZodType<Json>;

const waitingSchema = z.object({
  reason: z.enum(RUN_WAITING_REASONS),
  path: z.string().optional(),
  count: z.int(),
  by: z.array(z.string()).optional(),
  dueMs: z.number().optional(),
  /** The time of its order, in ms since 1970. */
  sinceMs: z.number().optional(),
});

/** One run in a list. */
export const runSchema = z.object({
  id: z.string(),
  name: z.string(),
  version: z.int(),
  state: z.enum(RUN_STATES),
  generation: z.int(),
  entries: z.int(),
  bytes: z.int(),
  /** From 0 to 1, as the code told it. */
  progress: z.number().optional(),
  note: z.string().optional(),
  waiting: waitingSchema.optional(),
  /** The reason of a blocked run. */
  blocked: z.object({ cause: z.string(), message: z.string() }).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  parent: z.string().optional(),
});

/** The states of a step in a report. `undone`: its compensation completed. */
export const ORDER_STATES = [
  "open",
  "cancelling",
  "completed",
  "failed",
  "cancelled",
  "dropped",
  "undone",
  "skipped",
] as const;

const stepSchema = z.object({
  path: z.string(),
  kind: z.enum(["step", "child", "sleep", "signal", "approval", "undo", "shared"]),
  state: z.enum(ORDER_STATES),
  /** The capability, or the name of a child's workflow. */
  call: z.string().optional(),
  /** The id of its task or child. */
  task: z.string().optional(),
  orderedAt: z.string(),
  endedAt: z.string().optional(),
  output: json.optional(),
  error: resultErrorSchema.optional(),
  /** The capability of its compensation. */
  undo: z.string().optional(),
  pivot: z.literal(true).optional(),
  /** The end of a wait. */
  due: z.string().optional(),
  by: z.array(z.string()).optional(),
});

/** The report about one run. */
export const reportSchema = runSchema.extend({
  startedAt: z.string(),
  /** The time of the last entry. */
  at: z.string(),
  input: json,
  output: json.optional(),
  error: resultErrorSchema.optional(),
  /** The reason why the run is blocked, with the view of the log and the view of the code. */
  blocked: z
    .object({
      cause: z.string(),
      message: z.string(),
      path: z.string().optional(),
      log: z.string().optional(),
      code: z.string().optional(),
    })
    .optional(),
  /** The maps with their numbers of items. */
  maps: z.array(z.object({ path: z.string(), items: z.int(), ended: z.int() })),
  /** The nodes of the definition in their order, where it is data; else empty. */
  outline: z.array(outlineSchema),
  steps: z.array(stepSchema),
  /** The steps that the report leaves out, because they are many. */
  more: z.int(),
  /** For each capability of an open step that no agent takes now: the reason. */
  absent: z.array(z.string()),
});

/** The report about one run. */
export type RunReport = z.output<typeof reportSchema>;

/** The most steps of a report: the first ones, and all that are open or failed. */
export const MAX_REPORTED_STEPS = 500;

/** Makes the report. `texts` are the entries of the log, for their times. */
export function reportOf(fold: Fold, texts: readonly string[]): RunReport {
  const times = texts.map((text) => {
    const entry = tryJson(text);
    return isJsonObject(entry) && typeof entry.atMs === "number" ? entry.atMs : 0;
  });
  const { begun, finish, blocked } = fold;
  const all = [...fold.ops.values()];
  const matters = (op: Op, index: number) =>
    index < MAX_REPORTED_STEPS / 2 || (op.outcome?.status ?? "failed") !== "completed";
  const chosen = all.filter(matters).slice(0, MAX_REPORTED_STEPS);
  return {
    ...summaryOf(fold),
    state: stateOf(fold),
    startedAt: toIsoTime(fold.begunAtMs),
    at: toIsoTime(fold.atMs),
    input: begun?.input ?? null,
    ...(finish?.how === "returned" && finish.output !== undefined ? { output: finish.output } : {}),
    ...(finish?.how === "failed" ? { error: finish.error } : {}),
    ...(blocked === null
      ? {}
      : {
          blocked: {
            cause: blocked.cause,
            message: blocked.message,
            ...(blocked.path === undefined ? {} : { path: blocked.path }),
            ...(blocked.log === undefined ? {} : { log: blocked.log }),
            ...(blocked.code === undefined ? {} : { code: blocked.code }),
          },
        }),
    maps: [...fold.maps].map(([path, items]) => ({ path, items, ended: countEnded(all, path) })),
    outline: outlineOf(graphOf(fold)?.steps ?? []),
    steps: chosen.map((op) => stepOf(fold, op, times)),
    more: all.length - chosen.length,
    absent: [] as string[],
  } as RunReport;
}

/** The graph of a run whose definition is data; null for a definition that is code. */
export function graphOf({ begun }: Fold): Graph | null {
  return begun?.definition === undefined ? null : (readSource(begun.definition)?.graph ?? null);
}

/** The capabilities that the open steps of a report wait for, each once. */
export function awaitedCapabilities({ steps }: RunReport): string[] {
  const open = steps.filter(({ kind, state }) => state === "open" && (kind === "step" || kind === "undo"));
  return [...new Set(open.flatMap(({ call }) => call ?? []))];
}

/** The items of a map with an end: a step of theirs has one, and none is open. */
function countEnded(ops: readonly Op[], map: string): number {
  const items = new Map<string, boolean>();
  for (const { path, outcome } of ops) {
    if (!path.startsWith(`${map}/`)) continue;
    const item = path.slice(map.length + 1).split("/", 1)[0] ?? "";
    items.set(item, (items.get(item) ?? true) && outcome !== undefined);
  }
  return [...items.values()].filter(Boolean).length;
}

function stepOf(fold: Fold, op: Op, times: readonly number[]): RunReport["steps"][number] {
  const { path, kind, call, n, outcome, undo, pivot, dueMs, by, settledAtMs } = op;
  const isOpen = fold.open[kind].has(path);
  const orderedAtMs = times[op.entry - 1] ?? fold.begunAtMs;
  return {
    path,
    kind,
    state: stateOfStep(fold, op),
    ...(call === undefined ? {} : { call }),
    ...(n === undefined || kind === "shared" ? {} : { task: `${fold.id}-${n}` }),
    orderedAt: toIsoTime(orderedAtMs),
    ...(settledAtMs === undefined ? {} : { endedAt: toIsoTime(settledAtMs) }),
    ...(outcome?.status === "completed" && outcome.output !== undefined ? { output: outcome.output } : {}),
    ...(outcome !== undefined && outcome.status !== "completed" ? { error: outcome.error } : {}),
    ...(undo === undefined ? {} : { undo: undo.call }),
    ...(pivot === true ? { pivot } : {}),
    ...(isOpen && dueMs !== undefined ? { due: toIsoTime(dueMs) } : {}),
    ...(isOpen && by !== undefined ? { by: [...by] } : {}),
  };
}

function stateOfStep(fold: Fold, { path, kind, outcome, cancelledIn }: Op): (typeof ORDER_STATES)[number] {
  const undone = kind === "undo" ? undefined : fold.undone.get(path);
  if (undone !== undefined) return undone;
  if (outcome !== undefined) return outcome.status;
  if (!fold.open[kind].has(path)) return "dropped";
  return cancelledIn === undefined ? "open" : "cancelling";
}
