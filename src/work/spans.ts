// The spans of a task: their names and attributes. The names follow OpenTelemetry's conventions for messaging (the version is in
// docs/decisions/0033-traces.md): operation and destination as a template, never an id. Pure.
import type { Attributes, Span, SpanSpec, TraceHeaders, Tracer } from "../base/index.ts";
import { type TaskAddress, toSwarmError } from "../protocol/index.ts";

/** The error code that a span shows of a thrown value. */
export const codeOfThrown = (error: unknown): string => toSwarmError(error).code;

/** The span of a submit. `given`: the trace context that the caller passed; without one, the active span is the parent. */
export function startSend(tracer: Tracer, prefix: string, at: TaskAddress, given: TraceHeaders): Span | null {
  const parent = given.traceparent === undefined ? "active" : given;
  return tracer.start({ ...taskSpec("send", prefix, at, at.taskId), kind: "producer", parent });
}

/** The span of one attempt: a child of the message's context, and linked to it. `root`: see S1 of base/spans/tracer.ts. */
export function startProcess(
  tracer: Tracer,
  prefix: string,
  at: TaskAddress,
  facts: { headers: TraceHeaders; root: string; number: number; agent: string; ballot: string | undefined },
): Span | null {
  return tracer.start({
    ...taskSpec("process", prefix, at, facts.root, () => ({
      "murmur.task.attempt": facts.number,
      "murmur.agent.id": facts.agent,
      ...(facts.ballot === undefined ? {} : { "murmur.ballot.id": facts.ballot }),
    })),
    ...{ kind: "consumer", parent: facts.headers, isLinked: true },
  });
}

function taskSpec(
  operation: "send" | "process",
  prefix: string,
  { capability, priority, scope, taskId }: TaskAddress,
  root: string,
  more: () => Attributes = () => ({}),
): Omit<SpanSpec, "kind" | "parent"> {
  const template = `${prefix}.task.${capability}.{priority}.{scope}.{taskId}`;
  const attributes = () => ({
    "messaging.system": "nats",
    "messaging.operation.name": operation,
    "messaging.operation.type": operation,
    "messaging.destination.template": template,
    "messaging.destination.name": `${prefix}.task.${capability}.${priority}.${scope}.${taskId}`,
    "messaging.message.id": taskId,
    "murmur.task.id": taskId,
    "murmur.task.capability": capability,
    "murmur.task.priority": priority,
    "murmur.task.scope": scope,
    ...more(),
  });
  return { name: `${operation} ${template}`, root, attributes };
}
