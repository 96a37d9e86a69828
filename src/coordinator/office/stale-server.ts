// The server of stale reads: answers `<p>.stale.<read>` from the state that this coordinator has applied, even while no
// leader is in office. All coordinators subscribe in one queue group, so that one of them answers each read.
//
// Z1  A reply includes every entry that was in the log `ageMs` ago; `seq` is the last entry that it includes.
// Z2  A coordinator that has halted answers `unavailable`. The caller repeats the read, and another coordinator may
//     answer.
import { type Clock, createService, type Logger, type Service, systemClock } from "../../base/index.ts";
import { createSubjects } from "../../protocol/index.ts";
import type { RequestSubscription, Transport } from "../../transport/index.ts";
import { findRead, unknownCommand } from "../requests.ts";
import type { Office } from "./office.ts";
import { respondTo } from "./respond.ts";

/** The queue group of all coordinators. */
const QUEUE_GROUP = "coordinators";

/** Makes the server of stale reads. It begins to answer when this coordinator has read the log. */
export function createStaleServer(parts: {
  transport: Transport;
  office: Office;
  log: Logger;
  clock?: Clock;
}): Service {
  const { transport, office, log, clock = systemClock } = parts;
  const subjects = createSubjects(transport.prefix);
  const readAt = subjects.stale("x").length - 1;
  let subscription: RequestSubscription | undefined;
  let isStopped = false;

  function answer(name: string, body: unknown): object {
    const show = findRead(name)?.(body);
    if (show === undefined) throw unknownCommand(name);
    const { ageMs } = office; // Z2: throws `unavailable` when this coordinator has halted
    const moment = { at: office.logTime, nowMs: clock.now() };
    return { ...show(office.state, moment), seq: office.appliedSeq, ageMs };
  }

  return createService({
    name: "stale reads",
    start() {
      void office.opened.then(() => {
        if (isStopped) return;
        subscription = transport.bus.subscribe(
          subjects.filters.allStale,
          (request) => void respondTo(request, log, (body) => answer(request.subject.slice(readAt), body)),
          { queue: QUEUE_GROUP },
        );
      });
    },
    async stop() {
      isStopped = true;
      await subscription?.drain();
    },
  });
}
