// Operations on budgets: limits on what the whole swarm may use.
import { z } from "zod";
import { BUDGET_WINDOWS, createBudgetClient } from "../../coordinator/index.ts";
import { parse, tokenSchema } from "../../protocol/index.ts";
import { ageFields, patience, readOffice, staleField } from "../office/reads.ts";
import { defineOperation } from "./operation.ts";

const name = tokenSchema.meta({ description: "the budget's name" });

export const setBudget = defineOperation({
  name: "budget-set",
  summary: "limit what the swarm may use",
  input: z
    .strictObject({
      name,
      usd: z.number().min(0).optional().meta({ description: "limit of money, in USD" }),
      tokens: z.int().min(0).optional().meta({ description: "limit of tokens" }),
      calls: z.int().min(0).optional().meta({ description: "limit of calls" }),
      window: z
        .enum(BUDGET_WINDOWS)
        .optional()
        .meta({ description: "start again at zero each hour or day, UTC" }),
    })
    .refine(({ usd, tokens, calls }) => [usd, tokens, calls].some((limit) => limit !== undefined), {
      error: "give at least one of `usd`, `tokens` and `calls`",
      path: ["usd"],
    }),
  output: z.object({ set: z.literal(true), name: z.string() }),
  errors: [],
  access: "admin",
  async run(context, { name: budget, usd, tokens, calls, window }) {
    const limit = { costUsd: usd, tokens, calls };
    await createBudgetClient(context.office).set(budget, { limit, window }, patience(context));
    return { set: true as const, name: budget };
  },
});

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
  /** The time at which the budget starts again at zero, ISO 8601; null: never. */
  windowEnds: z.string().nullable(),
  reservations: z.int(),
});
/** A budget as the office answers it. */
const storedSchema = budgetSchema.omit({ windowEnds: true }).extend({ windowEndMs: z.int().nullable() });

export const listBudgets = defineOperation({
  name: "budget-list",
  summary: "list budgets",
  input: z.strictObject({ stale: staleField }),
  output: ageFields.extend({ budgets: z.array(budgetSchema) }),
  errors: [],
  access: "read",
  async run(context, { stale }) {
    const answer = await readOffice(context, "budgets", { stale });
    const answerSchema = ageFields.extend({ budgets: z.array(storedSchema) });
    const { budgets, ...age } = parse(answerSchema, answer, "the answer");
    const shown = budgets.map(({ windowEndMs, ...budget }) => ({
      ...budget,
      windowEnds: windowEndMs === null ? null : new Date(windowEndMs).toISOString(),
    }));
    return { ...age, budgets: shown };
  },
});

export const removeBudget = defineOperation({
  name: "budget-remove",
  summary: "remove a budget",
  input: z.strictObject({ name }),
  output: z.object({ removed: z.literal(true), name: z.string() }),
  errors: ["not_found"],
  access: "admin",
  async run(context, { name: budget }) {
    await createBudgetClient(context.office).remove(budget, patience(context));
    return { removed: true as const, name: budget };
  },
});
