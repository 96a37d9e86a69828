// A slot of an agent, from take to release. The worker of the work room performs a task in it, the ask desk an ask.
import type { SeatQuestion, SignedVote } from "../../protocol/index.ts";
import type { Attempt, Slot } from "../../work/index.ts";
import type { SlotState } from "../lifecycle/slot-counts.ts";
import type { AgentVoteKey } from "../ports/vote.ts";
import type { RunContext } from "./run-context.ts";

/** The part of the agent that a slot needs. */
interface SlotOwner {
  readonly id: string;
  readonly voteKey: AgentVoteKey | undefined;
  perform(slot: AgentSlot, attempt: Attempt): Promise<unknown>;
  release(slot: AgentSlot): void;
}

export class AgentSlot implements Slot {
  readonly agent: SlotOwner;
  readonly capability: string;
  readonly forAsk: boolean;
  /** The number of the agent's life that took the slot. */
  readonly life: number;
  state: SlotState = "free";
  /** The context of the work that runs in the slot now. */
  context: RunContext | undefined;

  constructor(facts: { agent: SlotOwner; capability: string; forAsk: boolean; life: number }) {
    this.agent = facts.agent;
    this.capability = facts.capability;
    this.forAsk = facts.forAsk;
    this.life = facts.life;
  }

  get agentId(): string {
    return this.agent.id;
  }

  perform(attempt: Attempt): Promise<unknown> {
    return this.agent.perform(this, attempt);
  }

  sign(question: SeatQuestion, output: unknown): SignedVote | undefined {
    return this.agent.voteKey?.sign(question, output);
  }

  release(): void {
    this.agent.release(this);
  }
}
