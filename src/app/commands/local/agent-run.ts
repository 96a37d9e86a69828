// `agent run`: agents in this process, as pods run them.
import { z } from "zod";
import { tokenSchema } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { loadInSteps } from "../../processes/load-in-steps.ts";
import { openProbePort } from "../../processes/probe-port.ts";

export const command = defineCommand({
  handlesInterrupts: true,
  input: z.strictObject({
    roles: z.array(tokenSchema).min(1, "name at least one role").meta({
      positional: true,
      value: "ROLE",
      description: "a folder with an agent.ts; a role may be repeated",
    }),
    check: z
      .boolean()
      .default(false)
      .meta({ description: "only load the agents and report a fault; connect to no server" }),
  }),
  output: z.object({ status: z.enum(["stopped", "checked"]) }),
  examples: [
    "agent run echo",
    "agent run echo echo --server nats://nats:4222",
    "agent run review-docs --check",
  ],
  details:
    "One process with these agents, as pods run it. Roles come from ./agents (MURMUR_AGENTS_DIR), then from the roles that\nship with Murmur. SIGTERM drains: running tasks finish within MURMUR_DRAIN_GRACE_MS, the rest goes back to the queue.",
  async run(ports, { roles, check }) {
    if (check) {
      const { loadAgents } = await import("../../processes/agents.ts");
      await loadAgents(ports, roles);
      return { status: "checked" as const };
    }
    const port = await openProbePort(ports);
    const { runAgents } = await loadInSteps(() => import("../../processes/agents.ts"));
    await runAgents(ports, { roles, port }, ({ probesUrl, capabilities }) =>
      ports.log.info({ capabilities, metrics: `${probesUrl}/metrics` }, "agents are ready"),
    );
    return { status: "stopped" as const };
  },
  render: ({ status }) => (status === "checked" ? "the agents load" : ""),
});
