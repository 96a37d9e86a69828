// The processes of a local swarm by their names: adds them, starts a group of them together, and removes them. The supervisor and
// its changer share one table; supervisor.ts owns it.
import { SwarmError } from "../../protocol/index.ts";
import { chooseMessengers } from "./decide.ts";
import type { KeptProcess } from "./kept-process.ts";

/** The limit for a whole swarm, or for a changed part of it, to become ready; measured: 1.5 s on two cores with one agent. */
const READY_TIMEOUT_MS = 90_000;

/** The processes of a swarm, in the order of their addition. */
export class ProcessTable {
  readonly #processes = new Map<string, KeptProcess>();
  /** Aborts when the swarm stops: no process becomes ready then. */
  readonly #signal: AbortSignal;
  readonly #onChange: () => void;

  constructor(options: { signal: AbortSignal; onChange: () => void }) {
    this.#signal = options.signal;
    this.#onChange = options.onChange;
  }

  get all(): KeptProcess[] {
    return [...this.#processes.values()];
  }

  get(name: string): KeptProcess | undefined {
    return this.#processes.get(name);
  }

  ofRole(role: string): KeptProcess[] {
    return this.all.filter(({ plan }) => plan.role === role);
  }

  /** The agent file of each role that runs, as far as it is known. */
  agentFiles(): Map<string, string> {
    const roles = new Map<string, string>();
    for (const { plan, agentFile } of this.all) if (agentFile !== undefined) roles.set(plan.role, agentFile);
    return roles;
  }

  add(kept: KeptProcess): KeptProcess {
    this.#processes.set(kept.plan.name, kept);
    return kept;
  }

  /**
   * Lets running processes tell the office that a process died. If none runs, the office learns of the death from the silence.
   */
  announceDeath(processId: string): void {
    for (const kept of chooseMessengers(this.all)) kept.tell({ type: "died", processId });
  }

  /** Ends processes, each within `graceMs`, and forgets them. */
  async remove(group: readonly KeptProcess[], graceMs: number): Promise<void> {
    await Promise.all(group.map((kept) => kept.end(graceMs)));
    for (const { plan } of group) this.#processes.delete(plan.name);
    this.#onChange();
  }

  /** Starts processes and resolves when all are ready. @throws the first failure; `unavailable` when it takes too long. */
  async startAll(group: readonly KeptProcess[]): Promise<void> {
    const ready = Promise.all(group.map((kept) => kept.start()));
    ready.catch(() => undefined);
    const signal = this.#signal;
    let timer: NodeJS.Timeout | undefined;
    let onAbort: () => void = () => undefined;
    const late = new Promise<never>((_, reject) => {
      onAbort = () => reject(signal.reason);
      if (signal.aborted) onAbort();
      signal.addEventListener("abort", onAbort, { once: true });
      timer = setTimeout(() => {
        const missing = group.filter((kept) => kept.watched.status !== "running");
        reject(
          new SwarmError(
            "unavailable",
            `not ready within ${READY_TIMEOUT_MS / 1_000} s: ${namesOf(missing)}\n${missing.map((kept) => kept.excerpt()).join("\n")}`,
          ),
        );
      }, READY_TIMEOUT_MS);
    });
    try {
      await Promise.race([ready, late]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }
}

/** The names of processes, for people. */
export function namesOf(group: readonly KeptProcess[]): string {
  return group.map(({ plan }) => plan.name).join(", ");
}
