// Why a task was delivered again. JetStream counts deliveries and tells no reason, so this host remembers the deliveries that it gave
// back itself, and reads the others from the task: its journal, its route, its limits and its age. Only an ack-wait that passed is
// a fault: the process that had the task died or stalled.
// I1: a delivery that this host gave back never counts as a fault.
import { dropOldest } from "../../base/index.ts";
import { ACK_WAIT_MS, type JournalRecord } from "../../protocol/index.ts";
import type { Delivery } from "../../transport/index.ts";

/** The causes of a redelivery. */
export const REDELIVERY_CAUSES = ["ack_wait", "given_back", "handed_over"] as const;
/** One of {@link REDELIVERY_CAUSES}. */
export type RedeliveryCause = (typeof REDELIVERY_CAUSES)[number];

/** The deliveries that a host remembers: more than it gives back within the longest delay of a nak, 30 s. Some 100 bytes each. */
const MAX_RETURNS = 4_096;

/** The facts about one redelivery. */
export interface RedeliveryFacts {
  /** True: this host gave the delivery before this one back. */
  readonly isReturned: boolean;
  /** The last record of the task's journal; null without one. */
  readonly record: JournalRecord | null;
  /** True: the office decides the place of the task, so hosts give it back while it waits for an agent. */
  readonly isRouted: boolean;
  /** True: a limit of its key holds for the task, so hosts give it back while the limit is used up. */
  readonly hasKey: boolean;
  /** The time since the message was stored, in ms. */
  readonly ageMs: number;
}

/** The cause of a redelivery. Pure. */
export function causeOf({ isReturned, record, isRouted, hasKey, ageMs }: RedeliveryFacts): RedeliveryCause {
  if (isReturned) return "given_back"; // I1
  if (record?.type === "started") return "ack_wait"; // the process of that attempt died
  if (record?.type === "handed") return "handed_over";
  if (record?.type === "failed" || record?.type === "returned") return "given_back";
  if (isRouted || hasKey) return "given_back"; // perhaps by another host
  return ageMs < ACK_WAIT_MS ? "given_back" : "ack_wait"; // no ack-wait has passed yet
}

/** The deliveries that one host gave back. */
export class Returns {
  /** The delivery count of the message when it was given back, by subject and sequence. */
  readonly #counts = new Map<string, number>();

  /** Notes that the host gives the delivery back. */
  note(delivery: Delivery): void {
    this.#counts.set(keyOf(delivery), delivery.deliveryCount);
    dropOldest(this.#counts, MAX_RETURNS);
  }

  /** True when this host gave back the delivery before this one. */
  has(delivery: Delivery): boolean {
    const count = this.#counts.get(keyOf(delivery));
    return count !== undefined && count === delivery.deliveryCount - 1;
  }
}

function keyOf({ subject, seq }: Delivery): string {
  return `${subject} ${seq}`;
}
