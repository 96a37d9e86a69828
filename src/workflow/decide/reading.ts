// Reads the values that the code yields: flows, foreign values, the options of a map. Pure.
import { isName, type SwarmError, showValue } from "../../protocol/index.ts";
import { DefinitionFault, StepFailure } from "../define/failure.ts";
import type { Flow, Operation } from "../define/operations.ts";
import type { CodeEnd, Draft } from "./fiber.ts";

/** The items of a map in progress without `concurrency`. */
export const DEFAULT_CONCURRENCY = 16;
/** True for a flow. */
export function isFlow(value: unknown): value is Flow<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value && "throw" in value;
}

/** A recorded or wished thing, for people. */
export function describe(kind: string, call: string | undefined): string {
  return call === undefined ? kind : `${kind} "${call}"`;
}

/** A value that is no primitive, for people. */
export function describeForeign(value: unknown): string {
  if (value instanceof Promise) return "a promise";
  if (isFlow(value)) return "a flow without *";
  return showValue(
    typeof value === "object" && value !== null ? Object.prototype.toString.call(value) : value,
  );
}

/** A 32-bit seed from a text (FNV-1a). */
export function seedOf(text: string): number {
  let seed = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) seed = Math.imul(seed ^ text.charCodeAt(at), 0x01000193);
  return seed >>> 0;
}

/** The options of a map over `items` items. @throws DefinitionFault */
export function readMapOptions(
  { concurrency = DEFAULT_CONCURRENCY, tolerate }: { concurrency?: number; tolerate?: number | string },
  items: number,
): { concurrency: number; tolerates: boolean; spare: number } {
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) {
    throw new DefinitionFault(`map expects a concurrency of at least 1, got ${showValue(concurrency)}`);
  }
  if (tolerate === undefined) return { concurrency, tolerates: false, spare: 0 };
  const percent = typeof tolerate === "string" ? /^(\d+(?:\.\d+)?)%$/.exec(tolerate)?.[1] : undefined;
  const spare = percent === undefined ? tolerate : Math.floor((items * Number(percent)) / 100);
  if (typeof spare !== "number" || !Number.isSafeInteger(spare) || spare < 0) {
    throw new DefinitionFault(
      `map tolerates a number of items or a part such as "5%", got ${showValue(tolerate)}`,
    );
  }
  return { concurrency, tolerates: true, spare };
}

/** @throws DefinitionFault for an id of `patched` that is no name. */
export function checkPatch(id: unknown): void {
  if (typeof id === "string" && isName(id)) return;
  throw new DefinitionFault(`patched expects a name, got ${showValue(id)}`);
}

/** @throws DefinitionFault for a progress outside 0 to 1. */
export function checkProgress(progress: number | undefined): void {
  if (progress === undefined || (progress >= 0 && progress <= 1)) return;
  throw new DefinitionFault(`status expects a progress from 0 to 1, got ${showValue(progress)}`);
}

/** The wish of a status; a longer note is cut. */
export function statusDraft({
  progress,
  note,
}: {
  progress: number | undefined;
  note: string | undefined;
}): Draft {
  return {
    type: "status",
    ...(progress === undefined ? {} : { progress }),
    ...(note === undefined ? {} : { note: String(note).slice(0, MAX_NOTE_LENGTH) }),
  };
}

/** The longest note of a status: one line of a list. */
const MAX_NOTE_LENGTH = 256;

/** The flows of `all` and `race`. @throws DefinitionFault */
export function readFlows({
  kind,
  flows,
}: Extract<Operation, { kind: "all" | "race" }>): readonly Flow<unknown>[] {
  if (!Array.isArray(flows) || !flows.every(isFlow)) {
    throw new DefinitionFault(`${kind} expects a list of flows, such as [step(…), step(…)]`);
  }
  if (kind === "race" && flows.length === 0)
    throw new DefinitionFault("race expects at least one flow, got none");
  return flows;
}

/** The most items of one map. A definition with more splits its list, or continues as a new run. */
export const MAX_MAP_ITEMS = 10_000;

/** @throws StepFailure `invalid_input` for a value that a map cannot go over; the code may catch it. */
export function checkItems(path: string, items: unknown): void {
  if (Array.isArray(items) && items.length <= MAX_MAP_ITEMS) return;
  const got = Array.isArray(items) ? `${items.length} items` : showValue(items);
  throw new StepFailure(path, {
    code: "invalid_input",
    message: `${path}: map expects a list of at most ${MAX_MAP_ITEMS} items, got ${got}`,
    field: path,
    retryable: false,
  });
}

/** The end of code that threw a SwarmError. */
export function failedEnd(error: SwarmError): CodeEnd {
  const { code, message, field, retryable } = error;
  return {
    how: "failed",
    error: { code, message, retryable, ...(field === undefined ? {} : { field }) },
    ...(error instanceof StepFailure ? { path: error.path } : {}),
  };
}

/** An exception that is a bug of the code, for people. */
export function describeException(error: unknown): string {
  const shown = error instanceof Error ? `${error.name}: ${error.message}` : showValue(error);
  return `the code threw ${shown}; throw a TerminalError to fail the run on purpose`;
}
