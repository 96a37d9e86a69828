// The one catalogue of error codes, and the error classes that carry them. A receiver asks one question of an
// error: try again (when), give up, or was it cancelled?

/**
 * Every code with the number that goes into `Nats-Service-Error-Code` and HTTP, and whether a retry can help
 * when nothing else is said.
 */
export const ERROR_CATALOGUE = {
  invalid_input: { status: 400, retryable: false, means: "the request does not fit its schema" },
  payload_too_large: { status: 413, retryable: false, means: "a body is over its limit" },
  unknown_capability: { status: 404, retryable: false, means: "no agent ever offered this capability here" },
  deadline: { status: 408, retryable: false, means: "the task's deadline passed" },
  timeout: { status: 408, retryable: true, means: "one attempt ran longer than its limit" },
  cancelled: { status: 409, retryable: false, means: "the task or its scope was cancelled" },
  rate_limited: { status: 429, retryable: true, means: "a rate or concurrency limit is used up" },
  budget_exceeded: { status: 429, retryable: false, means: "the task's budget is spent" },
  no_quorum: { status: 409, retryable: false, means: "too few answers for a verdict" },
  tie: { status: 409, retryable: false, means: "the answers are split evenly" },
  model_unavailable: { status: 503, retryable: true, means: "no model could be reached" },
  model_refused: { status: 400, retryable: false, means: "the model refused the request" },
  tool_failed: { status: 500, retryable: true, means: "a tool or command failed" },
  not_permitted: { status: 403, retryable: false, means: "this caller may not do that" },
  stale_attempt: { status: 409, retryable: false, means: "another attempt of the task already decided it" },
  stale_term: { status: 409, retryable: false, means: "a newer term is in office" },
  not_leader: { status: 503, retryable: true, means: "this process is not the leader" },
  conflict: { status: 409, retryable: false, means: "another write came first, or the id is taken" },
  not_found: { status: 404, retryable: false, means: "no such thing" },
  unavailable: { status: 503, retryable: true, means: "a service this needs does not answer" },
  internal: { status: 500, retryable: true, means: "a bug or a crash" },
} as const satisfies Record<string, { status: number; retryable: boolean; means: string }>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** All codes, in catalogue order. */
export const ERROR_CODES = Object.keys(ERROR_CATALOGUE) as [ErrorCode, ...ErrorCode[]];

/** What an error reply carries on the wire: `{ error: … }` in the body. */
export interface WireError {
  code: ErrorCode;
  message: string;
  /** The path of the offending field, such as `retry.max`. */
  field?: string;
  /** The earliest useful time of a retry, in ms from now. */
  retryAfterMs?: number;
  /** The task that goes on, of a `timeout` that only ended the waiting for it. */
  taskId?: string;
}

interface ErrorFacts {
  field?: string | undefined;
  taskId?: string | undefined;
  retryAfterMs?: number | undefined;
  cause?: unknown;
}

/**
 * An error with a code of the catalogue. The message says what was expected, what came, and the next step;
 * it never carries a secret, because it travels on the bus.
 */
export class SwarmError extends Error {
  override readonly name: string = "SwarmError";
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** See {@link WireError.taskId}. */
  readonly taskId: string | undefined;
  /** Whether a later attempt may succeed; by default what the catalogue says of the code. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts & { retryable?: boolean } = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.field = facts.field;
    this.retryAfterMs = facts.retryAfterMs;
    this.taskId = facts.taskId;
    this.retryable = facts.retryable ?? ERROR_CATALOGUE[code].retryable;
  }

  /** The error as it travels on the bus and over HTTP. */
  toWire(): WireError {
    return {
      code: this.code,
      message: this.message,
      ...(this.field === undefined ? {} : { field: this.field }),
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.taskId === undefined ? {} : { taskId: this.taskId }),
    };
  }
}

/** Thrown by an agent: try this task again, not before `retryAfterMs` when given. */
export class RetryableError extends SwarmError {
  override readonly name = "RetryableError";
  constructor(message: string, facts: ErrorFacts & { code?: ErrorCode } = {}) {
    super(facts.code ?? "tool_failed", message, { ...facts, retryable: true });
  }
}

/** Thrown by an agent: trying again cannot help; the task fails at once. */
export class TerminalError extends SwarmError {
  override readonly name = "TerminalError";
  constructor(message: string, facts: ErrorFacts & { code?: ErrorCode } = {}) {
    super(facts.code ?? "tool_failed", message, { ...facts, retryable: false });
  }
}

/** The reason of an AbortSignal when a task was cancelled. */
export class CancelledError extends SwarmError {
  override readonly name = "CancelledError";
  constructor(message = "the task was cancelled") {
    super("cancelled", message);
  }
}

/** Makes a SwarmError out of anything thrown; what is not one already becomes `internal`, retryable. */
export function toSwarmError(thrown: unknown): SwarmError {
  if (thrown instanceof SwarmError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SwarmError("internal", message === "" ? "an error without a message" : message, {
    cause: thrown,
  });
}

/** Makes a SwarmError out of a reply's `error`; unknown codes become `internal`. */
export function fromWire(wire: {
  code: string;
  message: string;
  field?: string | undefined;
  retryAfterMs?: number | undefined;
  taskId?: string | undefined;
}): SwarmError {
  const code = Object.hasOwn(ERROR_CATALOGUE, wire.code) ? (wire.code as ErrorCode) : "internal";
  const { field, retryAfterMs, taskId } = wire;
  return new SwarmError(code, wire.message, { field, retryAfterMs, taskId });
}
