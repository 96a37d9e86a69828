// The lifecycle of an agent as an XState machine: which state it is in, and what may come next. One actor of it lives
// as long as its agent. What the slots do is counted in `slots.ts`; what restarts is decided in base (`decideRestart`).
//
//   starting ──started──▶ idle ⇄ preparing ⇄ working ⇄ waiting ⇄ reporting      (the five work phases, in any order)
//      ▲                   │ pause/resume      │ drain          │ crash, giveUp   (from every living state)
//      └──────crash────────┴──▶ paused         └─▶ draining ──idle──▶ stopped    failed
//
// I1: every state is one of AGENT_STATES; an event that a state does not know changes nothing.
// I2: `stopped` and `failed` are final.
// I3: an agent that was paused before a crash comes back paused.
import { assign, setup } from "xstate";
import type { AgentState } from "../../protocol/index.ts";

/** What an agent that takes work does. Each is also the event that reports it. */
export const WORK_PHASES = ["idle", "preparing", "working", "waiting", "reporting"] as const;
/** What an agent that takes work does. */
export type WorkPhase = (typeof WORK_PHASES)[number];

/** What happens to an agent. The five phases are told when the furthest-along work changes. */
export type LifecycleEvent =
  | { type: WorkPhase }
  | { type: "started" | "pause" | "resume" | "drain" | "crash" | "giveUp" | "stop" };

/** The event of each phase, made once: they are sent all the time. */
export const PHASE_EVENTS: Record<WorkPhase, LifecycleEvent> = {
  idle: { type: "idle" },
  preparing: { type: "preparing" },
  working: { type: "working" },
  waiting: { type: "waiting" },
  reporting: { type: "reporting" },
};

/** States in which an agent takes new work. */
export const ACCEPTING_STATES: ReadonlySet<AgentState> = new Set(WORK_PHASES);

/** States that are never left. */
export const FINAL_STATES: ReadonlySet<AgentState> = new Set(["stopped", "failed"]);

const died = { crash: "starting", giveUp: "failed", stop: "stopped" } as const;

const atWork = {
  on: {
    idle: "idle",
    preparing: "preparing",
    working: "working",
    waiting: "waiting",
    reporting: "reporting",
    pause: { target: "paused", actions: "holdBack" },
    drain: "draining",
    ...died,
  },
} as const;

/** The lifecycle of an agent. */
export const lifecycle = setup({
  types: {} as { context: { paused: boolean }; events: LifecycleEvent },
  actions: {
    holdBack: assign({ paused: true }),
    letGo: assign({ paused: false }),
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
        pause: { actions: "holdBack" },
        resume: { actions: "letGo" },
        drain: "stopped",
        ...died,
      },
    },
    idle: atWork,
    preparing: atWork,
    working: atWork,
    waiting: atWork,
    reporting: atWork,
    paused: { on: { resume: { target: "idle", actions: "letGo" }, drain: "draining", ...died } },
    draining: { on: { idle: "stopped", crash: "stopped", giveUp: "failed", stop: "stopped" } },
    stopped: { type: "final" },
    failed: { type: "final" },
  },
});
