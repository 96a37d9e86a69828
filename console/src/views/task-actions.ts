// The actions on one task: run it now, cancel it, another priority or capability, retry it, and the end of a step that waits for a person.
import { h, type JSX } from "preact";
import { call, pathOf } from "../api.ts";
import { Action, AskedAction, Choice } from "../parts.ts";
import type { Task } from "../types.ts";

const PRIORITIES = ["urgent", "high", "normal", "low"];
const WAITING = ["pending", "scheduled", "retrying"];
const ENDED = ["completed", "failed", "cancelled"];

const post = (task: string, verb: string, body: object = {}) =>
  call({ method: "POST", path: pathOf("v1", "tasks", task, verb), body });

/** The buttons that fit the state of a task. */
export function TaskActions({ task, onDone }: { task: Task; onDone: () => void }): JSX.Element {
  const { taskId, state, waiting } = task;
  const what = (verb: string) => `${verb} ${taskId}`;
  const isDelayed = state === "scheduled" || state === "retrying";
  return h(
    "span",
    { class: "buttons" },
    isDelayed
      ? h(Action, {
          ...{ label: "run now", access: "operate", what: what("run now"), onDone },
          run: () => post(taskId, "promote"),
        })
      : null,
    (waiting?.steps ?? []).map((step) => h(SettleStep, { key: step, taskId, step, onDone })),
    WAITING.includes(state)
      ? h(Choice, {
          ...{ label: "priority", options: PRIORITIES, access: "operate", onDone },
          what: (priority: string) => what(`priority ${priority} for`),
          run: (priority: string) => post(taskId, "reprioritise", { priority }),
        })
      : null,
    ENDED.includes(state)
      ? null
      : h(AskedAction, {
          ...{ label: "cancel", access: "submit", tone: "danger", what: what("cancel"), onDone },
          run: () => call({ method: "DELETE", path: pathOf("v1", "tasks", taskId) }),
          question: "The task ends as cancelled. An agent that works on it is told to stop.",
        }),
    state === "failed"
      ? h(Action, {
          ...{ label: "retry", access: "submit", what: what("retry"), onDone },
          run: () => post(taskId, "retry"),
        })
      : null,
  );
}

/** Gives a step that runs once back to the queue, or tells that it was done. */
function SettleStep({
  taskId,
  step,
  onDone,
}: {
  taskId: string;
  step: string;
  onDone: () => void;
}): JSX.Element {
  const settle = (body: object) => post(taskId, "settle", { step, ...body });
  return h(
    "span",
    {},
    h(AskedAction, {
      ...{ label: "give back", access: "operate", what: `give back step ${step} of ${taskId}`, onDone },
      run: () => settle({ notDone: true }),
      question: `The step ${step} runs again. Choose this only when its effect did not happen.`,
    }),
    h(AskedAction, {
      ...{
        label: "it was done",
        access: "operate",
        what: `settle step ${step} of ${taskId} as done`,
        onDone,
      },
      run: () => settle({ result: null }),
      question: `The step ${step} counts as done, without a result, and the task goes on behind it.`,
    }),
  );
}
