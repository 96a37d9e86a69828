import { expect, onTestFinished, test } from "vitest";
import type { Ports } from "../../../../src/app/cli/command.ts";
import { createTerminal } from "../../../../src/app/cli/terminal.ts";
import { ls, verify } from "../../../../src/app/commands/swarm/audit.ts";
import { createAuditWriter } from "../../../../src/audit/index.ts";
import { createMeter, ManualClock, silentLogger } from "../../../../src/base/index.ts";
import type { Evidence } from "../../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../../src/transport/index.ts";
import { createTaskClient } from "../../../../src/work/index.ts";

const HOUR_MS = 3_600_000;
const FLUSH_MS = 60_000;
const terminal = createTerminal({ quiet: true, environment: { NO_COLOR: "1" } });
const evidence: Evidence = {
  kind: "double",
  round: 1,
  seat: 2,
  agent: "liar",
  reason: "two values",
  votes: [],
  at: "2026-01-01T00:00:00.000Z",
};

/** A log with an operation of two hours ago, then a refused vote and a recovery. */
async function setup() {
  const clock = new ManualClock(Date.now() - 2 * HOUR_MS);
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer({ clock }) });
  onTestFinished(() => transport.close());
  await transport.init();
  const write = (role: string, processId: string) => {
    const parts = { transport, role, processId, version: "1", log: silentLogger, meter: createMeter() };
    const writer = createAuditWriter(parts);
    onTestFinished(() => writer.service.stop());
    return writer;
  };
  const [coordinator, cli] = [write("coordinator", "c-1"), write("cli", "cli-1")];
  coordinator.audit({ kind: "office-command", facts: { command: "budget-set", outcome: "done", name: "n" } });
  await coordinator.flush(FLUSH_MS);
  clock.advance(2 * HOUR_MS);
  coordinator.audit({ kind: "vote-refused", facts: { ballot: "b1", capability: "classify", evidence } });
  await coordinator.flush(FLUSH_MS);
  const recovery = { by: "me", problem: "gone", keptSeq: 1, knownSeq: 2, epoch: 2, term: 3 };
  cli.audit({ kind: "office-recovered", facts: recovery });
  await cli.flush(FLUSH_MS);
  const tasks = createTaskClient({ transport, meter: createMeter() });
  onTestFinished(() => tasks.close());
  const ports = {
    transport: async () => transport,
    tasks: async () => tasks,
    config: {},
    signal: new AbortController().signal,
    terminal,
  } as unknown as Ports;
  const list = async (input: object) => ls.run(ports, ls.input.parse(input));
  return {
    transport,
    list,
    kinds: async (input: object = {}) => (await list(input)).entries.map(({ kind }) => kind),
    verify: (input: object = {}) => verify.run(ports, verify.input.parse(input)),
  };
}

test("a list has the newest entries that fit role, writer, kind and time, the oldest of them first", async () => {
  const { kinds } = await setup();
  const [first, second] = ["writer-started", "office-command"];
  const cli = ["writer-started", "office-recovered"];
  expect(await kinds()).toEqual([first, second, "vote-refused", ...cli]);
  expect(await kinds({ limit: 2 })).toEqual(cli);
  expect(await kinds({ role: "cli" })).toEqual(cli);
  expect(await kinds({ writer: "c-1" })).toEqual([first, second, "vote-refused"]);
  expect(await kinds({ writer: "cli.cli-1", limit: 1 })).toEqual(["office-recovered"]);
  expect(await kinds({ kind: "office-command" })).toEqual(["office-command"]);
  expect(await kinds({ user: "you" })).toEqual([]);
  expect(await kinds({ user: "me" })).toEqual(["office-recovered"]);
  expect(await kinds({ since: "60m" })).toEqual(["vote-refused", ...cli]);
  expect(await kinds({ since: new Date(Date.now() - 60_000).toISOString(), kind: "office-command" })).toEqual(
    [],
  );
  expect(await kinds({ since: "9999d" })).toHaveLength(5);
});

test("a list for people shows the agent of a refused vote and the reason", async () => {
  const { list } = await setup();
  const shown = ls.render(await list({}), terminal);
  expect(shown).toContain("double: seat 2 (liar) in round 1 of ballot b1: two values");
  expect(shown).toContain("command budget-set, name n, outcome done");
  expect(ls.render({ entries: [] }, terminal)).toBe("no entries");
});

test.each([
  [{ since: "yesterday" }, "since"],
  [{ writer: "a b" }, "writer"],
  [{ writer: "coordinator.c-1", role: "cli" }, "writer"],
])("a list refuses %o, naming the field", async (input, field) => {
  const { list } = await setup();
  await expect(list(input)).rejects.toMatchObject({ code: "invalid_input", field });
});

test("verify lists the writers of an intact log; it names a forged entry with writer and message", async () => {
  const { verify: run, transport, kinds } = await setup();
  const intact = await run();
  expect(intact).toMatchObject({ intact: true, messages: 5, faultCount: 0, isTrimmed: false });
  expect(intact.writers.map(({ writer, entries }) => [writer, entries])).toEqual([
    ["coordinator.c-1", 3],
    ["cli.cli-1", 2],
  ]);
  expect(verify.exitCode?.(intact)).toBe(0);
  expect(verify.render(intact, terminal)).toBe("intact  5 messages of 2 writers");

  await transport.log("audit").append("murmur.audit.cli.cli-1", Buffer.from("{}"));
  const broken = await run();
  expect(verify.exitCode?.(broken)).toBe(1);
  expect(verify.render(broken, terminal)).toMatch(
    /BROKEN {2}1 fault in 6 messages of 2 writers[\s\S]*cli\.cli-1 +- +6 +unreadable/,
  );
  expect(await run({ role: "coordinator" })).toMatchObject({ intact: true, messages: 3 });
  expect((await kinds()).at(-1)).toBe("unreadable");
});
