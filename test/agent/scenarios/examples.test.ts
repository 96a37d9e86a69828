import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import counter from "../../../examples/thirty-line-agent/agent.ts";
import titler from "../../../examples/three-state-agent/agent.ts";
import { loadRoles } from "../../../src/agent/index.ts";
import { perform, startHost, until } from "../support.ts";

test("the thirty-line agent has at most thirty lines and counts words", async () => {
  const { host, stop } = await startHost(counter);
  expect(await perform(host, { text: "To be, or not to be", top: 2 }, "count-words")).toEqual({
    words: 6,
    top: [
      { word: "be", times: 2 },
      { word: "to", times: 2 },
    ],
  });
  const lines = (await readFile("examples/thirty-line-agent/agent.ts", "utf8")).trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(30);
  await stop();
});

test("the thirty-line agent rejects an input that does not match its schema, naming the field", async () => {
  const { host, stop } = await startHost(counter);
  await expect(perform(host, { text: 7 }, "count-words")).rejects.toMatchObject({
    code: "invalid_input",
    field: "input.text",
    retryable: false,
  });
  await stop();
});

test("the three-state agent asks the thirty-line agent and shows its machine's state during the ask", async () => {
  const { host, stop } = await startHost([counter, titler]);
  const seen = new Set<string | undefined>();
  const working = perform(host, { text: "tea for two, two for tea, tea" }, "make-title");
  await until(() => {
    const status = host.status().find(({ role }) => role === "three-state-agent");
    seen.add(status?.doing);
    return status?.slots.used === 0;
  });
  expect(await working).toEqual({ title: "On tea, for, two", words: 7 });
  expect(seen).toContain("counting");
  await stop();
});

test("an error inside the three-state agent's machine fails the attempt with that error", async () => {
  const { host, stop } = await startHost([counter, titler]);
  await expect(perform(host, { text: "123" }, "make-title")).rejects.toMatchObject({
    code: "invalid_input",
    message: "the text contains no words",
  });
  await stop();
});

test("the agent in docs/agents.md runs as printed", async () => {
  const root = join(import.meta.dirname, "../../..");
  const page = await readFile(join(root, "docs/agents.md"), "utf8");
  const code = /```ts\n(.*?)```/s.exec(page)?.[1] ?? "";
  const directory = await mkdtemp(join(tmpdir(), "murmur-docs-"));
  await mkdir(join(directory, "greeter"));
  const source = code
    .replace('"murmur-swarm"', JSON.stringify(join(root, "src/index.ts")))
    .replace('"zod"', JSON.stringify(join(root, "node_modules/zod/index.js")));
  await writeFile(join(directory, "greeter/agent.ts"), source);

  const { host, stop } = await startHost(await loadRoles([directory], ["greeter"]));
  expect(await perform(host, { name: "Ada" }, "greet")).toBe("Hello, Ada!");
  await stop();
});
