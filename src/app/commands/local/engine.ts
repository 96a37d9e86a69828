// `engine`: one engine as one process, as pods run it.
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";
import { loadInSteps } from "../../processes/load-in-steps.ts";
import { openProbePort } from "../../processes/probe-port.ts";

export const command = defineCommand({
  handlesInterrupts: true,
  input: z.strictObject({}),
  output: z.object({ status: z.literal("stopped") }),
  examples: ["engine", "engine --server nats://nats:4222"],
  details:
    "Loads the definitions in workflows/ (setting workflowsDir) and runs workflows. Keeps nothing on disk: the logs are in NATS. Several\nengines share the runs; when one dies, the others go on with its runs within seconds. SIGTERM gives its runs back first.",
  async run(ports) {
    const port = await openProbePort(ports);
    const { runEngine } = await loadInSteps(() => import("../../processes/engine.ts"));
    await runEngine(ports, { port }, ({ probesUrl, workflows }) =>
      ports.log.info(
        {
          metrics: `${probesUrl}/metrics`,
          workflows: workflows.map(({ name, versions }) => `${name} v${versions.join(", v")}`),
        },
        "engine is ready",
      ),
    );
    return { status: "stopped" as const };
  },
  render: () => "",
});
