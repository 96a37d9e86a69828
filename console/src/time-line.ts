// The time line of a task: its waits, attempts and hand-offs in the order of their times. Pure.
import type { Task } from "./types.ts";

/** One line of the time line. */
export interface Line {
  readonly what: string;
  readonly from: string | undefined;
  readonly to: string | undefined;
  readonly state: string;
  readonly more: string;
}

/** The lines of a task in the order of their times: waits, attempts, hand-offs, steps. */
export function linesOf({ history, result, handOffs = [], queuedMs }: Task): Line[] {
  const attempts = history?.attempts ?? [];
  const first = attempts.find(({ startedAt }) => startedAt !== undefined)?.startedAt ?? result?.startedAt;
  const wait =
    queuedMs !== null && first !== undefined
      ? [
          {
            what: "wait in the queue",
            from: new Date(Date.parse(first) - queuedMs).toISOString(),
            to: first,
            state: "pending",
            more: "",
          },
        ]
      : [];
  const lines = attempts.flatMap((each, at): Line[] => [
    {
      what: `attempt ${each.attempt} on ${each.agent}`,
      from: each.startedAt,
      to: each.endedAt,
      state: each.outcome,
      more: each.error === undefined ? "" : `${each.error.code}: ${each.error.message}`,
    },
    ...(each.retryAt === undefined
      ? []
      : [
          {
            what: "wait for the next try",
            from: each.endedAt,
            to: attempts[at + 1]?.startedAt ?? each.retryAt,
            state: "retrying",
            more: "",
          },
        ]),
  ]);
  const hops = handOffs.map(({ agent, attempt, at }) => ({
    ...{
      what: `hand-off by ${agent} in attempt ${attempt}`,
      from: at,
      to: at,
      state: "handed-off",
      more: "",
    },
  }));
  const own =
    attempts.length === 0 && result !== undefined && result.attempt > 0
      ? [
          {
            ...{
              what: `attempt ${result.attempt} on ${result.agent}`,
              from: result.startedAt,
              to: result.finishedAt,
            },
            ...{
              state: result.status,
              more: result.error === undefined ? "" : `${result.error.code}: ${result.error.message}`,
            },
          },
        ]
      : [];
  const startOf = ({ from, to }: Line) => Date.parse(from ?? to ?? "") || 0;
  return [...wait, ...lines, ...hops, ...own].sort((a, b) => startOf(a) - startOf(b));
}
