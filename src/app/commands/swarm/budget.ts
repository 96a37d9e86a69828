// `budget …`: what the whole swarm may use up.
import { z } from "zod";
import { BUDGET_WINDOWS, createBudgetClient } from "../../../coordinator/index.ts";
import { parse, SwarmError, tokenSchema } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { table } from "../../cli/terminal.ts";
import { openOffice, patience, readOffice, showAge, staleFacts, staleFlag } from "./office.ts";

const name = tokenSchema.meta({ positional: true, value: "NAME", description: "the budget's name" });

const amount = z.object({ costUsd: z.number(), tokens: z.number(), calls: z.number() });
const budgetSchema = z.object({
  name: z.string(),
  /** Null: no limit. */
  limit: z.object({
    costUsd: z.number().nullable(),
    tokens: z.number().nullable(),
    calls: z.number().nullable(),
  }),
  spent: amount,
  reserved: amount,
  window: z.enum(BUDGET_WINDOWS).nullable(),
  /** When it begins anew, ISO 8601; null: never. */
  windowEnds: z.string().nullable(),
  reservations: z.int(),
});

export const set = defineCommand({
  input: z.strictObject({
    name,
    usd: z.number().min(0).optional().meta({ description: "limit of money, in USD", value: "USD" }),
    tokens: z.int().min(0).optional().meta({ description: "limit of tokens", value: "N" }),
    calls: z.int().min(0).optional().meta({ description: "limit of calls", value: "N" }),
    window: z.enum(BUDGET_WINDOWS).optional().meta({ description: "begin anew each hour or day, UTC" }),
  }),
  output: z.object({ set: z.literal(true), name: z.string() }),
  examples: ["budget set models --usd 25 --window day", "budget set nightly --tokens 2000000 --calls 500"],
  details:
    "Replaces the limits of a budget of that name; what is spent and reserved stays. Without --window it never begins anew.",
  async run(ports, { name: budget, usd, tokens, calls, window }) {
    if (usd === undefined && tokens === undefined && calls === undefined) {
      throw new SwarmError("invalid_input", "give at least one of --usd, --tokens and --calls", {
        field: "usd",
      });
    }
    const budgets = createBudgetClient(await openOffice(ports));
    await budgets.set(budget, { limit: { costUsd: usd, tokens, calls }, window }, patience(ports));
    return { set: true as const, name: budget };
  },
  render: ({ name: budget }) => `set ${budget}`,
});

export const ls = defineCommand({
  input: z.strictObject({ stale: staleFlag }),
  output: staleFacts.extend({ budgets: z.array(budgetSchema) }),
  examples: ["budget ls", "budget ls --stale --json"],
  async run(ports, { stale }) {
    const answer = await readOffice(ports, "budgets", { stale });
    const stored = budgetSchema.omit({ windowEnds: true }).extend({ windowEndMs: z.int().nullable() });
    const { budgets, ...age } = parse(staleFacts.extend({ budgets: z.array(stored) }), answer, "the answer");
    return {
      ...age,
      budgets: budgets.map(({ windowEndMs, ...budget }) => ({
        ...budget,
        windowEnds: windowEndMs === null ? null : new Date(windowEndMs).toISOString(),
      })),
    };
  },
  render: ({ budgets, ...age }) =>
    showAge(
      table(
        ["NAME", "COUNTS", "LIMIT", "SPENT", "RESERVED", "BEGINS ANEW"],
        budgets.flatMap(({ name: budget, limit, spent, reserved, windowEnds }) =>
          (
            [
              ["USD", "costUsd"],
              ["tokens", "tokens"],
              ["calls", "calls"],
            ] as const
          )
            .filter(([, key]) => limit[key] !== null)
            .map(([unit, key]) => [
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

export const rm = defineCommand({
  input: z.strictObject({ name }),
  output: z.object({ removed: z.literal(true), name: z.string() }),
  examples: ["budget rm nightly"],
  details: "Removes its reservations too. Exit code 1 when there is none.",
  async run(ports, { name: budget }) {
    await createBudgetClient(await openOffice(ports)).remove(budget, patience(ports));
    return { removed: true as const, name: budget };
  },
  render: ({ name: budget }) => `removed ${budget}`,
});
