import { expect, test } from "vitest";
import { createSilentMeter, type Logger, silentLogger } from "../../../src/base/index.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";

test("a cancel whose journal cannot be closed still ends the task, and logs the journal that stays", async () => {
  const memory = connectMemory({ prefix: "murmur" });
  await memory.init();
  const filter = createSubjects("murmur").filters.tasks("echo", "normal");
  await memory.queue("tasks").consumer({ name: "echo-normal", filter });
  const journal = memory.log("journal");
  const broken = {
    ...journal,
    read(): never {
      throw new Error("journal is broken");
    },
  };
  const transport = new Proxy(memory, {
    get: (target, key) =>
      key === "log"
        ? (name: "journal") => (name === "journal" ? broken : target.log(name))
        : Reflect.get(target, key),
  });
  const warnings: unknown[][] = [];
  const log: Logger = { ...silentLogger, warn: (...line: unknown[]) => warnings.push(line) };
  const client = createTaskClient({ transport, meter: createSilentMeter(), log });
  await client.submit({ capability: "echo", id: "a" });
  await client.cancel("a");
  expect(await client.status("a")).toMatchObject({ state: "cancelled" });
  expect(warnings).toMatchObject([
    [
      { taskId: "a", capability: "echo", err: new Error("journal is broken") },
      expect.stringContaining("journal of an ended task not closed"),
    ],
  ]);
  client.close();
  await memory.close();
});
