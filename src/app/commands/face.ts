// Makes commands out of operations: the command line's face of the table in operations/. A command adds how each field is given,
// examples, rendering and an exit code.
import { z } from "zod";
import { createOfficeClient } from "../../coordinator/index.ts";
import { parse } from "../../protocol/index.ts";
import type { Command, FieldFacts, Ports } from "../cli/command.ts";
import { operatorName } from "../cli/operator.ts";
import { READ_TIMEOUT_MS } from "../cli/session.ts";
import type { Terminal } from "../cli/terminal.ts";
import { type Operation, perform } from "../operations/operation.ts";

/** A command that has the fields of its operation. */
interface Face<I extends z.ZodObject, O extends z.ZodType, E extends z.ZodType>
  extends Pick<Command<I, O>, "examples" | "details" | "render" | "exitCode"> {
  /** How fields are given on the command line; a description here replaces the operation's own. */
  fields?: { readonly [K in keyof I["shape"]]?: FieldFacts };
  /** Shows an event while the operation runs. */
  onEvent?(event: z.output<E>, terminal: Terminal): void;
}

/** The command of an operation. */
export function defineFace<I extends z.ZodObject, O extends z.ZodType, E extends z.ZodType>(
  operation: Operation<I, O, E>,
  { fields = {}, onEvent, ...face }: Face<I, O, E>,
): Command<I, O> {
  return {
    ...face,
    input: withFacts(operation.input, fields as Record<string, FieldFacts>),
    output: operation.output,
    run: (ports, input) =>
      callOperation(ports, operation, input as z.input<I>, {
        onEvent: onEvent === undefined ? undefined : (event) => onEvent(event, ports.terminal),
      }),
  };
}

function withFacts<I extends z.ZodObject>(input: I, fields: Record<string, FieldFacts>): I {
  const shape = Object.entries(input.shape as Record<string, z.ZodType>).map(([key, schema]) => [
    key,
    schema.meta({ ...schema.meta(), ...fields[key] }),
  ]);
  return z.strictObject(Object.fromEntries(shape)) as unknown as I;
}

/**
 * Checks the input, connects, and performs an operation for the person at the command line.
 * @throws SwarmError `invalid_input` before anything is connected; `unavailable` when no server answers; the operation's own.
 */
export async function callOperation<I extends z.ZodType, O extends z.ZodType, E extends z.ZodType>(
  ports: Ports,
  operation: Operation<I, O, E>,
  input: z.input<I>,
  options: { onEvent?: ((event: z.output<E>) => void) | undefined; timeoutMs?: number | undefined } = {},
): Promise<z.output<O>> {
  const checked = parse(operation.input, input, operation.name);
  const transport = await ports.transport();
  const context = {
    transport,
    tasks: await ports.tasks(),
    office: createOfficeClient({ transport }),
    signal: ports.signal,
    caller: { name: operatorName(), role: "cli" },
    timeoutMs: options.timeoutMs ?? ports.config.timeoutMs ?? READ_TIMEOUT_MS,
  };
  return perform(operation, context, checked, options.onEvent);
}
