// Makes commands out of operations: the command line's face of the table in operations/. A command adds how each field is given,
// examples, rendering and an exit code.
import { z } from "zod";
import { createOfficeClient } from "../../coordinator/index.ts";
import { parse, SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { createDoorCaller } from "../../work/index.ts";
import type { Command, FieldFacts, Ports } from "../cli/command.ts";
import { operatorName } from "../cli/operator.ts";
import { READ_TIMEOUT_MS } from "../cli/session.ts";
import type { Terminal } from "../cli/terminal.ts";
import { type Access, type Operation, type OperationContext, perform } from "../operations/operation.ts";
import { whileConnected, withinTimeout } from "../operations/time-limit.ts";

/** A command that has the fields of its operation. */
interface Face<I extends z.ZodObject, O extends z.ZodType, E extends z.ZodType>
  extends Pick<Command<I, O>, "examples" | "details" | "render" | "exitCode" | "handlesInterrupts"> {
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
  requireDirectRights(operation, ports.config.operateAs);
  const timeoutMs = options.timeoutMs ?? ports.config.timeoutMs ?? READ_TIMEOUT_MS;
  const startedMs = performance.now();
  const transport = await ports.transport(operation.role);
  const leftMs = Math.max(1, timeoutMs - (performance.now() - startedMs));
  const { onEvent } = options;
  const user = ports.config.operateAs;
  const performed =
    user === undefined
      ? perform(operation, await directContext(ports, transport, leftMs, operation.access), checked, onEvent)
      : callThroughDoor(
          { transport, user, signal: ports.signal, timeoutMs: leftMs },
          operation,
          input,
          onEvent,
        );
  const { access, event, takesLong = false } = operation;
  // A task that is waited for ends by its own limit, with a better message, unless NATS swallows the requests.
  if (access === "submit") return withinTimeout(performed, leftMs + OWN_LIMIT_MS, "the swarm did not answer");
  if (event !== undefined) return performed; // it follows something, and ends by its own rule
  return access === "read" && !takesLong
    ? withinTimeout(performed, leftMs + OWN_LIMIT_MS, "the swarm did not answer")
    : whileConnected(
        performed,
        transport,
        leftMs / LOST_SHARE,
        () => new SwarmError("unavailable", CONNECTION_LOST),
      );
}

/**
 * Refuses an operation that no api process may perform, before anything is connected.
 * @throws SwarmError `not_permitted` that names the role and the settings of its user.
 */
function requireDirectRights({ name, role }: Operation, operateAs: string | undefined): void {
  if (role === undefined || operateAs === undefined) return;
  throw needsRole(name, role, operateAs);
}

/** The error of work that a user of the front door cannot do: another role has its rights. */
export function needsRole(work: string, role: "init" | "coordinator" | "api", operateAs: string): SwarmError {
  const user = role === "coordinator" ? "ID" : role;
  const named = role === "coordinator" ? "coordinator/ID" : role;
  return new SwarmError(
    "not_permitted",
    `${work} needs the rights of the role ${named} on NATS, and ${operateAs} has only the front door: run it with MURMUR_NKEY_FILE=keys/${user}.seed and MURMUR_INBOX_PREFIX=_INBOX.${user}, without MURMUR_OPERATE_AS`,
    { field: "operateAs" },
  );
}

/** The context of an operation that this process performs itself. */
async function directContext(
  ports: Ports,
  transport: Transport,
  timeoutMs: number,
  access: Access,
): Promise<OperationContext> {
  return {
    transport,
    tasks: await ports.tasks({ isTraced: access === "submit" }),
    office: createOfficeClient({ transport }),
    signal: ports.signal,
    agentClass: ports.config.agentClass,
    traceUrl: ports.config.traceUrl,
    caller: { name: operatorName(), role: "cli" },
    timeoutMs,
  };
}

/** Lets an api process perform an operation for this user. The front door reads the input itself, with its defaults. */
async function callThroughDoor<I extends z.ZodType, O extends z.ZodType, E extends z.ZodType>(
  call: { transport: Transport; user: string; signal: AbortSignal; timeoutMs: number },
  operation: Operation<I, O, E>,
  input: z.input<I>,
  onEvent: ((event: z.output<E>) => void) | undefined,
): Promise<z.output<O>> {
  const { transport, user, signal, timeoutMs } = call;
  const caller = createDoorCaller({ transport, user });
  const options = {
    timeoutMs,
    signal,
    stopMs: STOP_MS,
    onEvent: onEvent as ((event: unknown) => void) | undefined,
  };
  const output = await caller.call(operation.name, input, options);
  parse(operation.output, output, "the answer"); // as it came, because the schema may drop fields of a newer api process
  return output as z.output<O>;
}

/** How long an interrupted command waits for the end of its operation, in ms: a bulk change ends after its current task, and reports. */
const STOP_MS = 5_000;
/** The time after the timeout that an operation has to report its own limit, in ms: its message says more. */
const OWN_LIMIT_MS = 250;
/** An operation waits for a lost connection for this share of the timeout: the pings used up the rest (session.ts). */
const LOST_SHARE = 4;

const CONNECTION_LOST =
  "the connection to NATS was lost, so it is not known how far this came; look at the swarm, then run the command again";
