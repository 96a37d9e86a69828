// Values at the border between code and log: only plain JSON enters the log, and outputs fit the schemas of the code. Pure.
import type { z } from "zod";
import { checkPlainData, type Json, toSwarmError } from "../../protocol/index.ts";
import type { WorkflowDefinition } from "../define/define.ts";
import { DefinitionFault } from "../define/failure.ts";
import type { NamedOperation } from "../define/operations.ts";
import type { Failure, Outcome } from "../log/facts.ts";

/**
 * A value as the log keeps it: a copy, without properties that are undefined.
 * @throws DefinitionFault for a value that JSON would change.
 */
export function plainJson(value: unknown, what: string): Json {
  try {
    checkPlainData(value, what);
  } catch (error) {
    throw new DefinitionFault(toSwarmError(error).message);
  }
  if (typeof value !== "object" || value === null) return value as Json;
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** An output as the code gets it, or the failure of its step. */
function fitOutput(
  schema: z.ZodType | undefined,
  output: Json | undefined,
  path: string,
): { ok: true; value: unknown } | { ok: false; error: Failure } {
  if (schema === undefined) return { ok: true, value: output };
  const parsed = schema.safeParse(output);
  if (parsed.success) return { ok: true, value: parsed.data };
  const issue = parsed.error.issues[0];
  const field = ["output", ...(issue?.path ?? []).map(String)].join(".");
  const message = `${path}: ${field} does not fit the schema of the step: ${issue?.message ?? "it differs"}`;
  return { ok: false, error: { code: "internal", message, field, retryable: false } };
}

/** The output of a run. @throws DefinitionFault when it does not fit the schema of the definition. */
export function readOutput(definition: WorkflowDefinition, value: unknown): Json | undefined {
  const { output, name, version } = definition;
  const parsed = output === undefined ? null : output.safeParse(value);
  if (parsed?.success === false) {
    const issue = parsed.error.issues[0];
    const field = ["output", ...(issue?.path ?? []).map(String)].join(".");
    throw new DefinitionFault(
      `${field} does not fit the output schema of ${name} v${version}: ${issue?.message ?? "it differs"}`,
    );
  }
  const found = parsed === null ? value : parsed.data;
  return found === undefined ? undefined : plainJson(found, "output");
}

/** The output that the code gets for the end of a wait, or the failure that it throws. */
export function readOutcome(
  operation: NamedOperation,
  outcome: Outcome,
  path: string,
): { ok: true; value: unknown } | { ok: false; error: Failure } {
  if (outcome.status !== "completed") return { ok: false, error: outcome.error };
  const hasSchema = operation.kind === "step" || operation.kind === "child";
  return fitOutput(hasSchema ? operation.options.output : undefined, outcome.output, path);
}

/** The input of an order, as a field; none for waits and for a step without input. @throws DefinitionFault */
export function readInput(operation: NamedOperation, path: string): { input?: Json } {
  if (!("input" in operation) || operation.input === undefined) return {};
  return { input: plainJson(operation.input, `input of ${path}`) };
}
