// The names of all headers. NATS keeps their case; readers ignore it.

/** The headers of Murmur's messages, and the headers of NATS and W3C that Murmur uses. */
export const HEADERS = {
  contentType: "Content-Type",
  messageId: "Nats-Msg-Id",
  version: "Murmur-Version",
  attempt: "Murmur-Attempt",
  /** On a task whose `notBefore` has passed by the server's clock: no host delays it again. */
  due: "Murmur-Due",
  term: "Murmur-Term",
  /** On a placed message: the chosen agent and the reasons, see placement.ts. */
  placement: "Murmur-Placement",
  /** On a task that an agent gave back: the sequence of its placed message, which may still be stored for a moment. */
  returned: "Murmur-Returned",
  /** On a task that an operator moves to another queue: the sequence and the subject of its earlier message. */
  moved: "Murmur-Moved",
  /** On a placed message that asks a ballot's question: the ballot's id. */
  ballot: "Murmur-Ballot",
  /** On `<p>.submit`: wait up to this many ms for the result. On asks: the caller waits this many ms for the reply. */
  wait: "Murmur-Wait",
  traceparent: "traceparent",
  tracestate: "tracestate",
  serviceErrorCode: "Nats-Service-Error-Code",
  serviceError: "Nats-Service-Error",
  schedule: "Nats-Schedule",
  scheduleTarget: "Nats-Schedule-Target",
} as const;

/** The version of the contract, sent as `Murmur-Version`. */
export const PROTOCOL_VERSION = "1";
