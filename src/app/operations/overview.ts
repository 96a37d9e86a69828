// The operation behind `murmur top`: the figures of the board Overview with the problems, from one look at the swarm.
import { z } from "zod";
import { makeOverview } from "../problems/overview.ts";
import { ProblemWatch } from "../problems/watch.ts";
import { defineOperation, type OperationContext, readWithin } from "./operation.ts";
import { problemReportSchema } from "./problems.ts";

const counts = z.record(z.string(), z.int());

/** The figures of one moment. A part that could not be read is null, and `unknown` has the reason. */
export const overviewSchema = problemReportSchema.extend({
  prefix: z.string(),
  at: z.string(),
  /** The last sequences of streams: two overviews tell the rates. */
  counts: z.object({ arrived: z.int(), ended: z.int(), dead: z.int() }).nullable(),
  capabilities: z
    .array(
      z.object({
        capability: z.string(),
        waiting: z.int(),
        running: z.int(),
        oldest: z.string().nullable(),
        isPaused: z.boolean(),
        agents: z.int(),
      }),
    )
    .nullable(),
  agents: z
    .object({ states: counts, waits: counts, slots: z.object({ used: z.int(), total: z.int() }) })
    .nullable(),
  office: z.object({ leader: z.string().nullable(), coordinators: z.int(), lag: z.int() }).nullable(),
  delayed: z.int().nullable(),
  /** How old each part is, in ms; null: never read. */
  ages: z.record(z.string(), z.number().nullable()),
  /** Streams with a limit, the fullest first. */
  streams: z.array(z.object({ stream: z.string(), share: z.number() })).nullable(),
});

export const showOverview = defineOperation({
  name: "swarm-overview",
  summary: "tell the figures of the board Overview, with the problems",
  input: z.strictObject({}),
  output: overviewSchema,
  errors: [],
  access: "read",
  async run(context) {
    const { transport, office, problems } = context;
    const watch = problems ?? (await lookOnce(context, new ProblemWatch({ transport, office })));
    const facts = watch.present();
    return overviewSchema.parse({
      ...{ prefix: transport.prefix, ages: roundAges(facts.ages) },
      ...makeOverview(facts),
      ...watch.report(),
    });
  },
});

function roundAges(ages: Readonly<Record<string, number | null>>): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(ages).map(([part, ageMs]) => [part, ageMs === null ? null : Math.round(ageMs)]),
  );
}

async function lookOnce(context: OperationContext, watch: ProblemWatch): Promise<ProblemWatch> {
  await readWithin(context, watch.look());
  return watch;
}
