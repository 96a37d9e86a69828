// `topology show`: who speaks to whom: in the swarm, or in one ballot.
import { z } from "zod";
import { drawTopology } from "../../consensus/index.ts";
import {
  type AgentStatus,
  type BallotSpec,
  ballotSchema,
  MAX_SEATS,
  parse,
  SwarmError,
  TOPOLOGIES,
  tokenSchema,
} from "../../protocol/index.ts";
import { listAgents } from "../agents.ts";
import { defineCommand, type Ports } from "../command.ts";
import { READ_TIMEOUT_MS } from "../session.ts";

const FORMATS = ["text", "mermaid", "dot"] as const;

export const show = defineCommand({
  input: z.strictObject({
    ballot: tokenSchema.optional().meta({
      positional: true,
      value: "BALLOT",
      description: "the id of an ended ballot; without it the swarm",
    }),
    topology: z.enum(TOPOLOGIES).optional().meta({ description: "instead: a ballot as it would be" }),
    seats: z
      .int()
      .min(1)
      .max(MAX_SEATS)
      .default(5)
      .meta({ description: "of --topology: how many agents", value: "N" }),
    format: z.enum(FORMATS).default("text").meta({ description: "how it is drawn" }),
  }),
  output: z.object({ drawing: z.string() }),
  examples: [
    "topology show",
    "topology show --format mermaid",
    "topology show --topology tree --seats 7 --format dot",
    "topology show 01JD2M0YQ3",
  ],
  details:
    "An arrow says: who is at its end is shown the answers of who is at its beginning, or is led by it.",
  async run(ports, { ballot, topology, seats, format }) {
    if (topology !== undefined) {
      if (ballot !== undefined)
        throw new SwarmError("invalid_input", "give a ballot or --topology, not both", { field: "topology" });
      const spec = parse(ballotSchema, { seats, strategy: "majority", topology }, "topology");
      return { drawing: drawTopology(spec, format) };
    }
    if (ballot !== undefined) return { drawing: await drawBallot(ports, ballot, format) };
    return { drawing: drawSwarm(await listAgents(await ports.transport()), format) };
  },
  render: ({ drawing }) => drawing,
});

/** A ballot that ended, with its agents on its seats. */
async function drawBallot(ports: Ports, id: string, format: (typeof FORMATS)[number]): Promise<string> {
  const tasks = await ports.tasks();
  const { result } = await tasks.status(id);
  if (result?.verdict === undefined) {
    throw new SwarmError(
      "not_found",
      `task ${id} has no verdict (yet); murmur ballot show ${id} tells more`,
      {
        field: "ballot",
      },
    );
  }
  const { seats, topology } = result.verdict;
  const spec = { seats: seats.length, strategy: "majority", topology } as unknown as BallotSpec;
  return drawTopology(spec, format, (seat) => seats[seat - 1]?.agent ?? `seat ${seat}`);
}

/** Capabilities, and the agents that offer them, by host. */
function drawSwarm(agents: readonly AgentStatus[], format: (typeof FORMATS)[number]): string {
  const hosts = [...new Set(agents.map(({ host }) => host))].sort();
  const capabilities = [...new Set(agents.flatMap((agent) => agent.capabilities))].sort();
  const of = (host: string) => agents.filter((agent) => agent.host === host);
  if (format === "text") {
    if (agents.length === 0) return `no agents answered within ${READ_TIMEOUT_MS} ms`;
    return hosts
      .flatMap((host) => [
        host,
        ...of(host).map(({ id, capabilities: offers }) => `  ${id}  takes ${offers.join(", ")}`),
      ])
      .join("\n");
  }
  const quote = (text: string) => JSON.stringify(text);
  if (format === "dot") {
    return [
      "digraph swarm {",
      "  rankdir=LR;",
      ...capabilities.map((name) => `  ${quote(`capability ${name}`)} [shape=box,label=${quote(name)}];`),
      ...hosts.flatMap((host, index) => [
        `  subgraph cluster_${index} {`,
        `    label=${quote(host)};`,
        ...of(host).map(({ id }) => `    ${quote(id)};`),
        "  }",
      ]),
      ...agents.flatMap(({ id, capabilities: offers }) =>
        offers.map((name) => `  ${quote(`capability ${name}`)} -> ${quote(id)};`),
      ),
      "}",
    ].join("\n");
  }
  const node = new Map(agents.map(({ id }, index) => [id, `a${index}`]));
  return [
    "flowchart LR",
    ...capabilities.map((name, index) => `  c${index}[${quote(name)}]`),
    ...hosts.flatMap((host, index) => [
      `  subgraph h${index}[${quote(host)}]`,
      ...of(host).map(({ id }) => `    ${node.get(id)}(${quote(id)})`),
      "  end",
    ]),
    ...agents.flatMap(({ id, capabilities: offers }) =>
      offers.map((name) => `  c${capabilities.indexOf(name)} --> ${node.get(id)}`),
    ),
  ].join("\n");
}
