// The operations that read the trail of a task for its host, and trim its journal: an agent may read its own subjects, no journal of the
// stream's leader, and may remove no message.
import { z } from "zod";
import { createSubjects, journalRecordSchema, nameSchema, taskSchema } from "../../protocol/index.ts";
import { createTrailReader, trimJournal } from "../../work/index.ts";
import { defineOperation, readWithin } from "./operation.ts";

export const readTrail = defineOperation({
  name: "journal-read",
  summary: "read the journal of a task, or the places that hold it, for its host",
  input: z.strictObject({
    capability: nameSchema,
    task: nameSchema,
    places: z
      .strictObject({ priority: taskSchema.shape.priority, scope: taskSchema.shape.scope })
      .optional()
      .meta({ description: "with it: the places that hold the task, and no journal" }),
  }),
  output: z.object({
    /** The records of the journal, in their order, with their sequences in the stream. */
    records: z.array(z.object({ seq: z.int(), record: journalRecordSchema })),
    places: z
      .object({
        placed: z.array(z.object({ name: z.string(), handOff: z.int() })),
        isLater: z.boolean(),
        isQueued: z.boolean(),
      })
      .nullable(),
  }),
  errors: [],
  access: "read",
  isForAgents: true,
  reach: ({ capability }) => ({ capabilities: [capability] }),
  async run(context, { capability, task: taskId, places }) {
    const { transport } = context;
    const trail = createTrailReader(transport, createSubjects(transport.prefix));
    if (places === undefined) {
      const records = await readWithin(context, trail.records({ capability, taskId }));
      return { records: [...records], places: null };
    }
    const found = await readWithin(context, trail.places({ capability, taskId, ...places }));
    return { records: [], places: { ...found, placed: [...found.placed] } };
  },
});

export const trimTrail = defineOperation({
  name: "journal-trim",
  summary: "remove the records of an ended task that its closing record replaces, for its host",
  input: z.strictObject({ capability: nameSchema, task: nameSchema }),
  output: z.object({}),
  errors: [],
  access: "submit",
  isForAgents: true,
  reach: ({ capability }) => ({ capabilities: [capability] }),
  async run(context, { capability, task: taskId }) {
    const { transport } = context;
    const subjects = createSubjects(transport.prefix);
    await readWithin(context, trimJournal(transport.log("journal"), subjects, { capability, taskId }));
    return {};
  },
});
