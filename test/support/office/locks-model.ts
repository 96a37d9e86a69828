// A sequential model of one lock, for checkLinearizable. The model assumes that no lease ends during the history; audit.ts
// checks the ends of leases against real time.
import type { SequentialModel } from "../linearizability.ts";

/** A request about a lock. */
export type LockInput =
  | { readonly type: "acquire"; readonly owner: string }
  | { readonly type: "release"; readonly owner: string; readonly token: number }
  | { readonly type: "look" };

/** An answer about a lock. */
export type LockOutput =
  | { readonly type: "acquired"; readonly token: number }
  | { readonly type: "held"; readonly by: string }
  | { readonly type: "released" }
  | { readonly type: "not-held" }
  | { readonly type: "seen"; readonly owner: string | null; readonly token: number };

/** The state of one lock. The token is null (unknown) after an acquisition without an answer. */
export interface LockState {
  readonly owner: string | null;
  readonly token: number | null;
  /** The highest token seen. Later tokens are higher. */
  readonly highest: number;
}

/** The model of one lock whose lease does not expire. */
export const lockModel: SequentialModel<LockState, LockInput, LockOutput> = {
  initial: { owner: null, token: null, highest: 0 },
  step(state, input, output) {
    switch (input.type) {
      case "acquire":
        return stepAcquire(state, input.owner, output);
      case "release":
        return stepRelease(state, input, output);
      case "look":
        return output === undefined ? state : stepLook(state, output);
      default:
        return input satisfies never;
    }
  },
  fingerprint: (state) => JSON.stringify(state),
};

function stepAcquire(state: LockState, owner: string, output: LockOutput | undefined): LockState | null {
  if (output === undefined) return state.owner === null ? { ...state, owner, token: null } : state;
  if (output.type === "held") return state.owner === output.by && output.by !== owner ? state : null;
  if (output.type !== "acquired") return null;
  if (state.owner === owner) return withToken(state, output.token);
  return state.owner === null ? withToken({ ...state, owner, token: null }, output.token) : null;
}

function stepRelease(
  state: LockState,
  { owner, token }: { owner: string; token: number },
  output: LockOutput | undefined,
): LockState | null {
  const held = state.owner === owner ? withToken(state, token) : null;
  const free = held === null ? null : { ...held, owner: null, token: null };
  if (output === undefined) return free ?? state;
  if (output.type === "released") return free;
  // When the token is unknown, the release may carry another token than the lock has.
  return output.type === "not-held" && (free === null || state.token === null) ? state : null;
}

function stepLook(state: LockState, output: LockOutput): LockState | null {
  if (output.type !== "seen" || output.owner !== state.owner) return null;
  return state.owner === null ? state : withToken(state, output.token);
}

/** The state with this token; null when the state has another token, or when the token is not above the highest seen. */
function withToken(state: LockState, token: number): LockState | null {
  if (state.token !== null) return state.token === token ? state : null;
  return token > state.highest ? { ...state, token, highest: token } : null;
}
