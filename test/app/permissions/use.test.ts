import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import {
  findGrant,
  findRole,
  type Grant,
  type NatsOperation,
  type Permissions,
  parsePermissions,
  permissionsOf,
} from "../../../src/app/permissions/index.ts";
import { fitsFilter } from "../../../src/protocol/index.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { type Recorder, startRecorder } from "../../support/recorder.ts";
import { connectTo, eventually, setupWorld } from "../support.ts";

/** An agent whose starts are limited, and that fails or returns a large output where its task says so. */
const LIMITED = `import { defineAgent, RetryableError } from "murmur-swarm";
export default defineAgent({
  name: "limited",
  capabilities: ["limited"],
  limits: { concurrency: 2, rate: { count: 100, windowMs: 1000 } },
  slots: 4,
  async run(task, ctx) {
    if (task.input?.fail === true && ctx.attempt === 1) throw new RetryableError("once", { retryAfterMs: 10 });
    if (task.input?.isLarge === true) return { answer: "x".repeat(700_000) };
    return task.input;
  },
});
`;

/** The lines that no step of this test uses, by their uses. */
const UNUSED = [
  "settle an audit entry whose fate is unknown", // only after an append without an answer
  "look whether a placed task that waited is still here", // only a task that waited for a second
];

const FILE = `version: 1
classes: [{ name: default, capabilities: [echo, limited] }]
coordinators: [coordinator-1]
`;

/** The subjects that no line of the role allows. Inboxes are left out: without permissions they name no user. */
function findForbidden(
  { published, subscribed }: Pick<Recorder, "published" | "subscribed">,
  role: string,
  file: Permissions,
) {
  const permissions = permissionsOf(findRole(role, file), file);
  const used: [NatsOperation, Iterable<string>][] = [
    ["publish", published],
    ["subscribe", subscribed],
  ];
  return used.flatMap(([operation, subjects]) =>
    [...subjects]
      .filter(
        (subject) => !subject.startsWith("_INBOX.") && findGrant(permissions, operation, subject) === null,
      )
      .map((subject) => `${operation} ${subject}`),
  );
}

test("the processes of a swarm use no subject that their roles may not use, and an agent has no right to a stream", async () => {
  const world = setupWorld({
    MURMUR_HTTP_PORT: "0", // a swarm of another test may have the default port
    MURMUR_PERMISSIONS_FILE: "permissions.yaml",
    MURMUR_METRICS_PORT: "0",
    MURMUR_INBOX_PREFIX: "_INBOX.agent-default", // it tells an agent process its user
  });
  writeFileSync(join(world.directory, "permissions.yaml"), FILE);
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  mkdirSync(join(world.directory, "agents/limited"), { recursive: true });
  writeFileSync(join(world.directory, "agents/limited/agent.ts"), LIMITED);
  const { transport, tasks } = await connectTo(server.url);
  const start = async (args: string) => {
    const recorder = await startRecorder(server.port);
    const child = world.start(`${args} --server ${recorder.url}`);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    const stop = async () => {
      child.kill("SIGTERM");
      await ended;
      recorder.close();
    };
    onTestFinished(stop);
    return { ...recorder, stop };
  };
  const [api, coordinator, agent] = await Promise.all(
    ["api --init", "coordinator", "agent run echo limited"].map(start),
  );
  // The api process makes the consumers of the capabilities in the file, and the agent waits for them.
  await eventually(
    async () =>
      (
        await transport
          .queue("tasks")
          .consumers()
          .catch(() => [])
      ).length >= 8 || undefined,
  );

  const run = async (capability: string, input: unknown, more: object = {}) =>
    (await tasks.run({ capability, input, ...more }, { timeoutMs: 60_000 })).status;
  expect(await run("echo", { text: "x".repeat(700_000) })).toBe("completed");
  expect(await run("echo", { $fail: "terminal" })).toBe("failed");
  expect(await run("limited", { fail: true })).toBe("completed");
  expect(await run("limited", { isLarge: true }, { scope: "one" })).toBe("completed");
  expect(await run("echo", 1, { route: "best" })).toBe("completed");
  expect(await run("echo", 1, { notBefore: 50 })).toBe("completed");
  await tasks.cancelScope("one");
  await Promise.all([agent!.stop(), coordinator!.stop(), api!.stop()]);

  const file = await parsePermissions(FILE, "test");
  expect(findForbidden(agent!, "agent/default", file)).toEqual([]);
  expect(findForbidden(coordinator!, "coordinator/coordinator-1", file)).toEqual([]);
  // The api process of `up` also creates the streams.
  const created = new Set(findForbidden(api!, "init", file));
  expect(findForbidden(api!, "api", file).filter((line) => created.has(line))).toEqual([]);

  const { publish } = permissionsOf(findRole("agent/default", file), file);
  const ofJetStream = publish.allow.filter(({ subject }) => subject.startsWith("$"));
  const wide =
    /\.(STREAM|CONSUMER\.(CREATE|LIST|NAMES|DELETE|PAUSE))\.|DIRECT\.GET\.[^.]+$|^\$JS\.API\.INFO$/;
  const isUsed = ({ subject }: Grant) => [...agent!.published].some((each) => fitsFilter(subject, each));
  expect([...new Set(ofJetStream.filter(({ subject }) => wide.test(subject)).map(({ why }) => why))]).toEqual(
    [],
  );
  // The agent has each use, of one capability or another.
  const useOf = ({ why }: Grant) => why.replace(/ (echo|limited)\b/, "");
  const usedFor = new Set(ofJetStream.filter(isUsed).map(useOf));
  expect([...new Set(ofJetStream.map(useOf))].filter((use) => !usedFor.has(use))).toEqual(UNUSED);
}, 120_000);
