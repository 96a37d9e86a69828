// An agent with a machine of its own: one actor per task, three states. It asks another agent for the words of a text, and
// makes a title from them. `murmur agent ls` shows the machine's state.
import { defineAgent, type MachineInput } from "murmur-swarm";
import { assign, fromPromise, setup } from "xstate";
import { z } from "zod";

const input = z.strictObject({ text: z.string() });
type Work = MachineInput<z.output<typeof input>>;
type Counted = { words: number; top: { word: string; times: number }[] };

const titling = setup({
  types: {} as { input: Work; context: Work & { counted?: Counted; title?: string } },
  actors: {
    count: fromPromise(({ input: { task, ctx } }: { input: Work }) =>
      ctx.ask<Counted>("count-words", { text: task.input.text, top: 3 }, { timeoutMs: 5_000 }),
    ),
    write: fromPromise(
      async ({ input: { top } }: { input: Counted }) => `On ${top.map(({ word }) => word).join(", ")}`,
    ),
  },
}).createMachine({
  context: ({ input }) => input,
  initial: "counting",
  states: {
    counting: {
      invoke: {
        src: "count",
        input: ({ context }) => context,
        onDone: { target: "writing", actions: assign({ counted: ({ event }) => event.output }) },
      },
    },
    writing: {
      invoke: {
        src: "write",
        input: ({ context }) => context.counted ?? { words: 0, top: [] },
        onDone: { target: "done", actions: assign({ title: ({ event }) => event.output }) },
      },
    },
    done: { type: "final" },
  },
  output: ({ context }) => ({ title: context.title, words: context.counted?.words }),
});

export default defineAgent({
  name: "three-state-agent",
  description: "Makes a title out of the most frequent words of a text.",
  capabilities: ["make-title"],
  input,
  output: z.object({ title: z.string(), words: z.int() }),
  machine: titling,
});
