// The lifecycle of an agent as an XState machine: its states and the allowed transitions. One actor of the machine lives
// as long as its agent. Leaves the counts of slots to slot-counts.ts, and the restart decision to base (`decideRestart`).
//
//   starting ──started──▶ idle ⇄ preparing ⇄ working ⇄ waiting ⇄ reporting      (the five work phases, in any order)
//      ▲                   │ pause/resume      │ drain          │ crash, giveUp   (from every living state)
//      └──────crash────────┴──▶ paused         └─▶ draining ──idle──▶ stopped    failed
//
// I1: every state is one of AGENT_STATES; a state ignores an event that it does not handle.
// I2: `stopped` and `failed` are final.
// I3: an agent that was paused before a crash is paused after its restart.
import { assign, setup } from "xstate";
import type { AgentState } from "../../protocol/index.ts";

/** The states of an agent that takes work. Each name is also the event that moves the machine into that state. */
export const WORK_PHASES = ["idle", "preparing", "working", "waiting", "reporting"] as const;
/** A state of an agent that takes work. */
export type WorkPhase = (typeof WORK_PHASES)[number];

/** The events of an agent's life. The agent sends a work phase when its most advanced work changes. */
export type LifecycleEvent =
  | { type: WorkPhase }
  | { type: "started" | "pause" | "resume" | "drain" | "crash" | "giveUp" | "stop" };

/** The event of each phase. The objects are made once, because agents send them all the time. */
export const PHASE_EVENTS: Record<WorkPhase, LifecycleEvent> = {
  idle: { type: "idle" },
  preparing: { type: "preparing" },
  working: { type: "working" },
  waiting: { type: "waiting" },
  reporting: { type: "reporting" },
};

/** The states of an agent that takes new work. */
export const ACCEPTING_STATES: ReadonlySet<AgentState> = new Set(WORK_PHASES);

/** The states that an agent never leaves. */
export const FINAL_STATES: ReadonlySet<AgentState> = new Set(["stopped", "failed"]);

const LIFE_END_EVENTS = { crash: "starting", giveUp: "failed", stop: "stopped" } as const;

const WORK_STATE = {
  on: {
    idle: "idle",
    preparing: "preparing",
    working: "working",
    waiting: "waiting",
    reporting: "reporting",
    pause: { target: "paused", actions: "markPaused" },
    drain: "draining",
    ...LIFE_END_EVENTS,
  },
} as const;

/** The lifecycle of an agent. */
export const lifecycle = setup({
  types: {} as { context: { paused: boolean }; events: LifecycleEvent },
  actions: {
    markPaused: assign({ paused: true }),
    markResumed: assign({ paused: false }),
  },
  guards: { isPaused: ({ context }) => context.paused },
}).createMachine({
  id: "agent",
  context: { paused: false },
  initial: "starting",
  states: {
    starting: {
      on: {
        started: [{ guard: "isPaused", target: "paused" }, { target: "idle" }],
        pause: { actions: "markPaused" },
        resume: { actions: "markResumed" },
        drain: "stopped",
        ...LIFE_END_EVENTS,
      },
    },
    idle: WORK_STATE,
    preparing: WORK_STATE,
    working: WORK_STATE,
    waiting: WORK_STATE,
    reporting: WORK_STATE,
    paused: {
      on: { resume: { target: "idle", actions: "markResumed" }, drain: "draining", ...LIFE_END_EVENTS },
    },
    draining: { on: { idle: "stopped", crash: "stopped", giveUp: "failed", stop: "stopped" } },
    stopped: { type: "final" },
    failed: { type: "final" },
  },
});
