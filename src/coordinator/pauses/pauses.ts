// The reducer of paused capabilities: each with its beginning and its operator. pause-keeper.ts makes
// NATS hold the queues; placement and ballots read this state and give no work to a paused capability. Pure.
//
// P1  A pause keeps its first time and its first operator: a repeat changes nothing, and so does a repeated resume.
import { z } from "zod";
import { type Json, tokenSchema } from "../../protocol/index.ts";
import { type Reducer, refuse } from "../reducer.ts";

/** The most paused capabilities of one swarm. */
export const MAX_PAUSES = 1_000;
/** The longest name of an operator, in characters. */
const MAX_OPERATOR_LENGTH = 64;

const by = z.string().min(1).max(MAX_OPERATOR_LENGTH);

const commands = {
  "capability-pause": z.strictObject({
    type: z.literal("capability-pause"),
    capability: tokenSchema,
    /** The name of the operator. */
    by,
    /** The clock of the office's holder, in ms since 1970. */
    nowMs: z.int().min(0),
  }),
  "capability-resume": z.strictObject({
    type: z.literal("capability-resume"),
    capability: tokenSchema,
    by,
  }),
};

/** A command about the pause of a capability. */
export type PauseCommand = {
  [T in keyof typeof commands]: z.output<(typeof commands)[T]>;
}[keyof typeof commands];

/** The beginning of a pause. */
export interface Pause {
  readonly sinceMs: number;
  readonly by: string;
}

/** All pauses, by capability. */
export type Pauses = Map<string, Pause>;

/** The reducer of pauses. */
export const pauses: Reducer<Pauses, PauseCommand> = {
  commands,
  empty: () => new Map(),
  decide(state, command) {
    const { type, capability } = command;
    switch (type) {
      case "capability-pause": {
        if (state.has(capability)) return { isChanged: false }; // P1
        if (state.size >= MAX_PAUSES) {
          return refuse(
            "conflict",
            `${MAX_PAUSES} capabilities are paused already; resume some first`,
            "capability",
          );
        }
        state.set(capability, { sinceMs: command.nowMs, by: command.by });
        return { isChanged: true };
      }
      case "capability-resume":
        return { isChanged: state.delete(capability) };
      default:
        return command satisfies never;
    }
  },
  toJson: (state) => viewPauses(state) as unknown as Json,
  fromJson: (json) =>
    new Map(
      (json as unknown as PauseView[]).map(({ capability, ...pause }): [string, Pause] => [
        capability,
        pause,
      ]),
    ),
};

/** A pause in words: `echo is paused since 2026-11-30T05:00:00.000Z by ada`. */
export function describePause(capability: string, pause: Pause): string {
  return `${capability} is paused since ${new Date(pause.sinceMs).toISOString()} by ${pause.by}`;
}

/** A pause as a reply shows it. */
export interface PauseView extends Pause {
  readonly capability: string;
}

/** All pauses, by capability. */
export function viewPauses(state: Pauses): PauseView[] {
  return [...state]
    .map(([capability, { sinceMs, by: operator }]) => ({ capability, sinceMs, by: operator }))
    .sort((a, b) => (a.capability < b.capability ? -1 : 1));
}
