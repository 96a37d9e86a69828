// The parts of running code: fibers, the joins that hold them together, and the wishes that they have. fibers.ts moves them. Pure.
import type { Json } from "../../protocol/index.ts";
import type { Flow, NamedOperation } from "../define/operations.ts";
import type { Failure } from "../log/facts.ts";

/** A wish of the code. */
export type Draft =
  | {
      readonly type: "order";
      readonly path: string;
      readonly operation: NamedOperation;
      readonly input?: Json;
    }
  | { readonly type: "mapped"; readonly path: string; readonly items: number }
  | { readonly type: "cancel"; readonly path: string }
  | { readonly type: "patched"; readonly id: string }
  | { readonly type: "status"; readonly progress?: number; readonly note?: string };

/** The end of the code. */
export type CodeEnd =
  | { readonly how: "returned"; readonly output: Json | undefined }
  | { readonly how: "failed"; readonly error: Failure; readonly path?: string }
  | { readonly how: "continued"; readonly input: Json };

/** One generator that runs. */
export interface Fiber {
  readonly flow: Flow<unknown>;
  /** The path of the enclosing item, with its slash; empty at the top. */
  readonly scope: string;
  readonly join: Join | null;
  readonly index: number;
  wait: { path: string; operation: NamedOperation } | Join | null;
  isDropped: boolean;
}

/** Fibers that run side by side, and the fiber that waits for them. */
export interface Join {
  readonly kind: "all" | "race" | "map";
  readonly owner: Fiber;
  readonly live: Set<Fiber>;
  readonly values: unknown[];
  /** Ends still to come, also of items that have not begun. */
  left: number;
  readonly isPatient: boolean;
  /** The first failure that the owner gets at the end. */
  failure: { error: unknown } | null;
  readonly items: MapItems | null;
}

/** The items of a map. */
export interface MapItems {
  readonly path: string;
  readonly list: readonly unknown[];
  readonly each: (item: never, index: number) => unknown;
  next: number;
  readonly tolerates: boolean;
  spare: number;
}

/** A move: a fiber goes on with a value or an error. */
export type Move = { fiber: Fiber; value: unknown; isThrow: boolean };

/** A join of `size` flows that have not begun. */
export function createJoin(
  kind: Join["kind"],
  owner: Fiber,
  size: number,
  { isPatient = false, items = null }: { isPatient?: boolean; items?: MapItems | null },
): Join {
  return {
    kind,
    owner,
    live: new Set(),
    values: new Array(size),
    left: size,
    isPatient,
    failure: null,
    items,
  };
}
