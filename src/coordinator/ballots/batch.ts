// Groups items of one kind, such as the ends of ballots, into few commands for the control log. One command is in flight at
// a time, and the items that arrive during it go with the next. So under load a command carries many items, and a single
// item is sent at once.
//
// G1  A command is retried under the same key until the office decides it, or this coordinator leaves office.
// G2  Every item gets one reply: its own result, or the error of its command.
import { newId, sleep } from "../../base/index.ts";
import { type Json, type SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { Office } from "../office/office.ts";
import type { OfficeCommand } from "../state.ts";
import { MAX_BATCH_ITEMS } from "./state/bounds.ts";

/** The largest command of several items, in bytes, about: an entry (128 KiB) has room for two, and for other commands. */
const BATCH_BYTES = 48 * 1_024;
/** The pause before a command is retried when its outcome is unknown, in ms. */
const RETRY_PAUSE_MS = 100;

interface Pending<T> {
  readonly item: T;
  readonly bytes: number;
  resolve(result: Json): void;
  reject(error: SwarmError): void;
}

/** The items of one kind of command. */
export class Batch<T> {
  readonly #office: Office;
  readonly #toCommand: (items: T[]) => OfficeCommand;
  readonly #pending: Pending<T>[] = [];
  #isPlanned = false;
  #isInFlight = false;

  /** `toCommand` makes the command for some items; the command's result must list one result for each item, in order. */
  constructor(office: Office, toCommand: (items: T[]) => OfficeCommand) {
    this.#office = office;
    this.#toCommand = toCommand;
  }

  /**
   * Sends one item with the next command, and resolves with the item's result. `bytes`: its size in the log, about.
   * @throws SwarmError `not_leader`, `rate_limited`: not decided; `unavailable`: the outcome is unknown, and the next
   * coordinator in office finds it in the control log.
   */
  add(item: T, bytes: number): Promise<Json> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ item, bytes, resolve, reject });
      this.#plan();
    });
  }

  /** Plans the next command for the end of this turn of the event loop, so that the items of one turn go together. */
  #plan(): void {
    if (this.#isPlanned || this.#isInFlight) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      void this.#commit(this.#take());
    });
  }

  #take(): Pending<T>[] {
    let bytes = 0;
    let count = 0;
    for (const pending of this.#pending) {
      bytes += pending.bytes;
      if (count > 0 && (count >= MAX_BATCH_ITEMS || bytes > BATCH_BYTES)) break;
      count++;
    }
    return this.#pending.splice(0, count);
  }

  async #commit(group: Pending<T>[]): Promise<void> {
    this.#isInFlight = true;
    try {
      const command = this.#toCommand(group.map(({ item }) => item));
      const bytes = group.reduce((sum, each) => sum + each.bytes, 0);
      const results = (await this.#submit(command, bytes)) as readonly Json[];
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Json);
    } catch (error) {
      const failure = toSwarmError(error);
      for (const { reject } of group) reject(failure); // G2
    } finally {
      this.#isInFlight = false;
      if (this.#pending.length > 0) this.#plan();
    }
  }

  async #submit(command: OfficeCommand, bytes: number): Promise<Json> {
    const key = newId();
    for (;;) {
      try {
        return await this.#office.submit(key, command, bytes);
      } catch (error) {
        const failure = toSwarmError(error);
        const isUndecided = failure.code === "unavailable" || failure.code === "rate_limited";
        if (!isUndecided || this.#office.tenure === null) throw failure; // G1
        await sleep(failure.retryAfterMs ?? RETRY_PAUSE_MS);
      }
    }
  }
}
