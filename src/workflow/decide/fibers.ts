// Runs the code of a workflow over its fold. Each generator is a fiber; `all`, `race` and `map` start further ones. The fibers take the
// settlements of the log in their order, and their new wishes become drafts. They change nothing themselves: the decider makes facts of
// the drafts, or drops them when the run is blocked.
//
// I1  A wait is known by its path, never by its position. A path that the log has settled gives its outcome as soon as the code asks
//     for it and the settlement was passed; so code may change around it.
// I2  The same code over the same fold makes the same moves, whether it ran at once or is replayed: settlements are taken one by
//     one, and after each of them all fibers run until they wait.
// I3  After a block, no fiber moves. The decider drops the whole object.
// Pure.
import { type Chance, seededChance } from "../../base/index.ts";
import { isName, SwarmError, showValue } from "../../protocol/index.ts";
import type { WorkflowDefinition } from "../define/define.ts";
import { DefinitionFault, StepFailure } from "../define/failure.ts";
import {
  type Flow,
  isOperation,
  type NamedOperation,
  type Operation,
  type Settled,
} from "../define/operations.ts";
import type { Blocked, Outcome } from "../log/facts.ts";
import { type Fold, listOpen, type Op } from "../log/fold.ts";
import { checkNamed } from "./check.ts";
import { type CodeEnd, createJoin, type Draft, type Fiber, type Join, type Move } from "./fiber.ts";
import {
  checkItems,
  checkPatch,
  checkProgress,
  describe,
  describeException,
  describeForeign,
  failedEnd,
  isFlow,
  readFlows,
  readMapOptions,
  seedOf,
  statusDraft,
} from "./reading.ts";
import { plainJson, readInput, readOutcome, readOutput } from "./values.ts";

/**
 * The most moves of all fibers after one settlement, besides two for each recorded path: code that makes more never waits. The
 * largest map with every item in progress makes 20,000.
 */
const MAX_MOVES = 100_000;

/** The running code of one run. */
export class Fibers {
  readonly #definition: WorkflowDefinition;
  readonly #fold: Fold;
  readonly #waiting = new Map<string, Fiber>();
  readonly #used = new Set<string>();
  readonly #chances = new Map<string, Chance>();
  /** Null in the place of an order that was cancelled before the decision ended. */
  #drafts: (Draft | null)[] = [];
  /** The places of orders in the drafts. */
  readonly #ordered = new Map<string, number>();
  #moves: Move[] = [];
  #cursor = 0;
  #moved = 0;
  #nowMs: number;
  #blocked: Blocked | null = null;
  #end: CodeEnd | null = null;

