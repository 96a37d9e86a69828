// `topology show`: who speaks to whom: in the swarm, or in one ballot.
import { z } from "zod";
import { drawTopology, mostMessages } from "../../../consensus/index.ts";
import {
  type AgentStatus,
  type BallotSpec,
  ballotSchema,
  MAX_SEATS,
  parse,
  SwarmError,
  TOPOLOGIES,
  tokenSchema,
} from "../../../protocol/index.ts";
import { listAgents } from "../../agents.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { READ_TIMEOUT_MS } from "../../cli/session.ts";
import { openOffice, patience } from "../office.ts";

const FORMATS = ["text", "mermaid", "dot"] as const;

export const show = defineCommand({
  input: z.strictObject({
    ballot: tokenSchema.optional().meta({
      positional: true,
      value: "BALLOT",
      description: "the id of a ballot; without it the swarm",
    }),
    topology: z.enum(TOPOLOGIES).optional().meta({ description: "instead: a ballot as it would be" }),
    seats: z
      .int()
      .min(1)
      .max(MAX_SEATS)
      .default(5)
      .meta({ description: "of --topology: how many agents", value: "N" }),
    depth: z.int().optional().meta({ description: "of --topology tree: its levels", value: "N" }),
    fanOut: z.int().optional().meta({ description: "of --topology tree: how many a lead leads", value: "N" }),
    neighbours: z
      .int()
      .optional()
      .meta({ description: "of --topology mesh: how many others each sees", value: "N" }),
    format: z.enum(FORMATS).default("text").meta({ description: "how it is drawn" }),
  }),
  output: z.object({
    drawing: z.string(),
    /** Of a ballot that is open or would be: the most questions that it can ask. */
    mostMessages: z.int().optional(),
  }),
  examples: [
    "topology show",
    "topology show --format mermaid",
    "topology show --topology tree --seats 14 --depth 3 --fan-out 2 --format dot",
    "topology show 01JD2M0YQ3",
  ],
  details:
    "An arrow says: who is at its end is shown the answers of who is at its beginning, or is led by it. Below the text stands\nhow many questions a ballot that is open or would be can ask at most, its judge or verifier included.",
  async run(ports, { ballot, topology, seats, format, ...shape }) {
    const given = Object.entries(shape).filter(([, value]) => value !== undefined);
    if (topology === undefined && given.length > 0) {
      const [field] = given[0] as [string, unknown];
      throw new SwarmError("invalid_input", `${field} is of a ballot as it would be: give --topology too`, {
        field,
      });
    }
    if (topology !== undefined) {
      if (ballot !== undefined)
        throw new SwarmError("invalid_input", "give a ballot or --topology, not both", { field: "topology" });
      const said = { seats, strategy: "majority", topology, ...Object.fromEntries(given) };
      const spec = parse(ballotSchema, said, "topology");
      return { drawing: drawTopology(spec, format), mostMessages: mostMessages(spec) };
    }
    if (ballot !== undefined) return drawBallot(ports, ballot, format);
    return { drawing: drawSwarm(await listAgents(await ports.transport()), format) };
  },
  render: ({ drawing, mostMessages: most }) =>
    most === undefined || isGraph(drawing) ? drawing : `${drawing}\nat most ${most} questions`,
});

/** Whether it is drawn in the language of some program, to whom a further line would be nonsense. */
function isGraph(drawing: string): boolean {
  return /^(?:flowchart|digraph) /.test(drawing);
}

/** A ballot with its agents on its seats: one that ended from its verdict, an open one as the office has it. */
async function drawBallot(
  ports: Ports,
  id: string,
  format: (typeof FORMATS)[number],
): Promise<{ drawing: string; mostMessages?: number }> {
  const ended = await findEnded(ports, id);
  const { spec, agents } = ended ?? (await findOpen(ports, id));
  const drawing = drawTopology(spec, format, (seat) => agents[seat - 1] ?? `seat ${seat}`);
  if (ended !== null) return { drawing }; // its verdict tells how many it asked
  const { maxMessages = Number.POSITIVE_INFINITY } = spec.budget ?? {};
  return { drawing, mostMessages: Math.min(mostMessages(spec), maxMessages) };
}

interface Drawn {
  spec: BallotSpec;
  agents: string[];
}

async function findEnded(ports: Ports, id: string): Promise<Drawn | null> {
  const tasks = await ports.tasks();
  const { result } = await tasks.status(id);
  if (result?.verdict === undefined) return null;
  const { seats, topology, depth, fanOut, neighbours, rounds } = result.verdict;
  const agents = seats.map(({ agent }) => agent);
  const shape = Object.entries({ depth, fanOut, neighbours }).filter(([, value]) => value !== undefined);
  const wasDebate = (topology === "star" || topology === "tree") && rounds > 1;
  const said = {
    seats: seats.length,
    strategy: "majority",
    topology,
    ...Object.fromEntries(shape),
    ...(wasDebate ? { onDisagreement: "debate" } : {}),
    ...(rounds > 1 ? { rounds } : {}),
  };
  return { spec: parse(ballotSchema, said, "verdict"), agents };
}

async function findOpen(ports: Ports, id: string): Promise<Drawn> {
  const office = await openOffice(ports);
  const { spec, votes } = await office.read("ballot", { id }, patience(ports));
  if (spec !== null) return { spec, agents: votes.map(({ agent }) => agent) };
  throw new SwarmError(
    "not_found",
    `ballot ${id} ended without a verdict; murmur ballot show ${id} tells more`,
    { field: "ballot" },
  );
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
