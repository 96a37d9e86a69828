// The whole state of the office: the list of its reducers. Pure.

import { ballots } from "./ballots/state/ballots.ts";
import { budgets } from "./budgets/budgets.ts";
import { config } from "./config/config.ts";
import { locks } from "./locks/locks.ts";
import { pauses } from "./pauses/pauses.ts";
import { combine } from "./reducer.ts";
import { registry } from "./registry/registry.ts";
import { schedules } from "./schedules/schedules.ts";

/** The parts of the office, by their names in a snapshot. */
export const reducers = { ballots, budgets, config, locks, pauses, registry, schedules };

/** The command set of the control log: how to parse its commands and how each one changes the state. */
export const officeCommands = combine(reducers);

/** The state that results from the entries of the control log. */
export type OfficeState = ReturnType<typeof officeCommands.empty>;

/** A command as the control log holds it. */
export type OfficeCommand = Parameters<typeof officeCommands.decide>[1];
