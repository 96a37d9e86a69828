// Titles name the section of NATS ADR-32 that a test proves.
import { expect, test } from "vitest";
import { connectMemory, type EndpointStats, startService } from "../../src/transport/index.ts";

const NO_COUNTS: EndpointStats = { requests: 0, errors: 0, lastError: "", processingMs: 0 };

function setup(options: { stats?: (endpoint: string) => EndpointStats; service?: object } = {}) {
  const { bus } = connectMemory({ prefix: "murmur" });
  const service = {
    name: "murmur-agent",
    id: "echo-1",
    version: "0.1.0",
    description: "runs agents",
    metadata: { host: "here" },
    endpoints: [
      { name: "ask-echo", subject: "murmur.ask.echo", queueGroup: "q" },
      { name: "where", subject: "murmur.where.*" },
    ],
    ...options.service,
  };
  const startedAt = "2026-01-01T00:00:00.000Z";
  const running = startService(bus, { service, stats: options.stats ?? (() => NO_COUNTS), startedAt });
  const ask = async (subject: string) =>
    (await bus.scatter(subject, new Uint8Array(), { timeoutMs: 5_000, max: 1 })).map(
      ({ data }) => JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>,
    );
  return { bus, ask, running };
}

const IDENTITY = { name: "murmur-agent", id: "echo-1", version: "0.1.0", metadata: { host: "here" } };

test("PING answers with the standard fields and no others", async () => {
  const { ask } = setup();
  expect(await ask("$SRV.PING")).toEqual([{ type: "io.nats.micro.v1.ping_response", ...IDENTITY }]);
});

test("INFO adds description and endpoints; without a queue group the group is empty", async () => {
  const { ask } = setup();
  expect(await ask("$SRV.INFO")).toEqual([
    {
      type: "io.nats.micro.v1.info_response",
      ...IDENTITY,
      description: "runs agents",
      endpoints: [
        { name: "ask-echo", subject: "murmur.ask.echo", queue_group: "q", metadata: {} },
        { name: "where", subject: "murmur.where.*", queue_group: "", metadata: {} },
      ],
    },
  ]);
});

test("STATS gives times in whole nanoseconds; the average of no request is 0", async () => {
  const stats = (endpoint: string) =>
    endpoint === "where"
      ? NO_COUNTS
      : { requests: 3, errors: 1, lastError: "too much", processingMs: 1.5, data: { slots: 2 } };
  const { ask } = setup({ stats });
  expect(await ask("$SRV.STATS")).toEqual([
    {
      type: "io.nats.micro.v1.stats_response",
      ...IDENTITY,
      started: "2026-01-01T00:00:00.000Z",
      endpoints: [
        {
          name: "ask-echo",
          subject: "murmur.ask.echo",
          queue_group: "q",
          num_requests: 3,
          num_errors: 1,
          last_error: "too much",
          processing_time: 1_500_000,
          average_processing_time: 500_000,
          data: { slots: 2 },
        },
        {
          name: "where",
          subject: "murmur.where.*",
          queue_group: "",
          num_requests: 0,
          num_errors: 0,
          last_error: "",
          processing_time: 0,
          average_processing_time: 0,
          data: null,
        },
      ],
    },
  ]);
});

test.each(["PING", "INFO", "STATS"])(
  "a service answers %s for all, by name and by id (Discovery and Status)",
  async (verb) => {
    const { ask } = setup();
    for (const subject of [`$SRV.${verb}`, `$SRV.${verb}.murmur-agent`, `$SRV.${verb}.murmur-agent.echo-1`])
      expect(await ask(subject), subject).toHaveLength(1);
    for (const subject of [
      `$SRV.${verb}.other`,
      `$SRV.${verb}.murmur-agent.echo-2`,
      `$SRV.${verb}.other.echo-1`,
    ])
      expect(await ask(subject), subject).toEqual([]);
  },
);

test("a closed service no longer answers", async () => {
  const { ask, running } = setup();
  running.close();
  expect(await ask("$SRV.PING")).toEqual([]);
});

test.each([
  [{ name: "murmur agent" }, "name"],
  [{ id: "a.b" }, "id"],
  [{ version: "1.0" }, "version"],
])("%o is rejected with the name of the field", (service, field) => {
  expect(() => setup({ service })).toThrow(expect.objectContaining({ code: "invalid_input", field }));
});
