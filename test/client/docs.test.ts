// Runs each example of docs/client.md against a swarm.
import { readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as door from "../../src/client/index.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";
import { TestSwarm } from "../work/support.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/client.md"), "utf8");
const examples = [...page.matchAll(/^## ([^\n]+)$|^```ts\n([\s\S]*?)^```$/gm)].reduce<
  { name: string; code: string }[]
>((found, [, heading, code]) => {
  if (heading !== undefined) found.push({ name: heading, code: "" });
  else if (code !== undefined) {
    if (found.length === 0) found.push({ name: "the first example", code });
    else found[found.length - 1]!.code += code;
  }
  return found;
}, []);

let server: NatsServer;
let swarm: TestSwarm;
let client: door.Client;
beforeAll(async () => {
  server = await startNatsServer();
  swarm = new TestSwarm(server.url);
  await swarm.work(async ({ task }) => task.input, { slots: 64, capabilities: [{ name: "echo" }] });
  await swarm.move();
  client = await door.connect({ servers: server.url, prefix: swarm.prefix });
});
afterAll(async () => {
  await client?.close();
  await swarm?.stop();
  await server?.stop();
});

/** The lines that an example prints. */
async function run(code: string): Promise<string[]> {
  const lines: string[] = [];
  const print = (...values: unknown[]) => {
    lines.push(values.map((value) => (typeof value === "string" ? value : JSON.stringify(value))).join(" "));
  };
  const withoutImports = code.replace(/^import .*$/gm, "");
  const body = stripTypeScriptTypes(`async function example() {${withoutImports}}`);
  const { connect: _connect, ...guards } = door;
  const names = {
    ...guards,
    connect: () => door.connect({ servers: server.url, prefix: swarm.prefix }),
    client,
    console: { log: print, error: print },
  };
  const example = new Function(...Object.keys(names), `${body}; return example();`);
  await example(...Object.values(names));
  return lines;
}

test.each(examples.filter(({ code }) => code !== ""))(
  "the example of $name works",
  async ({ name, code }) => {
    const lines = await run(code);
    const expected: Record<string, (RegExp | string)[]> = {
      "the first example": ['{"hello":"world"}'],
      "One task": [/^4711 /],
      "Follow and cancel a task": [/^scheduled /, /^completed 100 /, "cancelled", /^\d$/],
      "Many tasks": ["499500"],
      Errors: ["start an agent that offers it"],
    };
    for (const pattern of expected[name] ?? [expect.fail(`the test knows no output of ${name}`)]) {
      const matches = (line: string) => (typeof pattern === "string" ? line === pattern : pattern.test(line));
      expect(lines.some(matches), `${lines.join("\n")}\nhas a line ${pattern}`).toBe(true);
    }
  },
);

test("the page has five examples", () => {
  expect(examples.filter(({ code }) => code !== "")).toHaveLength(5);
});
