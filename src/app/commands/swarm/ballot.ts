// `ballot …`: see ballots, decide a ballot that waits for a person, and record its right answer.
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";
import { readJson } from "../../cli/json.ts";
import { table } from "../../cli/terminal.ts";
import { correctBallot, decideBallot, listBallots, showBallot } from "../../operations/ballots.ts";
import { callOperation, defineFace } from "../face.ts";
import { showAge } from "../views/age.ts";
import { renderBallot } from "../views/ballot.ts";

const id = { positional: true, value: "ID" } as const;
const idField = showBallot.input.shape.id.meta({ ...showBallot.input.shape.id.meta(), ...id });

export const ls = defineFace(listBallots, {
  examples: ["ballot ls", "ballot ls --json"],
  details: "Open ballots first, then the newest of the ended ones; the last 1,024 are remembered.",
  render: ({ ballots, ...age }) =>
    showAge(
      table(
        ["BALLOT", "CAPABILITY", "STRATEGY", "STATE", "ANSWERS", "AGREEMENT", "OPENED"],
        ballots.map(({ id: ballot, capability, strategy, state, answered, seats, agreement, openedAt }) => [
          ballot,
          capability,
          strategy,
          state,
          `${answered}/${seats}`,
          agreement === null ? "-" : `${Math.round(agreement * 100)} %`,
          openedAt,
        ]),
        "no ballots",
      ),
      age,
    ),
});

export const show = defineFace(showBallot, {
  fields: { id },
  examples: ["ballot show 01JD2M0YQ3", "ballot show 01JD2M0YQ3 --json"],
  details:
    "The answer of each seat and how they became a verdict; then the results of ballots of this kind over time against one\nagent, and the record of these agents in ballots whose right answer is known (truth in the ballot, or ballot correct):\naccuracy, weights, correlated errors, and whether one agent was as good.",
  render: renderBallot,
});

export const decide = defineCommand({
  input: z.strictObject({
    id: idField,
    choice: z.int().min(1).optional().meta({ description: "the number of a candidate", value: "N" }),
    value: z.string().optional().meta({ description: "instead: another value, as JSON", value: "JSON" }),
  }),
  output: decideBallot.output,
  examples: ["ballot decide 01JD2M0YQ3 --choice 2", `ballot decide 01JD2M0YQ3 --value '"spam"'`],
  details:
    "For a ballot with onDisagreement human whose seats do not agree; ballot show lists the candidates. The verdict names\nthe person who decided.",
  run: async (ports, { value, ...input }) =>
    callOperation(ports, decideBallot, {
      ...input,
      ...(value === undefined ? {} : { value: readJson(value, "value") }),
    }),
  render: () => "decided",
});

export const correct = defineCommand({
  input: z.strictObject({
    id: idField,
    value: z.string().meta({ description: "the right value, as JSON", value: "JSON" }),
  }),
  output: correctBallot.output,
  examples: [`ballot correct 01JD2M0YQ3 --value '"spam"'`],
  details:
    "Records the right answer of an ended ballot, as it should stand at the ballot's pointer; for a ranked ballot, the right\ncandidate. Agents get their accuracy from it, and weighted ballots their weights. When it is recorded twice, the last\nvalue counts.",
  run: async (ports, { id: ballot, value }) =>
    callOperation(ports, correctBallot, { id: ballot, value: readJson(value, "value") }),
  render: ({ wasRight, isCounted }) =>
    `the verdict was ${wasRight ? "right" : "wrong"}${isCounted ? "" : "; it says nothing about single seats, because they saw each other's answers"}`,
});
