// `api`: the front door as one process, as pods run it.
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";
import { loadInSteps } from "../../processes/load-in-steps.ts";
import { openProbePort } from "../../processes/probe-port.ts";

export const command = defineCommand({
  handlesInterrupts: true,
  input: z.strictObject({
    init: z.boolean().default(false).meta({ description: "create missing streams and buckets first" }),
    apply: z
      .boolean()
      .default(false)
      .meta({ description: "with --init: also change streams of an earlier version, as init --apply does" }),
  }),
  output: z.object({ status: z.literal("stopped") }),
  examples: ["api --server nats://nats:4222", "api --init"],
  details:
    "Answers <prefix>.submit and HTTP (MURMUR_HTTP_HOST, MURMUR_HTTP_PORT), and moves delayed tasks that are due.\nRuns until SIGTERM.",
  async run(ports, input) {
    const port = await openProbePort(ports);
    const { runApi } = await loadInSteps(() => import("../../processes/api.ts"));
    await runApi(ports, { ...input, port }, ({ apiUrl, probesUrl }) =>
      ports.log.info({ http: apiUrl, metrics: `${probesUrl}/metrics` }, "api is ready"),
    );
    return { status: "stopped" as const };
  },
  render: () => "",
});
