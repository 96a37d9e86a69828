// The client for programs: submits tasks, waits for their results, follows them, cancels them, and runs batches.
// docs/client.md explains it.
//
//   import { connect } from "murmur-swarm/client";
//
//   await using client = await connect();
//   const result = await client.run({ capability: "echo", input: { hello: "world" } });
//
// This door loads no library. `connect` and `createClient` load the client at their first call.

export { connect, createClient } from "./connect.ts";
export { isCancelled, isCompleted, isFailed, isSwarmError, outputOf } from "./guards.ts";
export type {
  BatchEntry,
  BatchOptions,
  CallOptions,
  Client,
  ConnectOptions,
  Encoding,
  ErrorCode,
  ListOptions,
  Result,
  RunOptions,
  SubmitOptions,
  SubmitReply,
  SwarmError,
  TaskInput,
  TaskOf,
  TaskResult,
  TaskStatus,
  WaitOptions,
} from "./types.ts";
