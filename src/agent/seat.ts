// A reserved slot of an agent. The work room performs a task in it; the ask desk an ask.
import type { SeatQuestion, SignedVote } from "../protocol/index.ts";
import type { Attempt, Seat } from "../work/index.ts";
import type { Run } from "./run.ts";
import type { SlotPlace } from "./slots.ts";
import type { AgentVoteKey } from "./vote-port.ts";

/** The agent, as its seats need it. */
interface SeatOwner {
  readonly id: string;
  readonly voteKey: AgentVoteKey | undefined;
  perform(seat: AgentSeat, attempt: Attempt): Promise<unknown>;
  release(seat: AgentSeat): void;
}

export class AgentSeat implements Seat {
  readonly agent: SeatOwner;
  readonly capability: string;
  readonly forAsk: boolean;
  /** The life of the agent that it was taken in. */
  readonly life: number;
  place: SlotPlace = "free";
  /** What is performed in it now. */
  run: Run | undefined;

  constructor(facts: { agent: SeatOwner; capability: string; forAsk: boolean; life: number }) {
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
