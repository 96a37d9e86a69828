// The catalogue of error codes, and the error classes that carry them. All rooms use them. From an error its receiver decides
// one thing: retry (and when), give up, or stop because the work was cancelled.

/**
 * All codes. `status` is the number for `Nats-Service-Error-Code` and HTTP; `retryable` is the default of
 * `SwarmError.retryable`.
 */
export const ERROR_CATALOGUE = {
  invalid_input: { status: 400, retryable: false, means: "the request does not fit its schema" },
  payload_too_large: { status: 413, retryable: false, means: "a body is over its limit" },
  unknown_capability: {
    status: 404,
    retryable: false,
    means: "no agent has ever offered this capability in this swarm",
  },
  deadline: { status: 408, retryable: false, means: "the task's deadline passed" },
  timeout: { status: 408, retryable: true, means: "one attempt ran longer than its limit" },
  cancelled: { status: 409, retryable: false, means: "the task or its scope was cancelled" },
  rate_limited: { status: 429, retryable: true, means: "a rate or concurrency limit is used up" },
  budget_exceeded: { status: 429, retryable: false, means: "a budget is spent" },
  no_quorum: { status: 409, retryable: false, means: "a ballot had too few answers for a verdict" },
  tie: { status: 409, retryable: false, means: "a ballot's answers are split evenly" },
  model_unavailable: { status: 503, retryable: true, means: "no model could be reached" },
  model_refused: { status: 400, retryable: false, means: "the model refused the request" },
  tool_failed: { status: 500, retryable: true, means: "a tool or command failed" },
  not_permitted: {
    status: 403,
    retryable: false,
    means: "the caller lacks the permission, or the operation is not allowed here",
  },
  stale_attempt: { status: 409, retryable: false, means: "another attempt has already decided the task" },
  stale_term: { status: 409, retryable: false, means: "a newer term is in office" },
  not_leader: { status: 503, retryable: true, means: "this process is not the leader" },
  conflict: { status: 409, retryable: false, means: "another write came first, or the id is taken" },
  not_found: { status: 404, retryable: false, means: "the named thing does not exist" },
  unavailable: { status: 503, retryable: true, means: "a needed service does not answer" },
  internal: { status: 500, retryable: true, means: "a bug or a crash in Murmur or in an agent" },
} as const satisfies Record<string, { status: number; retryable: boolean; means: string }>;

/** A code of the catalogue. */
export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** All codes, in catalogue order. */
export const ERROR_CODES = Object.keys(ERROR_CATALOGUE) as [ErrorCode, ...ErrorCode[]];

/** The `error` object in the body of an error reply. */
export interface WireError {
  code: ErrorCode;
  message: string;
  /** The path of the offending field, such as `retry.max`. */
  field?: string;
  /** The earliest useful time of a retry, in ms from now. */
  retryAfterMs?: number;
  /** The id of a task that still runs. Set for a `timeout` of the caller's wait. */
  taskId?: string;
  /** Set where it differs from the code's default, for example for a `TerminalError`. Without it, the default holds. */
  retryable?: boolean;
}

interface ErrorFacts {
  field?: string | undefined;
  taskId?: string | undefined;
  retryAfterMs?: number | undefined;
  outputTail?: string | undefined;
  cause?: unknown;
}

/**
 * An error with a code of the catalogue. The message names the expected value, the actual value and the next step. It
 * never contains a secret, because it travels over NATS.
 */
export class SwarmError extends Error {
  override readonly name: string = "SwarmError";
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly retryAfterMs: number | undefined;
  /** See {@link WireError.taskId}. */
  readonly taskId: string | undefined;
  /**
   * The end of the output of the program that failed. The trace of the attempt shows it; it never travels with the error.
   */
  outputTail: string | undefined;
  /** True if a later attempt may succeed. Default: the catalogue's value for the code. */
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts & { retryable?: boolean } = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.field = facts.field;
    this.retryAfterMs = facts.retryAfterMs;
    this.taskId = facts.taskId;
    this.outputTail = facts.outputTail;
    this.retryable = facts.retryable ?? ERROR_CATALOGUE[code].retryable;
  }

  /** Returns the error as it is sent over NATS and HTTP. */
  toWire(): WireError {
    return {
      code: this.code,
      message: this.message,
      ...(this.field === undefined ? {} : { field: this.field }),
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.taskId === undefined ? {} : { taskId: this.taskId }),
      ...(this.retryable === ERROR_CATALOGUE[this.code].retryable ? {} : { retryable: this.retryable }),
    };
  }
}

/** Thrown by an agent: retry this task, but not before `retryAfterMs` if that is set. */
export class RetryableError extends SwarmError {
  override readonly name = "RetryableError";
  constructor(message: string, facts: ErrorFacts & { code?: ErrorCode } = {}) {
    super(facts.code ?? "tool_failed", message, { ...facts, retryable: true });
  }
}

/** Thrown by an agent: a retry cannot help, and the task fails at once. */
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

/** Turns any thrown value into a SwarmError. A value that is not a SwarmError becomes `internal`, which is retryable. */
export function toSwarmError(thrown: unknown): SwarmError {
  if (thrown instanceof SwarmError) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new SwarmError("internal", message === "" ? "an error without a message" : message, {
    cause: thrown,
  });
}

/** Makes a SwarmError from the `error` of a reply. An unknown code becomes `internal`. */
export function fromWire(wire: {
  code: string;
  message: string;
  field?: string | undefined;
  retryAfterMs?: number | undefined;
  taskId?: string | undefined;
  retryable?: boolean | undefined;
}): SwarmError {
  const code = Object.hasOwn(ERROR_CATALOGUE, wire.code) ? (wire.code as ErrorCode) : "internal";
  const { field, retryAfterMs, taskId, retryable } = wire;
  const facts = { field, retryAfterMs, taskId };
  return new SwarmError(code, wire.message, retryable === undefined ? facts : { ...facts, retryable });
}
