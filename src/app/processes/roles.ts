// Where agents are found: the user's own directory first, then those that ship with Murmur.
import { fileURLToPath } from "node:url";
import type { Ports } from "../cli/command.ts";
import { resolveFrom } from "../target.ts";

const SHIPPED_AGENTS = fileURLToPath(new URL("../../../agents", import.meta.url));

/** The directories of roles, the first that has a role counts. */
export function agentDirectories(ports: Pick<Ports, "config" | "directory">): string[] {
  return [resolveFrom(ports.directory, ports.config.agentsDir), SHIPPED_AGENTS];
}
