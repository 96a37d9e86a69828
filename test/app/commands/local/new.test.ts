import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { setupWorld } from "../../support.ts";

const own = JSON.parse(readFileSync(join(import.meta.dirname, "../../../../package.json"), "utf8"));

test("a new project has the packages in the versions of this checkout, an agent, and its test", async () => {
  const { call, directory } = setupWorld();
  const ran = await call("new project my%swarm --json");
  expect(ran.exitCode).toBe(0);
  expect(ran.json()).toMatchObject({
    directory: join(directory, "my swarm"),
    created: ["package.json", "tsconfig.json", ".gitignore", "agents/greet/agent.ts", "test/greet.test.ts"],
    completed: [],
  });
  const manifest = JSON.parse(readFileSync(join(directory, "my swarm/package.json"), "utf8"));
  const { typescript, "@types/node": types } = own.devDependencies;
  expect(manifest).toMatchObject({
    name: "my-swarm",
    private: true,
    type: "module",
    engines: own.engines,
    scripts: { test: "node --test" },
    dependencies: own.peerDependencies,
    devDependencies: { typescript: `^${typescript}`, "@types/node": `^${types}` },
  });
});

test("the package.json that npm made for the tarball is completed, and its values stay", async () => {
  const { call, directory } = setupWorld();
  const made = {
    name: "mine",
    scripts: { test: 'echo "Error: no test specified" && exit 1', lint: "mine" },
    dependencies: { "murmur-swarm": "file:../murmur-swarm-0.1.0.tgz", zod: "4.6.9" },
  };
  writeFileSync(join(directory, "package.json"), JSON.stringify(made));
  writeFileSync(join(directory, ".gitignore"), "mine\n");
  const ran = await call("new project --json");
  expect(ran.json()).toMatchObject({
    completed: ["package.json"],
    created: ["tsconfig.json", "agents/greet/agent.ts", "test/greet.test.ts"],
    next: ["npm install", "npm test", expect.stringContaining("up"), expect.stringContaining("submit")],
  });
  expect(JSON.parse(readFileSync(join(directory, "package.json"), "utf8"))).toMatchObject({
    name: "mine",
    type: "module",
    scripts: { test: "node --test", lint: "mine" },
    dependencies: { ...made.dependencies, xstate: own.peerDependencies.xstate },
  });
  expect(readFileSync(join(directory, ".gitignore"), "utf8")).toBe("mine\n");
});

test("nothing is written when one file would be overwritten, or the project is CommonJS, or package.json is broken", async () => {
  const { call, directory } = setupWorld();
  const refuse = async (args: string, message: RegExp) => {
    const ran = await call(`${args} --json`);
    expect(ran.exitCode).toBe(1);
    expect(ran.json()).toMatchObject({
      error: { code: "conflict", message: expect.stringMatching(message) },
    });
    expect(existsSync(join(directory, "agents"))).toBe(false);
  };
  writeFileSync(join(directory, "tsconfig.json"), "{}");
  await refuse("new project", /tsconfig\.json in .* would be overwritten; nothing was written/);
  expect(existsSync(join(directory, "package.json"))).toBe(false);
  rmSync(join(directory, "tsconfig.json"));

  mkdirSync(join(directory, "test"));
  writeFileSync(join(directory, "test/hello.test.ts"), "");
  await refuse("new agent hello", /test\/hello\.test\.ts in .* would be overwritten/);

  writeFileSync(join(directory, "package.json"), '{"type":"commonjs"}');
  await refuse("new project", /type must be "module", got "commonjs": npm pkg set type=module/);
  writeFileSync(join(directory, "package.json"), "{");
  await refuse("new project", /package\.json is not JSON/);
});

test.each(["Hello", "../up", "a--b", "a-", "-", "1st", "a_b", `a${"b".repeat(64)}`])(
  "%j is no name of an agent",
  async (name) => {
    const { call, directory } = setupWorld();
    const ran = await call(`new agent --json -- ${name}`);
    expect(ran.exitCode).toBe(2);
    expect(ran.json()).toMatchObject({ error: { code: "invalid_input", field: "name" } });
    expect(existsSync(join(directory, "agents"))).toBe(false);
  },
);
