// Draws the swarm: its hosts, their agents, and the capabilities that they offer. Pure.
import type { AgentStatus } from "../../protocol/index.ts";

/** The languages of a drawing: lines for people, Mermaid, Graphviz. */
export const DRAWING_FORMATS = ["text", "mermaid", "dot"] as const;
/** One of {@link DRAWING_FORMATS}. */
export type DrawingFormat = (typeof DRAWING_FORMATS)[number];

/** Draws these agents in the order of their hosts. */
export function drawSwarm(agents: readonly AgentStatus[], format: DrawingFormat): string {
  const hosts = [...new Set(agents.map(({ host }) => host))].sort();
  const capabilities = [...new Set(agents.flatMap((agent) => agent.capabilities))].sort();
  const swarm = { agents, hosts, capabilities };
  if (format === "text") return drawLines(swarm);
  return format === "dot" ? drawDot(swarm) : drawMermaid(swarm);
}

interface Swarm {
  agents: readonly AgentStatus[];
  hosts: readonly string[];
  capabilities: readonly string[];
}

const quote = (text: string) => JSON.stringify(text);
const agentsOf = ({ agents }: Swarm, host: string) => agents.filter((agent) => agent.host === host);

function drawLines(swarm: Swarm): string {
  if (swarm.agents.length === 0) return "no agent answers; murmur up or murmur agent run starts some";
  return swarm.hosts
    .flatMap((host) => [
      host,
      ...agentsOf(swarm, host).map(({ id, capabilities: offers }) => `  ${id}  takes ${offers.join(", ")}`),
    ])
    .join("\n");
}

function drawDot(swarm: Swarm): string {
  return [
    "digraph swarm {",
    "  rankdir=LR;",
    ...swarm.capabilities.map((name) => `  ${quote(`capability ${name}`)} [shape=box,label=${quote(name)}];`),
    ...swarm.hosts.flatMap((host, index) => [
      `  subgraph cluster_${index} {`,
      `    label=${quote(host)};`,
      ...agentsOf(swarm, host).map(({ id }) => `    ${quote(id)};`),
      "  }",
    ]),
    ...swarm.agents.flatMap(({ id, capabilities: offers }) =>
      offers.map((name) => `  ${quote(`capability ${name}`)} -> ${quote(id)};`),
    ),
    "}",
  ].join("\n");
}

function drawMermaid(swarm: Swarm): string {
  const node = new Map(swarm.agents.map(({ id }, index) => [id, `a${index}`]));
  return [
    "flowchart LR",
    ...swarm.capabilities.map((name, index) => `  c${index}[${quote(name)}]`),
    ...swarm.hosts.flatMap((host, index) => [
      `  subgraph h${index}[${quote(host)}]`,
      ...agentsOf(swarm, host).map(({ id }) => `    ${node.get(id)}(${quote(id)})`),
      "  end",
    ]),
    ...swarm.agents.flatMap(({ id, capabilities: offers }) =>
      offers.map((name) => `  c${swarm.capabilities.indexOf(name)} --> ${node.get(id)}`),
    ),
  ].join("\n");
}
