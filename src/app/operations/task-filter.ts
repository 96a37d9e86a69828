// The filter of the operations on many tasks or dead letters: its fields, and what it selects.
import { z } from "zod";
import { ERROR_CODES, MAX_LABELS, SwarmError, tokenSchema } from "../../protocol/index.ts";
import { MAX_FINGERPRINT_LENGTH, type TaskFilter } from "../../work/index.ts";
import { readSince } from "./since.ts";

/** The fields of a filter, as an operation takes them. */
export const filterFields = {
  capability: tokenSchema.optional().meta({ description: "only of this capability" }),
  scope: tokenSchema.optional().meta({ description: "only of this scope" }),
  agent: tokenSchema.optional().meta({ description: "only with this agent in the last attempt" }),
  code: z.enum(ERROR_CODES).optional().meta({ description: "only with this error code" }),
  since: z
    .string()
    .max(64)
    .optional()
    .meta({ description: "only from this time or age on, such as 90m or 7d" }),
  idPrefix: tokenSchema.optional().meta({ description: "only ids that begin with this text", value: "TEXT" }),
  label: z
    .array(z.string().max(321))
    .max(MAX_LABELS)
    .optional()
    .meta({ description: "only with this label; may be repeated", value: "NAME=VALUE" }),
} as const;

/** The fields of a filter for dead letters. */
export const letterFields = {
  ...filterFields,
  fingerprint: z
    .string()
    .min(1)
    .max(MAX_FINGERPRINT_LENGTH)
    .optional()
    .meta({ description: "only with this message, as dead groups shows it", value: "TEXT" }),
} as const;

type FilterInput = z.output<z.ZodObject<typeof filterFields>> & { fingerprint?: string | undefined };

/** True when the input names at least one field of a filter. */
export function hasFilter(input: FilterInput): boolean {
  return (Object.keys(letterFields) as (keyof FilterInput)[]).some((field) => input[field] !== undefined);
}

/** @throws SwarmError `invalid_input` for a time or a label that cannot be read. */
export function readFilter({ since, idPrefix, label, ...rest }: FilterInput, nowMs: number): TaskFilter {
  const { capability, scope, agent, code, fingerprint } = rest;
  return {
    capability,
    scope,
    agent,
    code,
    fingerprint,
    sinceMs: since === undefined ? undefined : readSince(since, nowMs),
    idPrefix,
    labels: label?.map(readLabel),
  };
}

function readLabel(text: string): { name: string; value: string } {
  const [, name, value] = /^([A-Za-z0-9_-]{1,64})=(.*)$/s.exec(text) ?? [];
  if (name !== undefined && value !== undefined) return { name, value };
  throw new SwarmError(
    "invalid_input",
    `label must be NAME=VALUE, got ${JSON.stringify(text.slice(0, 80))}`,
    {
      field: "label",
    },
  );
}
