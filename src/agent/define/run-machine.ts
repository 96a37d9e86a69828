// Runs an author's own XState machine for one task: one XState actor, from the input to the output. define.ts calls it for
// agents that are defined by a machine.
import { type AnyStateMachine, createActor, type StateValue } from "xstate";
import type { AgentContext, AgentTask } from "./context.ts";

/**
 * Runs `machine` until it is done, it fails, or the task's signal aborts; an abort stops the XState actor. Calls `onState`
 * with a short text for each new state.
 * @returns the machine's final `output`.
 * @throws the machine's error; the signal's reason.
 */
export function runMachine(
  machine: AnyStateMachine,
  input: { task: AgentTask; ctx: AgentContext },
  onState: (state: string) => void,
): Promise<unknown> {
  const { signal } = input.ctx;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const actor = createActor(machine, { input });
    const onAbort = () => {
      reject(signal.reason); // Reject before the stop: a stopped actor completes, without an output.
      actor.stop();
    };
    const settle = (finish: () => void) => {
      signal.removeEventListener("abort", onAbort);
      finish();
    };
    let shown: StateValue | undefined;
    actor.subscribe({
      next: (snapshot) => {
        if (snapshot.value === shown) return;
        shown = snapshot.value;
        onState(showState(snapshot.value));
      },
      error: (error) => settle(() => reject(error)),
      complete: () => settle(() => resolve(actor.getSnapshot().output)),
    });
    signal.addEventListener("abort", onAbort, { once: true });
    actor.start();
  });
}

/** A state value as one short line: `writing`, `writing.draft`, or JSON where regions are parallel. */
export function showState(value: StateValue): string {
  const path: string[] = [];
  let current: StateValue | undefined = value;
  while (typeof current === "object") {
    const regions: [string, StateValue | undefined][] = Object.entries(current);
    const only = regions[0];
    if (only === undefined || regions.length > 1) return JSON.stringify(value).slice(0, 200);
    path.push(only[0]);
    current = only[1];
  }
  if (current !== undefined) path.push(current);
  return path.join(".").slice(0, 200);
}
