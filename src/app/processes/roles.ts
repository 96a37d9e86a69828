// The directories of agents: the user's own first, then the agents that ship with Murmur.
import { fileURLToPath } from "node:url";
import type { Ports } from "../cli/command.ts";
import { resolveFrom } from "../target.ts";

const SHIPPED_AGENTS = fileURLToPath(new URL("../../../agents", import.meta.url));

/** The directories of roles for a review: only a flag, a variable or `--config` names another than the shipped one. */
export function trustedAgentDirectories(ports: Pick<Ports, "config" | "directory" | "sources">): string[] {
  return ports.sources.agentsDir === "default" ? [SHIPPED_AGENTS] : agentDirectories(ports);
}

/** The directories of roles. The first directory that has a role counts. */
export function agentDirectories(ports: Pick<Ports, "config" | "directory">): string[] {
  return [resolveFrom(ports.directory, ports.config.agentsDir), SHIPPED_AGENTS];
}
