// Agents that cannot start: `agent run` and `up` fail at once with the reason and the way out.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setupWorld } from "../support.ts";

function writeAgent(directory: string, role: string, text: string): void {
  mkdirSync(join(directory, "agents", role), { recursive: true });
  writeFileSync(join(directory, "agents", role, "agent.ts"), text);
}

const runsGit = (role: string) =>
  `import { defineAgent } from "murmur-swarm";
   export default defineAgent({ name: "${role}", capabilities: ["x"], exec: { allow: ["git", "ls"] }, run: () => 1 });`;

test("agents that run commands which are not allowed name the setting, before they look for a server", async () => {
  const world = setupWorld();
  writeAgent(world.directory, "one", runsGit("one"));
  writeAgent(world.directory, "two", runsGit("two"));
  const ran = await world.run("agent run one two --server nats://127.0.0.1:1");
  expect(ran.exitCode).toBe(2);
  const [serving, fatal, ...more] = ran.stderr.trim().split("\n");
  expect([serving, ...more]).toEqual([expect.stringContaining("serving /livez")]);
  expect(JSON.parse(fatal!)).toMatchObject({
    level: 60,
    exitCode: 2,
    msg: expect.stringMatching(
      /^the process ends: agent one, two runs commands .*set MURMUR_EXEC_ALLOW=git,ls \(or execAllow/,
    ),
  });
  const json = await world.run("agent run nosuch --json --server nats://127.0.0.1:1");
  expect(json).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("serving /livez") });
  expect(json.json()).toMatchObject({ error: { code: "not_found", field: "role" } });
});

test("up ends at the first start of an agent that cannot start, with that agent's own message", async () => {
  const world = setupWorld({}, undefined, { roles: ["color"] });
  writeAgent(world.directory, "color", "enum Color { Red }\n");
  const error = (await world.host({ roles: ["color"] }).catch((thrown: unknown) => thrown)) as Error;
  expect(error).toMatchObject({ code: "invalid_input" });
  const file = join(world.directory, "agents/color/agent.ts");
  expect(error.message.split("\n")).toEqual([
    `color-1 cannot start: ${file} cannot be loaded: TypeScript enum is not supported in strip-only mode`,
    `  at ${file}:1:1`,
    "    1 | enum Color { Red }",
    "      | ^",
    expect.stringMatching(/^ {2}Node removes types and generates no code; write an object instead/),
  ]);
});
