// The part of the swarm that a review needs, and the task that it submits. Types only: the cache and the workload stand between a
// review and its swarm, so all of them know these, and none of them knows the others.
import type { BallotInput, Result } from "murmur-swarm";
import type { ReviewCapability, Sandbox } from "../../../agents/lib/review/index.ts";
import type { ScannedFile } from "../scan.ts";

/** A task for the port. */
export interface ReviewTask {
  capability: ReviewCapability;
  input: {
    directory: string;
    files: string[];
    context?: string[];
    trustRepoConfig: boolean;
    sandbox?: Sandbox;
  };
  timeoutMs: number;
  /** One retry: the machine may have caused the first crash; the file causes a second one. */
  retry: { max: number };
  /** The linters' ballot. Its task has the capability of the first seat. */
  ballot?: BallotInput;
}

/** The part of the swarm that a review needs. */
export interface ReviewPorts {
  /** Submits a task and waits for its result. Rejects when the task cannot be submitted, or `signal` aborts. */
  submit(task: ReviewTask, signal: AbortSignal): Promise<Result>;
  /** Reads the result of a ballot's seat. It is stored before the verdict. */
  resultOf(taskId: string, signal: AbortSignal): Promise<Result>;
  onProgress?(progress: ReviewProgress): void;
  /** Called once, with the files of the review, before `ready`. */
  onScan?(directory: string, files: readonly ScannedFile[]): void;
  /**
   * Called with all tasks before their time limits begin, and again with the tasks of the referee, if there are any. A review
   * fails when it rejects.
   */
  ready?(tasks: readonly ReviewTask[], signal: AbortSignal | undefined): Promise<void>;
}

/** The progress of a review. */
export interface ReviewProgress {
  files: number;
  tasks: number;
  finished: number;
  failed: number;
  /** The capability of the last answer. */
  capability?: ReviewCapability | undefined;
}
