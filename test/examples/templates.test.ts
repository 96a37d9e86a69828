// The templates in workflows/: each runs with the agents and the input of the commands in its first lines, which docs/workflows.md shows, too.
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished, vi } from "vitest";
import type { AgentDefinition } from "../../src/agent/index.ts";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { createEngine, WorkflowClient } from "../../src/engine/index.ts";
import type { Json } from "../../src/protocol/index.ts";
import { createTaskClient } from "../../src/work/index.ts";
import { loadDefinition } from "../../src/workflow/index.ts";
import { SOON, setupOffice, startAgents } from "../coordinator/support.ts";
import { definitionsOf } from "../engine/support.ts";

const root = join(import.meta.dirname, "../..");
const page = readFileSync(join(root, "docs/workflows.md"), "utf8");

/** A template with the agents and the input of its commands. */
async function readTemplate(name: string) {
  const file = join(root, "workflows", `${name}.yaml`);
  const text = readFileSync(file, "utf8");
  const commands = [...text.matchAll(/^# {3}(murmur .+)$/gm)].map(([, command]) => command ?? "");
  expect(page.split("\n")).toEqual(expect.arrayContaining(commands));
  const agents = /--agents (\S+)/.exec(commands[0] ?? "")?.[1]?.split(",") ?? [];
  const input = JSON.parse(/--input '([^']+)'/.exec(commands[1] ?? "")?.[1] ?? "null") as Json;
  const { definition } = await loadDefinition(text, file);
  return { definition, agents, input };
}

/** Runs templates with their agents in a directory of files. */
async function setup(...names: string[]) {
  const directory = mkdtempSync(join(tmpdir(), "murmur-templates-"));
  process.env.MURMUR_FILES_DIR = directory;
  onTestFinished(() => {
    delete process.env.MURMUR_FILES_DIR;
    rmSync(directory, { recursive: true });
  });
  const templates = await Promise.all(names.map(readTemplate));
  const swarm = await setupOffice();
  const roles = [...new Set(templates.flatMap(({ agents }) => agents))];
  const definitions = await Promise.all(
    roles.map(async (role) => {
      const url = pathToFileURL(join(root, "agents", role, "agent.ts")).href;
      return ((await import(url)) as { default: AgentDefinition }).default;
    }),
  );
  await startAgents(await swarm.connect(), definitions);
  const transport = await swarm.connect();
  const tasks = createTaskClient({ transport, meter: createMeter() });
  const engine = createEngine({
    ...{ transport, tasks, meter: createMeter(), log: silentLogger, id: "engine-1" },
    definitions: definitionsOf(...templates.map(({ definition }) => definition)),
  });
  await engine.start();
  onTestFinished(async () => {
    await engine.stop();
    tasks.close();
  });
  const client = new WorkflowClient({ transport, tasks });
  const run = async (at: number, input = templates[at]?.input ?? null) => {
    const { id } = await client.start({ workflow: templates[at]?.definition.name ?? "-", input });
    return { id, result: await client.result(id, { timeoutMs: 60_000 }) };
  };
  return { swarm, directory, client, run, count: definitions.length };
}

it("count-files counts the files of a folder side by side, and nightly archives old ones, all or none", async () => {
  const { directory, client, run } = await setup("count-files", "nightly");
  mkdirSync(join(directory, "docs/more"), { recursive: true });
  writeFileSync(join(directory, "docs/one.md"), "two words\n");
  writeFileSync(join(directory, "docs/more/two.md"), "three more words\nhere\n");
  writeFileSync(join(directory, "docs/three.txt"), "not counted");
  const counted = await run(0);
  expect(counted.result).toMatchObject({
    status: "completed",
    output: { sum: { files: 2, lines: 3, words: 6, largest: "docs/more/two.md" }, left: 0 },
  });
  const outside = await run(0, { directory: "..", ending: "" });
  expect(outside.result).toMatchObject({ status: "failed", error: { code: "tool_failed" } });

  mkdirSync(join(directory, "logs"));
  const old = new Date(Date.now() - 40 * 86_400_000);
  for (const name of ["a.log", "b.log"]) {
    writeFileSync(join(directory, "logs", name), name);
    utimesSync(join(directory, "logs", name), old, old);
  }
  writeFileSync(join(directory, "logs/new.log"), "new");
  const archived = await run(1);
  expect(archived.result).toMatchObject({ status: "completed", output: { archived: 2, left: 0 } });
  expect(readdirSync(join(directory, "archive/logs")).sort()).toEqual(["a.log", "b.log"]);
  expect(readdirSync(join(directory, "logs"))).toEqual(["new.log"]);

  // Another a.log is in the way, so the other file comes back.
  for (const name of ["a.log", "c.log"]) {
    writeFileSync(join(directory, "logs", name), "again");
    utimesSync(join(directory, "logs", name), old, old);
  }
  const undone = await run(1);
  expect(undone.result).toMatchObject({ status: "failed" });
  expect((await client.fold(undone.id)).end).toBe("compensated");
  expect(readdirSync(join(directory, "logs")).sort()).toEqual(["a.log", "c.log", "new.log"]);
});

it("research asks three researchers, and the majority of sources wins", async () => {
  const { swarm, directory, run, count } = await setup("research");
  const coordinator = await swarm.start("c1", ["c1"]);
  await vi.waitFor(() => expect(coordinator.office.state.registry.members.size).toBe(count), SOON);
  mkdirSync(join(directory, "docs"));
  writeFileSync(join(directory, "docs/waits.md"), "# Waits\n\nThe ack-wait of a task is 10 s.\n");
  writeFileSync(join(directory, "docs/other.md"), "A long page. It tells of a house.\n\nThe task is open.\n");
  const { result } = await run(0);
  expect(result).toMatchObject({
    status: "completed",
    output: { source: "docs/waits.md", passage: "The ack-wait of a task is 10 s." },
  });
});
