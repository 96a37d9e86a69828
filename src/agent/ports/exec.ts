// What an agent needs of whoever runs commands for it. The exec bridge fits; the app wires it in.
import type { ExecRequest, ExecResult } from "../../protocol/index.ts";

/** Runs one command. What an agent may run is decided by who made this, and narrowed by the agent's definition. */
export type Exec = (command: ExecRequest, options: { signal: AbortSignal }) => Promise<ExecResult>;
