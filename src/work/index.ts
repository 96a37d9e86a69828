// What must be done, at least once and accounted for.
export type { Attempt, CapabilityLimits, Seat, Workforce } from "./ports.ts";
