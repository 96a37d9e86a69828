// What is looked at between a delivery and its attempt: what the task says, whether it may still start, and whether it may
// start already.
import { type Clock, toIsoTime } from "../../base/index.ts";
import {
  CancelledError,
  type Encoding,
  encode,
  parseTaskAt,
  type ResultStatus,
  type Subjects,
  SwarmError,
  type Task,
} from "../../protocol/index.ts";
import type { Delivery, Transport } from "../../transport/index.ts";
import { isBlobRef, unpack, unpackBlob } from "../stores/bodies.ts";
import { storeLater } from "../stores/later.ts";
import type { CancelledScopes } from "../stores/scopes.ts";
import type { Arrival } from "./settlement.ts";

/** A placed message that is older than this, in ms, is looked for before its task starts: one read of the stream. */
const TAKEN_AWAY_AFTER_MS = 1_000;

/** A parsed task with its id. */
export type KnownTask = Task & { id: string };

/** A delivery that may have been cancelled on its way. */
interface Opened extends Arrival {
  cancelled?: CancelledError;
}

/** What is looked at before an attempt. */
export function createOpenings(parts: {
  transport: Transport;
  subjects: Subjects;
  clock: Clock;
  scopes: CancelledScopes;
}) {
  const { transport, subjects, clock } = parts;
  const tasks = transport.log("tasks");

  return { readTask, wasTakenAway, refuseBeforeStart, moveWhenEarly };

  /** @throws SwarmError `invalid_input` naming the field; `not_found`, `internal`, `unavailable` for its blobs. */
  async function readTask(entry: Opened): Promise<KnownTask> {
    const { value, encoding } = unpack(entry.delivery);
    const body = isBlobRef(value) ? await unpackBlob(value, encoding, transport.blobs) : value;
    const task = parseTaskAt(body, entry.at, entry.placement !== undefined);
    if (task.inputRef !== undefined) task.input = await unpackBlob(task.inputRef, "json", transport.blobs);
    return task;
  }

  /**
   * True when a placed message that waited is stored no more: another agent has the task. It is not acked, because a
   * copy of the stream that lags behind says the same of one that is.
   */
  async function wasTakenAway(delivery: Delivery): Promise<boolean> {
    if (clock.now() - delivery.storedAtMs < TAKEN_AWAY_AFTER_MS) return false;
    if ((await tasks.get(delivery.seq)) !== null) return false;
    delivery.nak(TAKEN_AWAY_AFTER_MS);
    return true;
  }

  function refuseBeforeStart(
    task: KnownTask,
    entry: Opened,
  ): { status: ResultStatus; error: SwarmError } | null {
    const { scope } = entry.at;
    if (entry.cancelled !== undefined) return { status: "cancelled", error: entry.cancelled };
    if (parts.scopes.has(scope)) {
      return { status: "cancelled", error: new CancelledError(`the scope ${scope} was cancelled`) };
    }
    if (task.deadline === undefined || Date.parse(task.deadline) > clock.now()) return null;
    const told = `the deadline ${task.deadline} passed before the task was started`;
    return { status: "failed", error: new SwarmError("deadline", told, { field: "deadline" }) };
  }

  /** A task published directly with a `notBefore` ahead waits in the later stream, like a submitted one. */
  async function moveWhenEarly(entry: Opened, task: KnownTask, encoding: Encoding): Promise<boolean> {
    if (task.notBefore === undefined) return false;
    const { delivery } = entry;
    const dueMs =
      typeof task.notBefore === "number" ? delivery.storedAtMs + task.notBefore : Date.parse(task.notBefore);
    if (dueMs <= clock.now()) return false;
    // The delay is made absolute: the task's place in the queue, from which it counts, is about to change.
    const body = encode({ ...task, notBefore: toIsoTime(dueMs) }, encoding);
    await storeLater(
      { transport, subjects },
      entry.at,
      { data: body, header: (name) => delivery.header(name) },
      dueMs,
    );
    delivery.ack();
    return true;
  }
}
