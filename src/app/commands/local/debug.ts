// `debug …`: parts of Murmur on a pipe, for harnesses.
import { z } from "zod";
import { defineCommand } from "../../cli/command.ts";

export const electionNode = defineCommand({
  input: z.strictObject({}),
  output: z.object({}),
  examples: ["debug election-node < script.jsonl"],
  details: "One JSON object a line in, exactly one a line out. Ends when standard input ends.",
  async run() {
    const { runElectionNode } = await import("./election-node.ts");
    await runElectionNode(process.stdin, process.stdout);
    return {};
  },
  render: () => "",
});
