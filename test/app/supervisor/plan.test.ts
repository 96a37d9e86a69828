import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadConfig } from "../../../src/app/config.ts";
import { natsConfig, parseAgents, planProcesses } from "../../../src/app/supervisor/plan.ts";

async function setup(
  options: {
    coordinators?: number;
    ownServer?: boolean;
    environment?: Record<string, string>;
    flags?: Record<string, string>;
    loads?: Record<string, string[]>;
    readOnlyRoles?: ReadonlySet<string>;
    agentProgram?: string;
  } = {},
) {
  const { config } = await loadConfig({
    flags: options.flags ?? {},
    environment: options.environment ?? {},
    directory: "/nowhere",
  });
  return planProcesses({
    config,
    roles: ["echo", "echo", "review"],
    coordinators: options.coordinators ?? 0,
    server: "nats://127.0.0.1:1",
    ownServer: options.ownServer ?? true,
    httpPort: 2,
    metricsPorts: [3, 4, 5, 6, 7, 8, 9],
    environment: options.environment ?? {},
    loads: options.loads,
    readOnlyRoles: options.readOnlyRoles,
    agentProgram: options.agentProgram,
  });
}

test.each([
  ["echo", ["echo"]],
  ["echo,echo", ["echo", "echo"]],
  ["echo*3", ["echo", "echo", "echo"]],
  [" echo * 2 , review ", ["echo", "echo", "review"]],
  ["echo*0", []],
  ["", []],
])("--agents %j is %j", (list, roles) => {
  expect(parseAgents(list)).toEqual(roles);
});

test.each(["echo*x", "echo*-1", "echo*1*2", "a.b", "echo*9999", "*3", "api", "coordinator", "nats*2"])(
  "--agents %j is refused",
  (list) => {
    expect(() => parseAgents(list)).toThrow(
      expect.objectContaining({ code: "invalid_input", field: "agents" }),
    );
  },
);

test("the plan has one api process and one process for each role, numbered within the role", async () => {
  const plans = await setup();
  expect(plans.map(({ name }) => name)).toEqual(["api-1", "echo-1", "echo-2", "review-1"]);
  expect(plans.map(({ metrics }) => metrics)).toEqual(
    [3, 4, 5, 6].map((port) => `http://127.0.0.1:${port}/metrics`),
  );
});

test("a process loads its own role, or the roles that were named for it", async () => {
  const plans = await setup({ loads: { review: ["lint", "style"] } });
  const loaded = plans.slice(1).map(({ name, args }) => [name, ...args.slice(args.indexOf("run") + 1)]);
  expect(loaded).toEqual([
    ["echo-1", "echo"],
    ["echo-2", "echo"],
    ["review-1", "lint", "style"],
  ]);
});

/** Tries each right that a read-only process lacks, and prints the codes of the errors. */
const TRIES = `
const fs = require("node:fs");
const tries = {
  read: () => fs.readFileSync(process.execPath, { encoding: null, flag: "r" }).length,
  write: () => fs.writeFileSync(process.argv[1], ""),
  program: () => require("node:child_process").spawnSync(process.execPath, ["--version"]),
  thread: () => new (require("node:worker_threads").Worker)("", { eval: true }),
};
const codes = Object.entries(tries).map(([name, run]) => {
  try { run(); return [name, "done"]; } catch (error) { return [name, error.code]; }
});
process.stdout.write(JSON.stringify(Object.fromEntries(codes)));
`;

test("the processes of a read-only role may read, and not write, start programs or threads; other processes may", async () => {
  const plans = await setup({ readOnlyRoles: new Set(["review"]) });
  const marked = plans.filter(({ args }) => args.includes("--permission")).map(({ name }) => name);
  expect(marked).toEqual(["review-1"]);
  const { command = "", args = [] } = plans.find(({ name }) => name === "review-1") ?? {};
  const flags = args.slice(0, args.indexOf("agent") - 1);
  const target = join(tmpdir(), `murmur-never-written-${process.pid}`);
  const ran = execFileSync(command, [...flags, "--input-type=commonjs", "-e", TRIES, target], {
    encoding: "utf8",
  });
  expect(JSON.parse(ran)).toEqual({
    read: "done",
    write: "ERR_ACCESS_DENIED",
    program: "ERR_ACCESS_DENIED",
    thread: "ERR_ACCESS_DENIED",
  });
  expect(existsSync(target)).toBe(false);
});

