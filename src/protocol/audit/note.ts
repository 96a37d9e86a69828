// The notes that Murmur's processes take for the audit log. Owns their kinds and facts; a note becomes an entry (entry.ts)
// in the room `audit`.
import type { Evidence } from "../ballot/verdict.ts";
import type { Result } from "../task/result.ts";

/** The facts of each kind of note. */
export interface AuditFacts {
  /** The first entry of a writer, before its first note. */
  "writer-started": { pid: number; host: string; version: string };
  /** The last entry of a writer that stopped in order. */
  "writer-ended": Record<string, never>;
  /** `count` notes were dropped between `from` and `to`, because the writer's queue was full. They are stored nowhere. */
  "entries-dropped": { count: number; from: string; to: string };
  /** Another program wrote a message on this writer's subject. `streamSeq` is its sequence in the stream. */
  "foreign-message": { streamSeq: number };
  /** The leader rejected a signed vote. */
  "vote-refused": { ballot: string; capability: string; evidence: Evidence };
  /** The leader rejected an answer of an agent that was not asked. `agent` is the name that the answer claims. */
  "answer-refused": { ballot: string; capability: string; taskId: string; agent: string };
  /** An agent signed two votes that contradict each other. From now on it gets no seat in signed ballots. */
  "agent-marked": { agent: string; ballot: string };
  /** `version`: the program of the coordinator, so that an upgrade shows. */
  "office-taken": { coordinator: string; term: number; version?: string };
  "office-left": { coordinator: string; term: number };
  /**
   * The control log rejected an append, because another message was already stored at its sequence: the writer was deposed,
   * or another coordinator took the office first. If an acknowledgement was lost, that message may be the writer's own entry.
   */
  "append-refused": { coordinator: string; term: number; expectedLastSeq: number; lastSeq: number };
  /** The control log was lost, and an operator started a new one from the remaining data. */
  "office-recovered": {
    by: string;
    problem: string;
    keptSeq: number;
    knownSeq: number;
    epoch: number;
    term: number;
  };
  /**
   * A caller performed an operation that changes the swarm; `outcome` is `done` or an error code. `isProven`: NATS, or a token of
   * the HTTP API, proved the name `by`. The values that it set are not in the entry; read them where it set them.
   */
  operation: { command: string; outcome: string; by: string; isProven: boolean; [about: string]: unknown };
  /** The leader decided a command that changes something, of an operation or of another program. It holds no values either. */
  "office-command": { command: string; outcome: string; [about: string]: unknown };
  /**
   * `count` messages wanted an answer on a subject that this process does not publish to, between `from` and `to`; `kind`,
   * `subject` and `reply` are those of the last one. Who sent them is not known.
   */
  "reply-refused": {
    count: number;
    from: string;
    to: string;
    kind: "reply" | "ack" | "flow";
    subject: string;
    reply: string;
  };
  /**
   * A process took another permissions file, or refused it: `outcome` is `done` or an error code. The hashes are those of the files
   * before and after it; `added` and `removed` count their users.
   */
  "permissions-reloaded": {
    by: string;
    isProven: boolean;
    outcome: string;
    from: string | null;
    to: string | null;
    added?: number;
    removed?: number;
  };
  /** An api process took another file of API tokens, or refused it; as `permissions-reloaded`. */
  "tokens-reloaded": {
    by: string;
    isProven: boolean;
    outcome: string;
    from: string | null;
    to: string | null;
    added?: number;
    removed?: number;
  };
  /**
   * `init` created or changed streams, or an api process began with another program or another permissions file than the entry before
   * tells (`action`). `values`: the SHA-256 of the settings that decide the streams; `permissions`: that of permissions.yaml, null
   * without one. `from`: the version of the entry before, null for the first one; `init` may not read the log, and leaves it out.
   */
  "swarm-installed": {
    by: string;
    isProven: boolean;
    action: "init" | "init-apply" | "api-start";
    version: string;
    values: string;
    permissions: string | null;
    from?: string | null;
    created?: number;
    changed?: number;
  };
  /**
   * An api process refused one caller `count` operations between `from` and `to`; `command` and `reason` are those of the last one.
   * `isProven`: NATS proved the name `by`.
   */
  "operation-refused": {
    count: number;
    from: string;
    to: string;
    by: string;
    isProven: boolean;
    command: string;
    reason: string;
  };
  /** NATS did not permit this process `count` operations between `from` and `to`; `operation` and `subject` are those of the last one. */
  "not-permitted": {
    count: number;
    from: string;
    to: string;
    operation: "publish" | "subscribe";
    subject: string;
    /** The line of permissions.yaml that would permit it. */
    advice?: string;
  };
  /** A second result of a task was rejected; `standing` is the stored first one. */
  "result-refused": {
    taskId: string;
    capability: string;
    refused: Pick<Result, "status" | "attempt" | "agent" | "finishedAt">;
    standing: Pick<Result, "status" | "attempt" | "agent" | "finishedAt"> | null;
  };
}

/** A note: an event that is to be written to the audit log. */
export type AuditNote = {
  [K in keyof AuditFacts]: { readonly kind: K; readonly facts: AuditFacts[K] };
}[keyof AuditFacts];

/**
 * Takes a note for the audit log, at once and without waiting. It never throws, and the operation that it records continues
 * even if the note is lost. Facts must be JSON and hold no secret.
 */
export type Audit = (note: AuditNote) => void;
