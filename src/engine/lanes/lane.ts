// One lane while this engine serves it: the loops over its results and its commands, and the meaning of each message.
import type { Chance, Clock, Logger } from "../../base/index.ts";
import { HEADERS, laneOf, lastToken, type Subjects } from "../../protocol/index.ts";
import type { Delivery, Transport } from "../../transport/index.ts";
import { openLaneConsumer } from "./consumers.ts";
import type { Held } from "./held.ts";
import { PullLoop } from "./pull-loop.ts";

/** A message of a lane, with the workflow that it is for. */
export type LaneMessage =
  | { readonly kind: "result"; readonly workflowId: string; readonly n: number; readonly held: Held }
  | { readonly kind: "command"; readonly workflowId: string; readonly command: string; readonly held: Held };

interface LaneParts {
  readonly lane: string;
  readonly transport: Transport;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Logger;
  readonly onMessage: (message: LaneMessage) => void;
  /** Called for a message that no workflow can take; it is acked. */
  readonly onStray: (delivery: Delivery) => void;
}

/** One lane. */
export class Lane {
  readonly #loops: readonly PullLoop[];

  constructor(parts: LaneParts) {
    const { lane, transport, subjects, onMessage, onStray } = parts;
    const loop = (stream: "results" | "flow", onHeld: (held: Held) => void) =>
      new PullLoop({ ...parts, open: () => openLaneConsumer(transport, stream, lane), onHeld });
    this.#loops = [
      loop("results", (held) => {
        const order = orderOf(held.delivery, lane);
        if (order !== null) onMessage({ kind: "result", ...order, held });
        else held.ack(); // The result of a scope that is no workflow.
      }),
      loop("flow", (held) => {
        const address = subjects.readFlow(held.delivery.subject);
        if (address !== null) onMessage({ kind: "command", ...address, held });
        else {
          onStray(held.delivery);
          held.ack();
        }
      }),
    ];
  }

  start(): void {
    for (const loop of this.#loops) loop.start();
  }

  /** Stops pulling; held messages stay held. */
  stop(): void {
    for (const loop of this.#loops) loop.stop();
  }

  close(): void {
    for (const loop of this.#loops) loop.close();
  }
}

const NUMBERED = /^(.+)-(\d{1,9})$/;

/** The workflow that ordered a task or child, and its number there; null for a result that no workflow ordered. Pure. */
export function orderOf(
  message: Pick<Delivery, "subject" | "header">,
  lane: string,
): { workflowId: string; n: number } | null {
  const parent = /^([A-Za-z0-9_-]{1,64})\/(\d{1,9})$/.exec(message.header(HEADERS.parent) ?? "");
  const [, workflowId, n] = parent ?? NUMBERED.exec(lastToken(message.subject)) ?? [];
  if (workflowId === undefined || workflowId === "-" || laneOf(workflowId) !== lane) return null;
  return { workflowId, n: Number(n) };
}
