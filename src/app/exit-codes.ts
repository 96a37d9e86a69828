// The exit codes of the program. The command line ends with them, and the supervisor reads them from its processes.

/**
 * `usage`: the command line, a setting or a file of the user does not fit, so the same start fails again until a person changes
 * it. The supervisor does not repeat such a start.
 */
export const EXIT = { done: 0, failed: 1, usage: 2, unavailable: 3 } as const;
