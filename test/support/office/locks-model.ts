// A sequential model of one lock, for checkLinearizable. It takes leases to be longer than the history; audit.ts compares
// the end of leases with real time.
import type { SequentialModel } from "../linearizability.ts";

/** A request about a lock. */
export type LockInput =
  | { readonly type: "acquire"; readonly owner: string }
  | { readonly type: "release"; readonly owner: string; readonly token: number }
  | { readonly type: "look" };

/** An answer. */
export type LockOutput =
  | { readonly type: "acquired"; readonly token: number }
  | { readonly type: "held"; readonly by: string }
  | { readonly type: "released" }
  | { readonly type: "not-held" }
  | { readonly type: "seen"; readonly owner: string | null; readonly token: number };

/** One lock. A token is unknown (null) after an acquisition without an answer. */
export interface LockState {
  readonly owner: string | null;
  readonly token: number | null;
  /** The highest token seen: later ones are above it. */
  readonly highest: number;
}

/** One lock whose lease does not expire. */
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
  // With an unknown token, the lock may be held with another token than that of the release.
  return output.type === "not-held" && (free === null || state.token === null) ? state : null;
}

function stepLook(state: LockState, output: LockOutput): LockState | null {
  if (output.type !== "seen" || output.owner !== state.owner) return null;
  return state.owner === null ? state : withToken(state, output.token);
}

/** The state with its token known; null when the state has another token. */
function withToken(state: LockState, token: number): LockState | null {
  if (state.token !== null) return state.token === token ? state : null;
  return token > state.highest ? { ...state, token, highest: token } : null;
}
