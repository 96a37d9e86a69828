// `dead …`: tasks that failed for good.
import type { DeadLetter } from "../../../protocol/index.ts";
import { printable, table } from "../../cli/terminal.ts";
import {
  groupDeadLetters,
  listDeadLetters,
  purgeDeadLetters,
  replayDeadLetter,
  showDeadLetter,
} from "../../operations/dead-letters.ts";
import { defineFace } from "../face.ts";
import { exitCodeOf, renderBulk, showProgress } from "../views/bulk.ts";
import { renderPageEnd, renderReplay } from "../views/task.ts";

const task = { positional: true, value: "TASK" } as const;

export const ls = defineFace(listDeadLetters, {
  fields: { limit: { value: "N" } },
  examples: [
    "dead ls",
    "dead ls --capability echo --code timeout --since 2h",
    "dead ls --limit 100 --after 1200 --json",
  ],
  details:
    "The oldest first. One page looks at 10,000 letters at most; it names the cursor of the next page, and counts the letters\nthat it does not show.",
  render: ({ dead, ...page }) => [renderLetters(dead), ...renderPageEnd(page)].join("\n"),
});

const renderLetters = (dead: readonly DeadLetter[]) =>
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
  );

export const groups = defineFace(groupDeadLetters, {
  examples: ["dead groups", "dead groups --capability echo --json"],
  details:
    "One cause fails many tasks with one message: the largest groups come first. --fingerprint of dead replay and dead purge takes\nthe message of a group as it is shown here.",
  render: ({ groups: found, seen, stored, more }) =>
    [
      table(
        ["LETTERS", "CAPABILITY", "CODE", "NEWEST", "MESSAGE"],
        found.map(({ count, capability, code, newest, fingerprint }) => [
          String(count),
          capability,
          code,
          newest,
          printable(fingerprint),
        ]),
        "no dead letters",
      ),
      ...(seen < stored ? [`the newest ${seen} of ${stored} letters were looked at`] : []),
      ...(more > 0 ? [`${more} further groups are not shown`] : []),
    ].join("\n"),
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
  fields: { task, rate: { value: "N" } },
  examples: [
    "dead replay 01J9Z3V8K4M5N6P7Q8R9S0T1U2",
    "dead replay --capability echo --code timeout --since 2h",
    "dead replay --capability echo --code timeout --since 2h --yes --rate 20",
    "dead replay --capability echo --fingerprint 'order # is unknown' --yes",
  ],
  details:
    "Submits the task again, as a new task labelled replayOf, and removes the letter; the old result stays. Safe to repeat: a\nsecond call names the same new task. A filter shows a preview; --yes replays the selection, the oldest first. Ctrl-C ends\nafter the current letter and tells how many are left; the same command goes on there.",
  handlesInterrupts: true,
  onEvent: showProgress,
  render: (output, terminal) =>
    "taskId" in output
      ? renderReplay(output, terminal)
      : renderBulk(output, "replayed", "--yes replays them"),
  exitCode: (output) => ("taskId" in output ? 0 : exitCodeOf(output)),
});

export const purge = defineFace(purgeDeadLetters, {
  fields: { task, rate: { value: "N" } },
  examples: [
    "dead purge 01J9Z3V8K4M5N6P7Q8R9S0T1U2",
    "dead purge --capability echo --dry-run",
    "dead purge --code invalid_input --since 7d",
    "dead purge --code invalid_input --since 7d --yes",
    "dead purge --all",
  ],
  details:
    "A filter shows a preview; --yes removes the selection. --all, and --capability alone, remove at once. Ctrl-C ends after\nthe current letter, and tells how many are left.",
  handlesInterrupts: true,
  onEvent: showProgress,
  render: ({ purged, report }) =>
    report === undefined ? `removed ${purged}` : renderBulk(report, "removed", "--yes removes them"),
  exitCode: ({ report }) => (report === undefined ? 0 : exitCodeOf(report)),
});
