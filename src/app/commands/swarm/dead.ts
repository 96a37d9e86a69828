// `dead …`: tasks that failed for good.
import { z } from "zod";
import { deadLetterSchema, SwarmError, submitReplySchema, tokenSchema } from "../../../protocol/index.ts";
import { MAX_LIST_LIMIT } from "../../../work/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { reading } from "../../cli/session.ts";
import { printable, table } from "../../cli/terminal.ts";

const taskId = tokenSchema.meta({
  positional: true,
  value: "TASK",
  description: "the id of the task that failed",
});
const capability = tokenSchema.optional().meta({ description: "only letters of this capability" });

export const ls = defineCommand({
  input: z.strictObject({
    capability,
    limit: z
      .int()
      .min(1)
      .max(MAX_LIST_LIMIT)
      .default(50)
      .meta({ description: "at most this many", value: "N" }),
  }),
  output: z.object({ dead: z.array(deadLetterSchema) }),
  examples: ["dead ls", "dead ls --capability echo --json"],
  details: "The oldest first.",
  run: async (ports, input) => ({ dead: await reading(ports, (await ports.tasks()).dead.list(input)) }),
  render: ({ dead }) =>
    table(
      ["TASK", "CAPABILITY", "ATTEMPTS", "DIED AT", "REASON"],
      dead.map((letter) => [
        letter.taskId,
        letter.capability,
        String(letter.attempts),
        letter.diedAt,
        `${letter.reason.code}: ${letter.reason.message.slice(0, 120)}`,
      ]),
      "no dead letters",
    ),
});

export const show = defineCommand({
  input: z.strictObject({ task: taskId }),
  output: deadLetterSchema,
  examples: ["dead show 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  run: async (ports, input) => reading(ports, (await ports.tasks()).dead.show(input.task)),
  render: (letter) =>
    [
      `task        ${letter.taskId}`,
      `subject     ${letter.subject}`,
      `attempts    ${letter.attempts}, the last by ${letter.agent}`,
      `died at     ${letter.diedAt}`,
      `reason      ${letter.reason.code}: ${printable(letter.reason.message)}`,
      `payload     ${printable(Buffer.from(letter.payload, "base64").toString("utf8").slice(0, 2_000))}`,
    ].join("\n"),
});

export const replay = defineCommand({
  input: z.strictObject({ task: taskId }),
  output: submitReplySchema,
  examples: ["dead replay 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  details:
    "Hands the task in anew, as a new task labelled replayOf, and removes the letter; the old result stays.",
  run: async (ports, input) => reading(ports, (await ports.tasks()).dead.replay(input.task)),
  render: ({ taskId: id }) => id,
});

export const purge = defineCommand({
  input: z.strictObject({
    task: tokenSchema.optional().meta({ positional: true, value: "TASK", description: "one letter" }),
    capability,
    all: z.boolean().default(false).meta({ description: "every letter" }),
  }),
  output: z.object({ purged: z.int() }),
  examples: ["dead purge 01J9Z3V8K4M5N6P7Q8R9S0T1U2", "dead purge --capability echo", "dead purge --all"],
  async run(ports, { task, capability: named, all }) {
    const chosen = [task !== undefined, named !== undefined, all].filter(Boolean).length;
    if (chosen !== 1) {
      throw new SwarmError("invalid_input", "name one of: a task, --capability, --all", { field: "task" });
    }
    const { dead } = await ports.tasks();
    return { purged: await reading(ports, dead.purge({ taskId: task, capability: named })) };
  },
  render: ({ purged }) => `removed ${purged}`,
});
