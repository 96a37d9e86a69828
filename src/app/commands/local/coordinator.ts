// `coordinator`: one coordinator as one process, as pods run it.
import { z } from "zod";
import { tokenSchema } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { loadInSteps } from "../../processes/load-in-steps.ts";
import { openProbePort } from "../../processes/probe-port.ts";

export const command = defineCommand({
  handlesInterrupts: true,
  input: z.strictObject({
    id: tokenSchema
      .optional()
      .meta({ description: "its id (default: MURMUR_COORDINATOR_ID, else coordinator-1)", value: "ID" }),
    members: z
      .string()
      .optional()
      .meta({ description: "the ids of all, 1, 3, 5 or 7 (default: MURMUR_COORDINATORS)", value: "LIST" }),
  }),
  output: z.object({ status: z.literal("stopped") }),
  examples: ["coordinator", "coordinator --id b --members a,b,c --server nats://nats:4222"],
  details:
    "Keeps nothing on disk: it reads the control log at its start. One coordinator holds the office, the others are ready to\ntake it. SIGTERM hands the office over first. Tasks flow with or without coordinators.",
  async run(ports, input) {
    const port = await openProbePort(ports);
    const { runCoordinator } = await loadInSteps(() => import("../../processes/coordinator.ts"));
    const { config } = ports;
    const members = input.members?.split(",").map((id) => id.trim()) ?? config.coordinators;
    const identity = { id: input.id ?? config.coordinatorId, members };
    await runCoordinator(ports, { identity, port }, ({ probesUrl }) =>
      ports.log.info({ metrics: `${probesUrl}/metrics` }, "coordinator is ready"),
    );
    return { status: "stopped" as const };
  },
  render: () => "",
});
