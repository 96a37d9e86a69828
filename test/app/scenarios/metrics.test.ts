// The metrics of real processes of each kind: the scrapes hold to the table, to promtool and to their bounds, also while NATS is away.
import { spawnSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { describeMetrics, type Exporter } from "../../../src/base/index.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { atFileEnd, eventually, type Swarm, setupWorld } from "../support.ts";

const atEnd = atFileEnd();
let server: NatsServer;
let swarm: Swarm;

/** The process of each kind; the agents are of the role echo. */
const EXPORTER_OF: Readonly<Record<string, Exporter>> = {
  api: "api",
  coordinator: "coordinator",
  echo: "agent",
};

/** The most series of metrics whose series come one by one as the process works: V8's four kinds of collection, the five kinds of request. */
const LATER: Readonly<Record<string, number>> = {
  nodejs_gc_duration_seconds: 4 * 9,
  murmur_nats_request_seconds: 5 * 16,
};

async function scrape(role: string): Promise<string> {
  const { metrics } = swarm.processes.find((each) => each.role === role)!;
  return (await fetch(metrics!)).text();
}

const post = (body: object, query = "") =>
  fetch(`${swarm.http}/v1/tasks${query}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });

beforeAll(async () => {
  server = await startNatsServer();
  atEnd(() => server.stop());
  const world = setupWorld({}, atEnd);
  swarm = await world.up(`--server ${server.url} --coordinators 1 --agents echo`);
  await post({ capability: "echo", input: { text: "a" } }, "?wait=20000");
  await post({ capability: "echo", input: { $fail: "terminal" }, retry: { max: 0 } }, "?wait=20000");
  await post({ capability: "echo", input: { text: "c" }, priority: "low", notBefore: 3_600_000 });
}, 120_000);

describe.each(["api", "coordinator", "echo"])("a scrape of %s", (role) => {
  const declared = describeMetrics().filter(({ exporters }) => exporters.includes(EXPORTER_OF[role]!));

  test("has the metrics of the table for this kind of process, with the declared labels, and no others", async () => {
    const text = await scrape(role);
    const families = [...text.matchAll(/^# TYPE (murmur_\S+) (\S+)$/gm)].map(([, name, type]) => ({
      name,
      type,
    }));
    expect(families).toEqual(declared.map(({ name, type }) => ({ name, type })));
    for (const [, name = "", labels = ""] of text.matchAll(/^(murmur_[a-z0-9_]+)\{([^}]*)\} /gm)) {
      const facts = declared.find((each) =>
        [each.name, `${each.name}_bucket`, `${each.name}_sum`, `${each.name}_count`].includes(name),
      );
      const given = [...labels.matchAll(/([a-z_]+)="/g)]
        .map(([, label]) => label)
        .filter((label) => label !== "le");
      expect([...(facts?.labels ?? [])].sort()).toEqual(given.sort());
    }
  });

  test("has at most 300 series, and 220 more for each capability", async () => {
    const series = (await scrape(role)).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const ofCapability = series.filter((line) => line.includes('capability="echo"'));
    expect(ofCapability.length).toBeLessThanOrEqual(220);
    const grows = (line: string) => Object.keys(LATER).some((name) => line.startsWith(name));
    const fixed = series.filter((line) => !line.includes('capability="echo"') && !grows(line)).length;
    const later = Object.values(LATER).reduce((sum, each) => sum + each);
    expect(fixed + later).toBeLessThanOrEqual(300);
  });

  const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
  test.skipIf(!hasPromtool)(
    "passes promtool check metrics (not checked without promtool; Debian's package prometheus has it)",
    async () => {
      const checked = spawnSync("promtool", ["check", "metrics"], {
        input: await scrape(role),
        encoding: "utf8",
      });
      expect(checked.stderr + checked.stdout).toBe("");
      expect(checked.status).toBe(0);
    },
  );
});

test("each hand-in, end and failure is counted once, where the table says", async () => {
  const api = await eventually(async () => {
    const text = await scrape("api");
    return /^murmur_stream_last_seq\{stream="tasks"\} 2$/m.test(text) &&
      text.includes("murmur_later_pending 1")
      ? text
      : undefined;
  });
  expect(api).toContain('murmur_tasks_submitted_total{capability="echo",priority="normal"} 2');
  expect(api).toContain('murmur_tasks_submitted_total{capability="echo",priority="low"} 1');
  expect(api).toContain('murmur_http_requests_total{route="/v1/tasks",method="POST",status="200"} 2');
  expect(api).toContain('murmur_http_requests_total{route="/v1/tasks",method="POST",status="202"} 1');
  expect(api).toMatch(/^murmur_stream_limit_bytes\{stream="tasks"\} 4294967296$/m);
  expect(api).toContain('murmur_dead_letters{capability="echo"} 1');
  await eventually(async () =>
    (await scrape("api")).includes('murmur_capability_agents{capability="echo"} 1') ? true : undefined,
  );
  const coordinator = await scrape("coordinator");
  expect(coordinator).toMatch(/^murmur_office_halted 0$/m);
  expect(coordinator).toContain('murmur_ballots_total{strategy="majority",outcome="no_quorum"} 0');
  const agent = await scrape("echo");
  expect(agent).toContain('murmur_tasks_finished_total{capability="echo",status="completed"} 1');
  expect(agent).toContain('murmur_tasks_finished_total{capability="echo",status="failed"} 1');
  expect(agent).toContain('murmur_tasks_dead_lettered_total{capability="echo",code="tool_failed"} 1');
  expect(agent).toContain('murmur_task_failures_total{capability="echo",code="tool_failed"} 1');
  expect(agent).toContain('murmur_task_failures_total{capability="echo",code="internal"} 0');
  expect(agent).toContain('murmur_task_attempts_total{capability="echo",outcome="failed"} 1');
  expect(agent).toContain('murmur_task_queue_seconds_count{capability="echo",priority="normal"} 2');
  expect(agent).toContain('murmur_task_redeliveries_total{cause="ack_wait"} 0');
});

test("while NATS is away a scrape is quick and tells the age of the facts, and POST /v1/tasks answers 503 with Retry-After within 1 s", async () => {
  await server.kill();
  await eventually(async () =>
    (await scrape("api")).includes("murmur_nats_connected 0") ? true : undefined,
  );
  const times: number[] = [];
  for (let index = 0; index < 5; index++) {
    const startedMs = performance.now();
    await scrape("api");
    times.push(performance.now() - startedMs);
  }
  expect(times.sort((a, b) => a - b)[2]).toBeLessThan(250); // alone 5–20 ms; the test's machine may be loaded
  const startedMs = performance.now();
  const answer = await post({ capability: "echo", input: {} });
  expect(performance.now() - startedMs).toBeLessThan(1_500); // 500 ms alone
  expect(answer.status).toBe(503);
  expect(answer.headers.get("Retry-After")).toBe("1");
  expect(await answer.json()).toMatchObject({ error: { code: "unavailable", retryAfterMs: 1_000 } });
  const age = await eventually(async () => {
    const [, seconds] = /^murmur_facts_age_seconds\{facts="queues"\} (\S+)$/m.exec(await scrape("api")) ?? [];
    return Number(seconds) > 3 ? seconds : undefined;
  });
  expect(Number(age)).toBeLessThan(120);
  expect(await scrape("api")).toMatch(/^murmur_queue_pending\{capability="echo",priority="normal"\} 0$/m);
}, 60_000);
