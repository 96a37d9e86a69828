// `budget …`: limits on what the whole swarm may use.
import { table } from "../../cli/terminal.ts";
import { listBudgets, removeBudget, setBudget } from "../../operations/budgets.ts";
import { defineFace } from "../face.ts";
import { showAge } from "../views/age.ts";

const name = { positional: true, value: "NAME" } as const;

export const set = defineFace(setBudget, {
  fields: { name, usd: { value: "USD" }, tokens: { value: "N" }, calls: { value: "N" } },
  examples: ["budget set models --usd 25 --window day", "budget set nightly --tokens 2000000 --calls 500"],
  details:
    "Replaces the limits of a budget of that name; spent and reserved amounts stay. Without --window it never starts again.",
  render: ({ name: budget }) => `set ${budget}`,
});

/** The dimensions of a budget, with the unit that a list shows. */
const SHOWN_DIMENSIONS = [
  ["USD", "costUsd"],
  ["tokens", "tokens"],
  ["calls", "calls"],
] as const;

export const ls = defineFace(listBudgets, {
  examples: ["budget ls", "budget ls --stale --json"],
  render: ({ budgets, ...age }) =>
    showAge(
      table(
        ["NAME", "COUNTS", "LIMIT", "SPENT", "RESERVED", "STARTS AGAIN"],
        budgets.flatMap(({ name: budget, limit, spent, reserved, windowEnds }) =>
          SHOWN_DIMENSIONS.filter(([, key]) => limit[key] !== null).map(([unit, key]) => [
            budget,
            unit,
            String(limit[key]),
            String(spent[key]),
            String(reserved[key]),
            windowEnds ?? "never",
          ]),
        ),
        "no budget is set",
      ),
      age,
    ),
});

export const rm = defineFace(removeBudget, {
  fields: { name },
  examples: ["budget rm nightly"],
  details: "Removes its reservations too. Exit code 1 when there is none.",
  render: ({ name: budget }) => `removed ${budget}`,
});