  constructor(definition: WorkflowDefinition, fold: Fold) {
    this.#definition = definition;
    this.#fold = fold;
    this.#nowMs = fold.begunAtMs;
    const input = plainJson(fold.begun?.input ?? null, "input");
    const parsed =
      definition.input === undefined ? { success: true, data: input } : definition.input.safeParse(input);
    if (!parsed.success) {
      this.#block({
        cause: "code",
        message: `the input of the run does not fit the schema of ${definition.name} v${definition.version}`,
      });
      return;
    }
    const run = definition.run;
    this.#begin({
      flow: (function* () {
        return yield* run(parsed.data);
      })(),
      scope: "",
      join: null,
      index: 0,
    });
  }

  /** The reason why the code cannot go on. */
  get blocked(): Blocked | null {
    return this.#blocked;
  }

  /** The end of the code, once it has one. */
  get end(): CodeEnd | null {
    return this.#end;
  }

  /** Lets the code take every settlement of the fold. */
  advance(): void {
    this.#moved = 0;
    this.#run();
    while (this.#isLive && this.#cursor < this.#fold.settlements.length) {
      const path = this.#fold.settlements[this.#cursor++];
      if (path === null || path === undefined) continue;
      const fiber = this.#waiting.get(path);
      if (fiber === undefined) continue;
      this.#moved = 0;
      this.#resume(fiber, path, this.#fold.ops.get(path) as Op);
      this.#run();
    }
  }

  /** The wishes since the last call. */
  takeDrafts(): Draft[] {
    const drafts = this.#drafts.filter((draft) => draft !== null);
    this.#drafts = [];
    this.#ordered.clear();
    return drafts;
  }

  /** An open path of the log that the code did not ask for; undefined when there is none. */
  findUnasked(): Op | undefined {
    return listOpen(this.#fold).find(({ path }) => !this.#used.has(path));
  }

  get #isLive(): boolean {
    return this.#blocked === null && this.#end === null;
  }

  /** True while the code passes what an earlier decision made. */
  get #isReplaying(): boolean {
    return this.#cursor <= this.#fold.delivered;
  }

  #begin(parts: Pick<Fiber, "flow" | "scope" | "join" | "index">): void {
    const fiber: Fiber = { ...parts, wait: null, isDropped: false };
    parts.join?.live.add(fiber);
    this.#moves.push({ fiber, value: undefined, isThrow: false });
  }

  #go(fiber: Fiber, value: unknown): void {
    fiber.wait = null;
    this.#moves.push({ fiber, value, isThrow: false });
  }

  #fail(fiber: Fiber, error: unknown): void {
    fiber.wait = null;
    this.#moves.push({ fiber, value: error, isThrow: true });
  }

  /** Moves all fibers until each waits. */
  #run(): void {
    for (let at = 0; at < this.#moves.length; at++) {
      const move = this.#moves[at] as Move;
      if (!this.#isLive) break;
      if (!move.fiber.isDropped) this.#move(move);
    }
    this.#moves = [];
  }

  #move({ fiber, value, isThrow }: Move): void {
    let sent = value;
    let throws = isThrow;
    for (;;) {
      if (++this.#moved > MAX_MOVES + 2 * this.#fold.ops.size) {
        this.#block({ cause: "endless", message: `the code made over ${MAX_MOVES} moves without a wait` });
        return;
      }
      let turn: IteratorResult<unknown, unknown>;
      try {
        turn = throws ? fiber.flow.throw(sent) : fiber.flow.next(sent);
      } catch (error) {
        this.#failed(fiber, error);
        return;
      }
      if (turn.done === true) {
        this.#returned(fiber, turn.value);
        return;
      }
      throws = false;
      try {
        const answer = this.#reach(fiber, turn.value);
        if (answer === null) return;
        sent = answer.value;
      } catch (error) {
        if (error instanceof DefinitionFault) {
          this.#block({ cause: "code", message: error.message });
          return;
        }
        sent = error;
        throws = true;
      }
    }
  }

  /** Performs an operation: the value if it is there at once, or null when the fiber waits. */
  #reach(fiber: Fiber, yielded: unknown): { value: unknown } | null {
    if (!isOperation(yielded)) {
      this.#block({
        cause: "foreign-yield",
        message: `the code yielded ${describeForeign(yielded)}; write yield* before a primitive, and put everything that waits into a step`,
      });
      return null;
    }
    const operation: Operation = yielded;
    switch (operation.kind) {
      case "now":
        return { value: this.#nowMs };
      case "random":
        return { value: this.#chanceOf(fiber.scope).next() };
      case "patched":
        return { value: this.#patched(operation.id) };
      case "status":
        checkProgress(operation.progress);
        if (!this.#isReplaying) this.#drafts.push(statusDraft(operation));
        return { value: undefined };
      case "all":
      case "race":
        this.#fork(fiber, operation);
        return null;
      case "map":
        this.#map(fiber, operation);
        return null;
      case "continueAs":
        return this.#continue(fiber, operation.input);
      default:
        return this.#wait(fiber, operation);
    }
  }

  #wait(fiber: Fiber, operation: NamedOperation): { value: unknown } | null {
    const path = this.#claim(fiber, operation.name);
    if (path === null) return null;
    checkNamed(operation, this.#definition);
    const op = this.#fold.ops.get(path);
    if (op !== undefined && !this.#fits(op, operation)) return null;
    if (op === undefined && this.#fold.maps.has(path)) {
      this.#changed(path, "map", operation.kind);
      return null;
    }
    fiber.wait = { path, operation };
    if (op?.settled !== undefined && op.settled < this.#cursor) {
      this.#resume(fiber, path, op);
      return null;
    }
    this.#waiting.set(path, fiber);
    if (op === undefined) {
      this.#ordered.set(
        path,
        this.#drafts.push({ type: "order", path, operation, ...readInput(operation, path) }) - 1,
      );
    }
    return null;
  }

  /** The path of a name in the fiber's scope; null after a block. */
  #claim(fiber: Fiber, name: string): string | null {
    if (typeof name !== "string" || !isName(name)) {
      throw new DefinitionFault(
        `a name must be 1–64 of A–Z a–z 0–9 _ -, and not "-", got ${showValue(name)}${fiber.scope === "" ? "" : ` in ${fiber.scope.slice(0, -1)}`}`,
      );
    }
    const path = fiber.scope + name;
    if (this.#used.has(path)) {
      this.#block({
        cause: "repeated-name",
        path,
        message: `the name ${path} is used twice; give each step of a loop a name of its own, such as \`${name}-\${index}\``,
      });
      return null;
    }
    this.#used.add(path);
    return path;
  }

  #fits(op: Op, operation: NamedOperation): boolean {
    const call = "call" in operation ? operation.call : undefined;
    if (op.kind === operation.kind && op.call === call) return true;
    this.#changed(op.path, describe(op.kind, op.call), describe(operation.kind, call));
    return false;
  }

  #changed(path: string, log: string, code: string): void {
    this.#block({
      cause: "changed",
      path,
      log,
      code,
      message: `${path} is ${log} in the log, and ${code} in the code; give the new one another name`,
    });
  }

  /** Gives a fiber the outcome that it waits for. */
  #resume(fiber: Fiber, path: string, op: Op): void {
    this.#waiting.delete(path);
    this.#nowMs = Math.max(this.#nowMs, op.settledAtMs ?? 0);
    const { operation } = fiber.wait as { operation: NamedOperation };
    const answer = readOutcome(operation, op.outcome as Outcome, path);
    if (answer.ok) this.#go(fiber, answer.value);
    else this.#fail(fiber, new StepFailure(path, answer.error));
  }

  #fork(owner: Fiber, operation: Extract<Operation, { kind: "all" | "race" }>): void {
    const flows = readFlows(operation);
    const join = createJoin(operation.kind, owner, flows.length, {
      isPatient: operation.kind === "all" && operation.settle === "all",
    });
    owner.wait = join;
    for (const [index, flow] of flows.entries()) this.#begin({ flow, scope: owner.scope, join, index });
    if (join.left === 0) this.#go(owner, join.values);
  }

  #map(owner: Fiber, operation: Extract<Operation, { kind: "map" }>): void {
    const path = this.#claim(owner, operation.name);
    if (path === null) return;
    const { items, options, each } = operation;
    checkItems(path, items);
    const known = this.#fold.ops.get(path);
    if (known !== undefined) {
      this.#changed(path, describe(known.kind, known.call), "map");
      return;
    }
    const { concurrency, ...limits } = readMapOptions(options, items.length);
    if (!this.#fold.maps.has(path)) this.#drafts.push({ type: "mapped", path, items: items.length });
    const join = createJoin("map", owner, items.length, {
      items: { path, list: items, each, next: 0, ...limits },
    });
    owner.wait = join;
    if (join.left === 0) this.#go(owner, join.values);
    for (let count = 0; count < concurrency; count++) this.#beginItem(join);
  }

  /** Begins the next item of a map, if there is one. */
  #beginItem(join: Join): void {
    const { items } = join;
    if (items === null || items.next >= items.list.length) return;
    const index = items.next++;
    const { each, list, path } = items;
    const flow = (function* (): Flow<unknown> {
      const value = each(list[index] as never, index);
      return isFlow(value) ? yield* value : value;
    })();
    this.#begin({ flow, scope: `${path}/${index}/`, join, index });
  }

  #returned(fiber: Fiber, value: unknown): void {
    const { join } = fiber;
    if (join === null) {
      this.#finishCode(value);
      return;
    }
    join.live.delete(fiber);
    if (join.kind === "race") {
      this.#cancelAll(join);
      this.#go(join.owner, value);
      return;
    }
    join.values[fiber.index] =
      join.items?.tolerates === true ? ({ ok: true, value } satisfies Settled<unknown>) : value;
    this.#settleOne(join);
  }

  #failed(fiber: Fiber, error: unknown): void {
    if (!(error instanceof SwarmError)) {
      this.#block({ cause: "code", message: describeException(error) });
      return;
    }
    const { join } = fiber;
    if (join === null) {
      this.#end = failedEnd(error);
      return;
    }
    join.live.delete(fiber);
    if (join.items?.tolerates === true && join.items.spare > 0) {
      join.items.spare--;
      join.values[fiber.index] = { ok: false, error } satisfies Settled<unknown>;
      this.#settleOne(join);
    } else if (join.isPatient) {
      join.failure ??= { error };
      this.#settleOne(join);
    } else {
      this.#cancelAll(join);
      this.#fail(join.owner, error);
    }
  }

  /** Counts the end of one flow; the owner goes on after the last. */
  #settleOne(join: Join): void {
    join.left--;
    if (join.left > 0) this.#beginItem(join);
    else if (join.failure === null) this.#go(join.owner, join.values);
    else this.#fail(join.owner, join.failure.error);
  }

  #cancelAll(join: Join): void {
    for (const fiber of join.live) this.#cancel(fiber);
    join.live.clear();
  }

  #cancel(fiber: Fiber): void {
    fiber.isDropped = true;
    const { wait } = fiber;
    if (wait === null) return;
    if ("live" in wait) {
      this.#cancelAll(wait);
      return;
    }
    this.#waiting.delete(wait.path);
    const op = this.#fold.ops.get(wait.path);
    if (op !== undefined) {
      if (op.outcome === undefined && op.cancelledIn === undefined)
        this.#drafts.push({ type: "cancel", path: wait.path });
    } else {
      // The code wished for it in this decision, so no task was published.
      const place = this.#ordered.get(wait.path);
      if (place !== undefined) this.#drafts[place] = null;
      this.#ordered.delete(wait.path);
    }
  }

  #finishCode(value: unknown): void {
    try {
      this.#end = { how: "returned", output: readOutput(this.#definition, value) };
    } catch (error) {
      if (!(error instanceof DefinitionFault)) throw error;
      this.#block({ cause: "code", message: error.message });
    }
  }

  #continue(fiber: Fiber, input: unknown): { value: unknown } | null {
    const others = this.#waiting.size > 0 || fiber.join !== null;
    if (others) {
      throw new DefinitionFault(
        "continueAs expects that nothing else runs: call it at the top, not inside all, race or map",
      );
    }
    this.#end = { how: "continued", input: plainJson(input ?? null, "input") };
    return null;
  }

  #patched(id: string): boolean {
    checkPatch(id);
    if (this.#fold.patches.has(id)) return true;
    if (this.#drafts.some((draft) => draft?.type === "patched" && draft.id === id)) return true;
    if (this.#isReplaying) return false;
    this.#drafts.push({ type: "patched", id });
    return true;
  }

  #chanceOf(scope: string): Chance {
    const known = this.#chances.get(scope);
    if (known !== undefined) return known;
    const chance = seededChance(seedOf(`${this.#fold.id} ${this.#fold.begun?.generation ?? 1} ${scope}`));
    this.#chances.set(scope, chance);
    return chance;
  }

  #block(blocked: Omit<Blocked, "type">): void {
    this.#blocked ??= { type: "blocked", ...blocked };
  }
}
