// Header names, once. NATS keeps their case; readers compare without it.

export const HEADERS = {
  contentType: "Content-Type",
  messageId: "Nats-Msg-Id",
  version: "Murmur-Version",
  attempt: "Murmur-Attempt",
  term: "Murmur-Term",
  /** Of a placed message: who takes the task and why, see placement.ts. */
  placement: "Murmur-Placement",
  /** Of a task that came back from an agent: the sequence of its placed message, which may still be there for a moment. */
  returned: "Murmur-Returned",
  /** Of a placed message that puts a ballot's question: the ballot's id. */
  ballot: "Murmur-Ballot",
  /** On `<p>.submit`: wait this many ms for the result. On asks: the sender waits this many ms for the reply. */
  wait: "Murmur-Wait",
  traceparent: "traceparent",
  tracestate: "tracestate",
  serviceErrorCode: "Nats-Service-Error-Code",
  serviceError: "Nats-Service-Error",
  schedule: "Nats-Schedule",
  scheduleTarget: "Nats-Schedule-Target",
} as const;

/** The contract's version, sent as `Murmur-Version`. */
export const PROTOCOL_VERSION = "1";
