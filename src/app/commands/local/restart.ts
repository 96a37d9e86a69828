// `restart`: drains processes of the running swarm and starts them anew, with the code that is on disk now.
import { resolve } from "node:path";
import { z } from "zod";
import { parse, SwarmError, tokenSchema } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { callSupervisor } from "../../supervisor/control/control.ts";
import { readRunningSwarm } from "../../supervisor/state.ts";
import { findRoleFiles } from "./up.ts";

const answerSchema = z.object({ restarted: z.array(z.string()) });

export const command = defineCommand({
  input: z.strictObject({
    roles: z.array(tokenSchema).default([]).meta({
      positional: true,
      value: "ROLE",
      description: "roles, or names of processes such as echo-2 (default: all but nats-server)",
    }),
  }),
  output: z.object({
    dataDir: z.string(),
    /** The names of the processes, in the order of their start. */
    restarted: z.array(z.string()),
  }),
  examples: ["restart", "restart echo", "restart coordinator api --json"],
  details:
    "One process after the other: it finishes its running tasks within the grace (MURMUR_DRAIN_GRACE_MS), ends, and starts anew,\nwhile the others of its role serve. Of the coordinators the leader comes last, so that the office holds. Files of a role that do not load are an\nerror, and its processes run on. The swarm's settings stay; murmur down and up change them.",
  async run(ports, { roles }) {
    const { config, directory, signal, terminal } = ports;
    const dataDir = resolve(directory, config.data);
    const running = readRunningSwarm(dataDir);
    if (running === null) {
      throw new SwarmError("unavailable", `no swarm runs in ${dataDir}; murmur up starts one`);
    }
    if (running.control === null) {
      throw new SwarmError(
        "conflict",
        "the running supervisor is of an older Murmur and restarts nothing on demand; run murmur down, then murmur up",
      );
    }
    const answer = await callSupervisor(
      running.control,
      { type: "restart", names: roles, roleFiles: await findRoleFiles(ports) },
      { signal, onStep: (step) => terminal.status(step) },
    );
    return { dataDir, ...parse(answerSchema, answer, "answer of the supervisor") };
  },
  render: ({ restarted }) =>
    restarted.length === 0 ? "nothing to restart" : `restarted ${restarted.join(", ")}`,
});
