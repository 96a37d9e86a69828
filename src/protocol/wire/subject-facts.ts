// One line about each subject, as data: its form, its kind and its use. The builders are in subjects.ts; docs/contract.md shows
// this table, and a test compares each form with its builder.
import type { Subjects } from "./subjects.ts";

/**
 * The kinds of subjects. `durable`: a stream stores each message, and the publisher waits for the PubAck.
 * `request`: one receiver answers. `queue request`: one member of a queue group answers. `scatter`: every receiver that has an
 * answer replies. `broadcast`: core NATS, best effort.
 */
export type SubjectKind = "durable" | "request" | "queue request" | "scatter" | "broadcast";

/** A builder of subjects, by its name in {@link Subjects}. */
export type SubjectName = Exclude<
  keyof Subjects,
  | "prefix"
  | "filters"
  | "readTask"
  | "readPlaced"
  | "readHeartbeat"
  | "readAudit"
  | "readTaskIdentity"
  | "readFlow"
  | "readWorkflow"
  | "readShared"
  | "readOperate"
  | "readOperateReceipt"
>;

/** The facts about one subject. */
export interface SubjectFacts {
  /** The subject after the prefix, with `<name>` for each variable token. */
  readonly form: string;
  readonly kind: SubjectKind;
  /** The use of the subject. */
  readonly about: string;
}

/** The facts about each subject, in the order of a task's way through the swarm. */
export const SUBJECT_FACTS: Readonly<Record<SubjectName, SubjectFacts>> = {
  submit: {
    form: "submit",
    kind: "queue request",
    about:
      "Hands in a task after full validation, where permissions are off: it names no user. The reply is `submit-reply`; with the header `Murmur-Wait: <ms>` it is the result.",
  },
  operate: {
    form: "operate.<user>.<operation>",
    kind: "queue request",
    about:
      "Performs one operation for a user, whose permissions on NATS prove the name. An `api` process that has a permissions file answers.",
  },
  operateReceipt: {
    form: "operate.<user>.-.<requestId>",
    kind: "broadcast",
    about: "The caller of a running operation tells how many replies it has read, or stops the operation.",
  },
  task: {
    form: "task.<capability>.<priority>.<scope>.<taskId>",
    kind: "durable",
    about: "Hands in a task directly. The host that receives the task validates it.",
  },
  later: {
    form: "later.<scope>.<taskId>",
    kind: "durable",
    about:
      "A delayed task, with `Nats-Schedule` and `Nats-Schedule-Target`. `submit` publishes here for `notBefore`.",
  },
  due: {
    form: "due.<capability>.<priority>.<scope>.<taskId>",
    kind: "durable",
    about:
      "A delayed task that came due. The server publishes here; a mover republishes it on its `task` subject.",
  },
  placed: {
    form: "placed.<class>.<host>.<agentId>.<scope>.<taskId>",
    kind: "durable",
    about:
      "A task placed on one agent. `Murmur-Placement` has the choice and its reasons; each host has one consumer.",
  },
  where: {
    form: "where.<taskId>",
    kind: "scatter",
    about: "Asks where a task runs. The host that runs it answers; for an open ballot the leader answers.",
  },
  cancel: {
    form: "cancel.<scope>.<taskId>",
    kind: "broadcast",
    about: "Tells hosts that a task was cancelled.",
  },
  cancelScope: {
    form: "cancel.<scope>.-",
    kind: "broadcast",
    about:
      "Tells hosts that a whole scope was cancelled. With `{ ballot }` in the body: the open questions of the ballot with the id `<scope>`.",
  },
  journal: {
    form: "journal.<capability>.<taskId>",
    kind: "durable",
    about: "A record about the attempts and steps of a task. Only Murmur's own processes publish here.",
  },
  result: {
    form: "result.<capability>.<lane>.<taskId>",
    kind: "durable",
    about: "The result of a task. The stream keeps the first message and rejects every later one.",
  },
  doneOf: {
    form: "done.<capability>.<lane>.<taskId>",
    kind: "broadcast",
    about: "Each stored result, republished by the server. Subscribe before you publish the task.",
  },
  dead: {
    form: "dead.<capability>.<taskId>",
    kind: "durable",
    about: "A dead letter: a task that failed for good.",
  },
  ask: {
    form: "ask.<capability>",
    kind: "queue request",
    about:
      "Asks any one agent of the capability. Not durable; the body is the input, and the reply is the output.",
  },
  agent: {
    form: "agent.<class>.<agentId>.<verb>",
    kind: "request",
    about:
      "The mailbox of one agent, below the class of its host. The verb is `ping`, `status`, `pause`, `resume`, `drain` or `ask`.",
  },
  everyAgent: {
    form: "agent.-.-.status",
    kind: "scatter",
    about: "Asks every process for the states of its agents.",
  },
  topic: {
    form: "topic.<topic>",
    kind: "broadcast",
    about: "A broadcast from agents to agents. A topic is one or more tokens.",
  },
  heartbeat: {
    form: "heartbeat.<class>.<host>",
    kind: "broadcast",
    about:
      "A host reports the state of its agents, every 5 s and when an agent starts or stops taking work. The subject proves class and host, so the office drops a report about agents of another host.",
  },
  gone: {
    form: "gone.<host>",
    kind: "broadcast",
    about:
      "A supervisor saw that the process with this host id died. The office asks the host's agents, and removes them if none answers.",
  },
  event: {
    form: "event.<kind>.<id>.<event>",
    kind: "broadcast",
    about: "Progress for watchers. The kind is `task`, `workflow`, `ballot`, `agent` or `office`.",
  },
  office: {
    form: "office.<command>",
    kind: "request",
    about: "A command or a read for the coordinator in office. Only the leader subscribes.",
  },
  stale: {
    form: "stale.<read>",
    kind: "queue request",
    about: "A read of the office's state that may be old. Any one coordinator answers.",
  },
  coordinators: {
    form: "coordinators",
    kind: "scatter",
    about: "Asks every coordinator for its status.",
  },
  election: {
    form: "election.<to>.<from>",
    kind: "broadcast",
    about: "A message of the election. Only coordinators use it.",
  },
  officeLog: {
    form: "log.office",
    kind: "durable",
    about: "The control log. Only coordinators publish here.",
  },
  audit: {
    form: "audit.<role>.<processId>",
    kind: "durable",
    about: "One entry of the audit log. Each process publishes only on its own subject.",
  },
  workflow: {
    form: "workflow.<lane>.<workflowId>",
    kind: "durable",
    about: "One entry of the log of a workflow, or all of them in one message. Only engines publish here.",
  },
  flow: {
    form: "flow.<lane>.<workflowId>.<command>",
    kind: "durable",
    about:
      "A command to a workflow, such as `start`, `signal` or `cancel`. The operations publish it after their checks.",
  },
  wake: {
    form: "wake.<lane>.<workflowId>.<n>",
    kind: "durable",
    about: "The schedule of a wake-up, with `Nats-Schedule` and the target `flow.<lane>.<workflowId>.wake`.",
  },
  shared: {
    form: "shared.<lane>.<workflowId>.<name>",
    kind: "durable",
    about: "One change of a shared value of a workflow. The operations and the engines publish here.",
  },
  engine: {
    form: "engine.<engineId>",
    kind: "broadcast",
    about: "An engine tells every 0.5 s that it lives, and at its end that it stops.",
  },
  engines: {
    form: "engines.<request>",
    kind: "queue request",
    about:
      "`check` asks any engine to check a command before it is stored, `definitions` for its workflows; `roll` asks every engine for its lanes and the runs that wait for a person.",
  },
};
