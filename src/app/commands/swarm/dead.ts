// `dead …`: tasks that failed for good.
import { printable, table } from "../../cli/terminal.ts";
import {
  listDeadLetters,
  purgeDeadLetters,
  replayDeadLetter,
  showDeadLetter,
} from "../../operations/dead-letters.ts";
import { defineFace } from "../face.ts";
import { renderReplay } from "../views/task.ts";

const task = { positional: true, value: "TASK" } as const;

export const ls = defineFace(listDeadLetters, {
  fields: { limit: { value: "N" } },
  examples: ["dead ls", "dead ls --capability echo --json"],
  details: "The oldest first.",
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

export const show = defineFace(showDeadLetter, {
  fields: { task },
  examples: ["dead show 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  render: (letter) =>
    [
      `task        ${letter.taskId}`,
      `subject     ${letter.subject}`,
      `attempts    ${letter.attempts}, the last by ${letter.agent}`,
      `died at     ${letter.diedAt}`,
      `reason      ${letter.reason.code}: ${printable(letter.reason.message)}`,
      ...(letter.trace === undefined
        ? []
        : [`stack       ${letter.trace.split("\n").map(printable).join("\n            ")}`]),
      `payload     ${printable(Buffer.from(letter.payload, "base64").toString("utf8").slice(0, 2_000))}`,
    ].join("\n"),
});

export const replay = defineFace(replayDeadLetter, {
  fields: { task },
  examples: ["dead replay 01J9Z3V8K4M5N6P7Q8R9S0T1U2"],
  details:
    "Submits the task again, as a new task labelled replayOf, and removes the letter; the old result stays. Safe to repeat: a\nsecond call names the same new task.",
  render: renderReplay,
});

export const purge = defineFace(purgeDeadLetters, {
  fields: { task },
  examples: ["dead purge 01J9Z3V8K4M5N6P7Q8R9S0T1U2", "dead purge --capability echo", "dead purge --all"],
  render: ({ purged }) => `removed ${purged}`,
});
