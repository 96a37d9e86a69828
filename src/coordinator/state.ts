// The office's whole state: which reducers there are. Pure.

import { ballots } from "./ballots/state/ballots.ts";
import { budgets } from "./budgets/budgets.ts";
import { config } from "./config/config.ts";
import { locks } from "./locks/locks.ts";
import { combine } from "./reducer.ts";
import { registry } from "./registry/registry.ts";
import { schedules } from "./schedules/schedules.ts";

/** The parts of the office, by the name under which a snapshot holds their state. */
export const reducers = { ballots, budgets, config, locks, registry, schedules };

/** What entries of the control log mean. */
export const officeCommands = combine(reducers);

/** The state that the control log means. */
export type OfficeState = ReturnType<typeof officeCommands.empty>;

/** A command as it stands in the control log. */
export type OfficeCommand = Parameters<typeof officeCommands.decide>[1];
