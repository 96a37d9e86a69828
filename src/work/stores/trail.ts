// The trail of a task: its journal, and the places that hold it now. A host reads it for a redelivered or handed-off task only.
// T1  The reads have wildcards, or bodies that name what they read, so no permission of NATS can bind them to a capability. A
//     host that may read its own subjects only asks an api process for the trail: it gives the worker another reader.
import type { Subjects } from "../../protocol/index.ts";
import type { Stored, Transport } from "../../transport/index.ts";
import type { HostDoor, TrailReader } from "../ports.ts";
import { createLaterStore } from "./later.ts";
import { lastPlaced, placedAt } from "./placed-streams.ts";
import { createRecordReader } from "./records.ts";

/** Makes the reader of a process that may read all streams (T1). */
export function createTrailReader(transport: Transport, subjects: Subjects): TrailReader {
  const [tasks, later] = [transport.log("tasks"), transport.log("later")];
  const fresh = { fresh: true };
  const isStored = (stored: Stored | null) => stored !== null;

  return {
    ...createRecordReader(transport.log("journal"), subjects),
    async places(at) {
      const { placedById, laterById, dueById } = subjects.filters;
      const first = await lastPlaced(transport, placedById(at.taskId), fresh);
      const isLater =
        isStored(await later.last(laterById(at.taskId), fresh)) ||
        isStored(await later.last(dueById(at.taskId), fresh));
      const isQueued = isStored(await tasks.last(subjects.task(at), fresh));
      // The task may have left its queue for an agent between the first read and this one.
      const last = await lastPlaced(transport, placedById(at.taskId), fresh);
      const readable = [...first, ...last].filter(({ subject }) => subjects.readPlaced(subject) !== null);
      const placed = readable.map((stored) => placedAt(subjects, stored));
      return { placed, isLater, isQueued };
    },
  };
}

/** The place of a front door in a process that may use the streams itself. */
export function createOwnDoor(parts: {
  transport: Transport;
  subjects: Subjects;
}): Omit<HostDoor, "trimmer"> {
  return { trail: createTrailReader(parts.transport, parts.subjects), later: createLaterStore(parts) };
}