test("a program of its own takes the place of `agent run`, and gets the roles that a process loads", async () => {
  const plans = await setup({ agentProgram: "/host.ts", loads: { review: ["review-docs", "review-tests"] } });
  const commandOf = (name: string) => plans.find((plan) => plan.name === name)?.args.slice(2);
  expect(commandOf("review-1")).toEqual(["/host.ts", "review-docs", "review-tests"]);
  expect(commandOf("echo-1")).toEqual(["/host.ts", "echo"]);
  expect(commandOf("api-1")?.slice(1)).toEqual(["api", "--init", "--apply"]);
});

test("each coordinator gets its own id and the ids of all, and is planned between the api and the agents", async () => {
  const plans = await setup({ coordinators: 3 });
  expect(plans.map(({ name }) => name).slice(0, 5)).toEqual([
    "api-1",
    "coordinator-1",
    "coordinator-2",
    "coordinator-3",
    "echo-1",
  ]);
  expect(plans[2]?.environment).toMatchObject({
    MURMUR_COORDINATOR_ID: "coordinator-2",
    MURMUR_COORDINATORS: "coordinator-1,coordinator-2,coordinator-3",
    MURMUR_METRICS_PORT: "5",
  });
});

test("every Node process has a heap limit", async () => {
  for (const { args } of await setup()) expect(args[0]).toBe("--max-old-space-size=512");
});

test("processes of a private server do not inherit the address of another server; agents keep the rest of the environment", async () => {
  const [, agent] = await setup({
    environment: {
      NATS_URL: "nats://other:4222",
      NATS_CREDS: "x",
      NATS_CONTEXT: "y",
      MURMUR_ECHO_DIR: "/tmp",
    },
  });
  expect(agent?.environment).toMatchObject({ MURMUR_SERVER: "nats://127.0.0.1:1", MURMUR_ECHO_DIR: "/tmp" });
  expect(["NATS_URL", "NATS_CREDS", "NATS_CONTEXT"].map((name) => agent?.environment[name])).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

test("processes that join a named server get its user, TLS files and inboxes; those of a private server get none", async () => {
  const environment = {
    NATS_USER: "anna",
    MURMUR_PASSWORD_FILE: "/password",
    MURMUR_TLS_CA: "/ca.pem",
    MURMUR_TLS_FIRST: "true",
    MURMUR_INBOX_PREFIX: "_INBOX.anna",
  };
  const names = [
    "NATS_USER",
    "MURMUR_USER",
    ...Object.keys(environment).filter((name) => name !== "NATS_USER"),
  ];
  const [joined] = await setup({ ownServer: false, environment });
  expect(names.map((name) => joined?.environment[name])).toEqual([
    undefined,
    "anna",
    "/password",
    "/ca.pem",
    "true",
    "_INBOX.anna",
  ]);
  const [, own] = await setup({ environment });
  expect(names.map((name) => own?.environment[name])).toEqual(names.map(() => undefined));
});

test("processes that join through a context get the context, which holds more than a URL", async () => {
  const [api] = await setup({
    ownServer: false,
    flags: { context: "prod" },
    environment: { NATS_URL: "nats://x" },
  });
  expect(api?.environment).toMatchObject({ MURMUR_CONTEXT: "prod" });
  expect(api?.environment.MURMUR_SERVER).toBeUndefined();
  expect(api?.environment.NATS_URL).toBeUndefined();
});

test("only the api process gets the token of the API", async () => {
  const plans = await setup();
  expect(
    plans.filter(({ environment }) => "MURMUR_API_TOKEN" in environment).map(({ role }) => role),
  ).toEqual(["api"]);
});

test("nats-server listens on loopback and fsyncs as configured", () => {
  const options = { port: 1, storeDir: '/a "b"', logFile: "/l" };
  expect(natsConfig({ ...options, sync: "always" })).toContain("sync_interval: always");
  expect(natsConfig({ ...options, sync: "default" })).toMatch(
    /host: "127\.0\.0\.1"[\s\S]*store_dir: "\/a \\"b\\""/,
  );
});
