// Operations on capabilities: list them, and pause or resume one for the whole swarm.
import { z } from "zod";
import { sleep } from "../../base/index.ts";
import { SwarmError, tokenSchema } from "../../protocol/index.ts";
import { readCapabilities } from "../office/capabilities.ts";
import { patience } from "../office/reads.ts";
import { defineOperation, type OperationContext, readWithin } from "./operation.ts";

/** How often a pause looks whether NATS follows it, in ms. */
const FOLLOW_CHECK_MS = 100;
/** How long a pause waits for NATS to follow, in ms: the office looks every 250 ms, and an election takes about a second. */
const FOLLOW_TIMEOUT_MS = 3_000;

/** The states of a capability's queues, as the office wants them and as NATS has them. */
const QUEUE_STATES = [
  /** Its queues deliver. */
  "open",
  /** The office paused it, and NATS delivers none of its tasks. */
  "paused",
  /** The office paused it, and NATS still delivers some of its tasks. */
  "pausing",
  /** The office resumed it, and NATS still holds some of its tasks. */
  "resuming",
  /** Another program than Murmur paused a queue of it in NATS. */
  "held",
] as const;

const capabilitySchema = z.object({
  capability: z.string(),
  state: z.enum(QUEUE_STATES),
  /** The tasks that wait in its queues, and the tasks that hosts hold. */
  waiting: z.int(),
  inFlight: z.int(),
  /** The time of the pause, ISO 8601, and its operator. Null: not paused, or no coordinator answered. */
  since: z.string().nullable(),
  by: z.string().nullable(),
});

const oneCapability = z.strictObject({
  capability: tokenSchema.meta({ description: "a capability of murmur capability ls" }),
});

export const listCapabilities = defineOperation({
  name: "capability-list",
  summary: "list capabilities, their queues and their pauses",
  input: z.strictObject({}),
  output: z.object({
    capabilities: z.array(capabilitySchema),
    /** False when no coordinator answered: then only NATS tells the pauses, without time and operator. */
    isOfficeKnown: z.boolean(),
  }),
  errors: [],
  access: "read",
  run: (context) => readWithin(context, readCapabilities(context)),
});

const changeSchema = capabilitySchema.extend({
  /** False: it was so already. */
  isChanged: z.boolean(),
});

/** The operation that pauses or resumes: the office decides, its keeper changes NATS, and the answer tells both. */
function change(verb: "pause" | "resume", summary: string) {
  return defineOperation({
    name: `capability-${verb}`,
    summary,
    input: oneCapability,
    output: changeSchema,
    errors: ["unknown_capability", "conflict"],
    access: "operate",
    reach: ({ capability: name }) => ({ capabilities: [name] }),
    audit: { outcome: ({ isChanged }) => ({ isChanged }) },
    async run(context, { capability }) {
      const by = context.caller.name;
      const { capabilities } = await readWithin(context, readCapabilities(context));
      if (!capabilities.some((each) => each.capability === capability)) {
        const names = capabilities.map(({ capability: name }) => name).join(", ") || "none";
        throw new SwarmError(
          "unknown_capability",
          `no agent has offered the capability ${capability} yet; known: ${names}`,
          { field: "capability" },
        );
      }
      const write = { capability, by };
      const { isChanged } =
        verb === "pause"
          ? await context.office.write("capability-pause", write, patience(context))
          : await context.office.write("capability-resume", write, patience(context));
      const seen = await waitForQueues(context, capability, verb === "pause" ? "pausing" : "resuming");
      return { ...seen, isChanged };
    },
  });
}

export const pauseCapability = change("pause", "let a capability's tasks wait, in the whole swarm");
export const resumeCapability = change("resume", "let a paused capability's tasks go on");

type Capability = z.output<typeof capabilitySchema>;

/** Looks until NATS follows the office, for a few seconds at most; then the answer's state says that it does not yet. */
async function waitForQueues(
  context: OperationContext,
  capability: string,
  unfinished: "pausing" | "resuming",
): Promise<Capability> {
  const gone = { capability, state: "open", waiting: 0, inFlight: 0, since: null, by: null } as const;
  for (let waitedMs = 0; ; waitedMs += FOLLOW_CHECK_MS) {
    const { capabilities } = await readWithin(context, readCapabilities(context));
    const seen = capabilities.find((each) => each.capability === capability) ?? gone;
    if (seen.state !== unfinished || waitedMs >= FOLLOW_TIMEOUT_MS) return seen;
    await sleep(FOLLOW_CHECK_MS, { signal: context.signal });
  }
}
