// The port that runs commands for an agent. The exec bridge implements it; the app connects the two.
import type { ExecRequest, ExecResult } from "../../protocol/index.ts";

/** Runs one command. The implementation decides which commands are allowed; the agent's definition narrows them further. */
export type Exec = (command: ExecRequest, options: { signal: AbortSignal }) => Promise<ExecResult>;
