// The workflows of the measurements, for the engines and for the process that starts the runs.
import { z } from "zod";
import { defineWorkflow, map, now, sleep, step } from "../../../src/workflow/index.ts";
import { definitionsOf } from "../../../test/engine/support.ts";

/** The steps of the smallest run. */
export const STEPS = 5;
/** The items of a map in progress. */
const ITEMS_IN_PROGRESS = 64;

/** A run of steps, one after the other. */
const chain = defineWorkflow({
  name: "chain",
  version: 1,
  input: z.object({ steps: z.number() }),
  *run({ steps }) {
    for (let at = 1; at <= steps; at++) yield* step(`step-${at}`, "echo", at);
  },
});

/** A run that sleeps until a time. */
const sleeper = defineWorkflow({
  name: "sleeper",
  version: 1,
  input: z.object({ untilMs: z.number() }),
  *run({ untilMs }) {
    yield* sleep("wait", Math.max(0, untilMs - (yield* now())));
  },
});

/** A map whose items have outputs of 1 KiB. */
const wide = defineWorkflow({
  name: "wide",
  version: 1,
  input: z.object({ items: z.number() }),
  *run({ items }) {
    const list = Array.from({ length: items }, (_, index) => index);
    const outputs = yield* map("item", list, { concurrency: ITEMS_IN_PROGRESS }, (index) =>
      step("make", "kibibyte", index),
    );
    return outputs.length;
  },
});

export const definitions = definitionsOf(chain, sleeper, wide);
