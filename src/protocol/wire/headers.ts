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
  /** On a task of a workflow's step: the effect key, see effect-key.ts. Every move of the task keeps it. */
  effectKey: "Murmur-Effect-Key",
  /** On a message of a workflow's log: the chain of its last entry. */
  chain: "Murmur-Chain",
  /** On a message of a workflow's log: the summary of the run as JSON, for lists. */
  run: "Murmur-Run",
  /** On the result of a child workflow: its parent and its number there, `<workflowId>/<n>`. */
  parent: "Murmur-Parent",
  /** On the result of a cancelled step of a workflow: `1` when no host has ever got its task. */
  neverStarted: "Murmur-Never-Started",
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
  /** On `<p>.operate.…`: the caller waits this many ms for each answer of the swarm. */
  timeout: "Murmur-Timeout",
  /** On `<p>.operate.…`: the id of the request, for a caller that reads several replies; it is on each of them too. */
  request: "Murmur-Request",
  /** On `<p>.operate.…`: `pieces` when the body is a list of blobs that hold the input. */
  body: "Murmur-Body",
  /** On a reply to a request with an id: `alive`, `event`, `piece` or `end`. */
  reply: "Murmur-Reply",
  /** On a reply to a request with an id: its number, from 1. */
  part: "Murmur-Part",
  /** On `<p>.operate.…`: the encoding of the replies, where it is not that of the request. */
  accept: "Accept",
  traceparent: "traceparent",
  tracestate: "tracestate",
  serviceErrorCode: "Nats-Service-Error-Code",
  serviceError: "Nats-Service-Error",
  schedule: "Nats-Schedule",
  scheduleTarget: "Nats-Schedule-Target",
} as const;

/** The version of the contract, sent as `Murmur-Version`. */
export const PROTOCOL_VERSION = "1";
