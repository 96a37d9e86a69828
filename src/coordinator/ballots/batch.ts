// Gathers what the driver wants decided into few commands: one is under way at a time, and what comes meanwhile goes with
// the next. Under load a command carries many ballots; alone, one goes at once.
//
// G1  A command is repeated under its own key until it is decided, or this coordinator no longer holds the office.
// G2  Every item is answered once: with its own result, or with the error of the command.
import { newId, sleep } from "../../base/index.ts";
import { type Json, type SwarmError, toSwarmError } from "../../protocol/index.ts";
import type { Office } from "../office/office.ts";
import type { OfficeCommand } from "../state.ts";
import { MAX_BATCH_ITEMS } from "./state/bounds.ts";

/** Bytes of one command, about: several of them fit one entry (128 KiB) beside other people's. An item alone may be larger. */
const BATCH_BYTES = 48 * 1_024;
/** The pause before a command whose fate is open is repeated, in ms. */
const REPEAT_PAUSE_MS = 100;

interface Waiting<T> {
  readonly item: T;
  readonly bytes: number;
  resolve(result: Json): void;
  reject(error: SwarmError): void;
}

/** The items of one kind of command. */
export class Batch<T> {
  readonly #office: Office;
  readonly #toCommand: (items: T[]) => OfficeCommand;
  readonly #waiting: Waiting<T>[] = [];
  #isPlanned = false;
  #isUnderWay = false;

  /** `toCommand` makes a command whose result lists one result for each item, in order. */
  constructor(office: Office, toCommand: (items: T[]) => OfficeCommand) {
    this.#office = office;
    this.#toCommand = toCommand;
  }

  /**
   * Has one item decided. `bytes` is about its size in the log.
   * @throws SwarmError `not_leader`, `rate_limited` (not decided); `unavailable` (its fate is open, and another holder's matter).
   */
  add(item: T, bytes: number): Promise<Json> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, bytes, resolve, reject });
      this.#plan();
    });
  }

  /** Items of one turn of the event loop go together. */
  #plan(): void {
    if (this.#isPlanned || this.#isUnderWay) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      void this.#commit(this.#take());
    });
  }

  #take(): Waiting<T>[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      bytes += waiting.bytes;
      if (count > 0 && (count >= MAX_BATCH_ITEMS || bytes > BATCH_BYTES)) break;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  async #commit(group: Waiting<T>[]): Promise<void> {
    this.#isUnderWay = true;
    try {
      const command = this.#toCommand(group.map(({ item }) => item));
      const bytes = group.reduce((sum, each) => sum + each.bytes, 0);
      const results = (await this.#submit(command, bytes)) as readonly Json[];
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Json);
    } catch (error) {
      const told = toSwarmError(error);
      for (const { reject } of group) reject(told); // G2
    } finally {
      this.#isUnderWay = false;
      if (this.#waiting.length > 0) this.#plan();
    }
  }

  async #submit(command: OfficeCommand, bytes: number): Promise<Json> {
    const key = newId();
    for (;;) {
      try {
        return await this.#office.submit(key, command, bytes);
      } catch (error) {
        const told = toSwarmError(error);
        const isOpen = told.code === "unavailable" || told.code === "rate_limited";
        if (!isOpen || this.#office.tenure === null) throw told; // G1
        await sleep(told.retryAfterMs ?? REPEAT_PAUSE_MS);
      }
    }
  }
}
