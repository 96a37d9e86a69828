// `completion`: prints the completion script of a shell, and for that script the names of the swarm.
import { z } from "zod";
import { type CommandEntry, defineCommand, type Ports } from "../../cli/command.ts";
import { SHELLS, writeScript } from "../../completion/script.ts";
import { NAME_KINDS, type NameKind, readPlaces } from "../../completion/tree.ts";

/** Names that are listed at most: a shell shows no more on a screen. */
const MAX_NAMES = 200;
/** How long the names may take, in ms. A shell waits for them while a person types. */
const NAMES_LIMIT_MS = 700;

/** The command, for the table of commands that it is itself a part of. */
export const createCompletion = (commands: () => readonly CommandEntry[]) =>
  defineCommand({
    input: z.strictObject({
      shell: z.enum(SHELLS).meta({ positional: true, value: "SHELL", description: "bash, zsh or fish" }),
      names: z.enum(NAME_KINDS).optional().meta({
        description: "print these names instead, for the script: it fails with no names within 1 s",
      }),
    }),
    output: z.union([
      z.object({ shell: z.enum(SHELLS), script: z.string() }),
      /** `left`: names beyond the limit. */
      z.object({ names: z.array(z.string()), left: z.int() }),
    ]),
    examples: [
      "completion bash",
      "completion zsh",
      "completion fish > ~/.config/fish/completions/murmur.fish",
      "completion bash --names agents",
    ],
    details:
      'Completes commands, flags and their values, and the names of agents, capabilities and roles. bash: put the line eval "$(murmur completion bash)" into ~/.bashrc; zsh: the same line with zsh into ~/.zshrc, behind compinit; fish: write the script into its completions folder.',
    async run(ports, { shell, names }) {
      if (names !== undefined) {
        const all = await readNames(ports, names);
        return { names: all.slice(0, MAX_NAMES), left: Math.max(0, all.length - MAX_NAMES) };
      }
      return { shell, script: writeScript(shell, await readPlaces(commands())) };
    },
    render: (output) => ("script" in output ? output.script.trimEnd() : output.names.join("\n")),
  });

/** @throws SwarmError `unavailable` when the swarm does not answer in time. */
async function readNames(ports: Ports, kind: NameKind): Promise<string[]> {
  if (kind === "roles") {
    const [{ listRoles }, { agentDirectories }] = await Promise.all([
      import("../../../agent/index.ts"),
      import("../../processes/roles.ts"),
    ]);
    return (await listRoles(agentDirectories(ports))).map(({ role }) => role);
  }
  const [{ withinTimeout }, { listAgents }] = await Promise.all([
    import("../../operations/time-limit.ts"),
    import("../../agents/roster.ts"),
  ]);
  const read = async () => {
    if (ports.config.operateAs !== undefined) return readThroughDoor(ports, kind);
    if (kind === "capabilities") return (await ports.tasks()).capabilities();
    return (await listAgents(await ports.transport())).map(({ id }) => id);
  };
  return withinTimeout(read(), ports.config.timeoutMs ?? NAMES_LIMIT_MS, "the swarm did not answer");
}

/** The names from operations, for a user that reaches nothing but the front door. */
async function readThroughDoor(ports: Ports, kind: "agents" | "capabilities"): Promise<string[]> {
  const { callOperation } = await import("../face.ts");
  if (kind === "capabilities") {
    const { listCapabilities } = await import("../../operations/capabilities.ts");
    const { capabilities } = await callOperation(ports, listCapabilities, {});
    return capabilities.map(({ capability }) => capability);
  }
  const { listLivingAgents } = await import("../../operations/agents.ts");
  return (await callOperation(ports, listLivingAgents, {})).agents.map(({ id }) => id);
}
