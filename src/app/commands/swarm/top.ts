// `top`: the board Overview in a terminal, drawn anew until Ctrl-C.
import { z } from "zod";
import { sleep } from "../../../base/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { createTerminal } from "../../cli/terminal.ts";
import { overviewSchema, showOverview } from "../../operations/overview.ts";
import { ratesBetween } from "../../problems/overview.ts";
import { callOperation } from "../face.ts";
import { showOverview as render } from "../views/overview.ts";

/** The default time between two looks, in seconds: api processes read the swarm as often. */
const EVERY_SECONDS = 2;
const MAX_EVERY_SECONDS = 3_600;
/** Moves the cursor to the corner, and clears the screen from there. */
const CLEAR = "\u001b[H\u001b[2J";

const ratesSchema = z
  .object({
    arrivingPerSecond: z.number(),
    endingPerSecond: z.number(),
    deadPerSecond: z.number(),
    backlogSeconds: z.number().nullable(),
  })
  .nullable();
/** One screen: the figures, and the rates since the screen before. */
const screenSchema = overviewSchema.extend({ rates: ratesSchema });
type Screen = z.output<typeof screenSchema>;

export const command = defineCommand({
  handlesInterrupts: true,
  printsLines: true,
  input: z.strictObject({
    once: z.boolean().default(false).meta({ description: "two looks, one screen, and the end" }),
    every: z
      .number()
      .min(1)
      .max(MAX_EVERY_SECONDS)
      .default(EVERY_SECONDS)
      .meta({ value: "SECONDS", description: "time between two looks" }),
  }),
  output: screenSchema,
  examples: ["top", "top --once", "top --once --json", "top --every 10"],
  details:
    "The figures of the Grafana board Overview, from the same facts: the problems with their first command, rates, agents, office, queues.\n--json prints one document for each look. Rates are those between two looks.",
  async run(ports, { once, every }) {
    const { colors } = createTerminal({
      quiet: true,
      stream: process.stdout,
      environment: ports.environment,
    });
    const terminal = { ...ports.terminal, colors };
    const isScreen = process.stdout.isTTY === true && !once && !ports.json;
    const look = () => callOperation(ports, showOverview, {});
    let before = await look();
    const draw = (screen: Screen) =>
      ports.print(
        ports.json
          ? JSON.stringify(screen)
          : `${isScreen ? CLEAR : ""}${render(screen, screen.rates, terminal)}${isScreen || once ? "" : "\n"}`,
      );
    let screen: Screen = { ...before, rates: null };
    if (!once) draw(screen);
    do {
      await sleep(every * 1_000, { signal: ports.signal }).catch(() => undefined);
      if (ports.signal.aborted) break;
      const view = await look();
      screen = { ...view, rates: ratesBetween(before, view) };
      before = view;
      draw(screen);
    } while (!once);
    return screen;
  },
  render: () => "",
});
