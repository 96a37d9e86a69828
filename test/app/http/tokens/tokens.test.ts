// The tokens of the HTTP API: the callers that the border lets in, the operations of each access level, and the rate of a token.
import { rmSync, writeFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { ROUTES } from "../../../../src/app/http/routes/table.ts";
import { RateLimits, takeOne } from "../../../../src/app/http/tokens/rate.ts";
import { parseTokens } from "../../../../src/app/http/tokens/tokens-file.ts";
import { ACCESS_LEVELS, type Access } from "../../../../src/app/operations/operation.ts";
import { createLogger } from "../../../../src/base/index.ts";
import { setupApi, type TestToken, writeTokens } from "../setup.ts";

const token = (access: Access, more: Partial<TestToken> = {}): TestToken => ({
  ...{ secret: `murmur_secret-of-${more.name ?? access}`, name: access, access, ratePerSecond: 10_000 },
  ...more,
});
const READER = token("read");

test("without a file of tokens, loopback is open, and every caller has the name http", async () => {
  const { send } = await setupApi();
  expect((await send("GET /v1/tasks")).status).toBe(200);
});

test("missing, wrong, expired and revoked tokens get 401, which tells them apart", async () => {
  const expired = token("read", { name: "old", expires: "2026-01-01T00:00:00Z" });
  const { tokens, write } = await writeTokens([READER, expired]);
  const onRefused = vi.fn();
  const { send } = await setupApi({ tokens, onRefused });
  const ask = async (secret?: string, path = "/v1/tasks") => {
    const answer = await send(`GET ${path}`, secret === undefined ? {} : { token: secret });
    return [
      answer.status,
      answer.ok ? "" : ((await answer.json()) as { error: { message: string } }).error.message,
    ];
  };
  expect(await ask()).toEqual([401, expect.stringContaining("send a token")]);
  expect(await ask("murmur_other")).toEqual([401, expect.stringContaining("does not know this token")]);
  expect(await ask(expired.secret)).toEqual([
    401,
    expect.stringContaining("token old expired at 2026-01-01"),
  ]);
  expect(await ask(READER.secret)).toEqual([200, ""]);
  expect(await ask(READER.secret, "/metrics")).toEqual([200, ""]);
  expect(await ask(undefined, "/metrics")).toEqual([401, expect.any(String)]);
  expect(await ask(undefined, "/openapi.json")).toEqual([401, expect.any(String)]);
  expect(await ask(undefined, "/livez")).toEqual([200, ""]);
  write([expired]);
  await tokens.look(() => undefined);
  expect(await ask(READER.secret)).toEqual([401, expect.stringContaining("does not know this token")]);
  expect(onRefused).toHaveBeenCalledTimes(6);
  expect(JSON.stringify(onRefused.mock.calls)).not.toContain("murmur_");
});

test("a new token counts after a look; a broken file keeps the tokens, and its reason is told once and without hashes", async () => {
  const lines: string[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => lines.push(line) } });
  const { tokens, path, write } = await writeTokens([READER], log);
  const onChange = vi.fn();
  const added = token("admin");
  write([READER, added]);
  await tokens.look(onChange);
  expect(tokens.find(added.secret)).toMatchObject({ name: "admin" });
  expect(onChange).toHaveBeenCalledWith(expect.objectContaining({ outcome: "done", added: 1, removed: 0 }));
  writeFileSync(path, "tokens:\n  - { name: x, access: read, sha256: not-a-hash }\n");
  for (let look = 0; look < 3; look++) await tokens.look(onChange);
  expect(tokens.find(added.secret)).toBeDefined();
  expect(tokens.problem).toMatch(/tokens\.0\.sha256 must be the SHA-256 .*; the earlier tokens count/);
  rmSync(path);
  for (let look = 0; look < 2; look++) await tokens.look(onChange);
  expect(tokens.problem).toContain("cannot be read (ENOENT)");
  expect(onChange.mock.calls.map(([{ outcome }]) => outcome)).toEqual([
    "done",
    "invalid_input",
    "invalid_input",
  ]);
  expect(lines).toHaveLength(3);
  expect(lines.join("")).not.toContain("not-a-hash");
  write([READER, added]);
  await tokens.look(onChange);
  expect(tokens.problem).toBeNull();
});

test.each([
  ["tokens: 1", /tokens must be a list/],
  ["token: []", /tokens must be a list, got nothing/],
  [
    "tokens: [{ name: a, access: reader, sha256: aa }]",
    /tokens\.0\.sha256|tokens\.0\.access must be one of read/,
  ],
  [
    `tokens: [{ name: a, access: read, sha256: ${"a".repeat(64)}, expires: soon }]`,
    /tokens\.0\.expires must be an ISO/,
  ],
  [
    `tokens: [{ name: a, access: read, sha256: ${"a".repeat(64)} }, { name: a, access: read, sha256: ${"b".repeat(64)} }]`,
    /tokens\.1\.name is that of tokens\.0/,
  ],
  ["tokens: [", /must be YAML/],
])("a file with %.40s is refused with the place of the fault", (text, message) => {
  expect(() => parseTokens(text, "t.yaml")).toThrow(message);
});

/** A path of a route with names that nothing has. */
const pathOf = (path: string) => path.replaceAll(/:\w+/g, "nosuch");
/** The access that a route needs with an empty input: less than its operation's where the input is for one task. */
const neededBy = (route: (typeof ROUTES)[number]): Access => {
  const { operation } = route;
  const input = Object.fromEntries(Object.values(route.parameters).map((field) => [field, "nosuch"]));
  return operation.accessOf?.(input) ?? operation.access;
};

/** A body that each route with required fields accepts. */
const BODIES: Readonly<Record<string, object>> = {
  "task-submit": { capability: "echo" },
  "task-submit-batch": { tasks: [{ capability: "echo" }] },
  "task-purge": { all: true },
  "task-move": { capability: "echo" },
  "task-reprioritise": { priority: "low" },
  "task-settle": { step: "s", notDone: true },
  "dead-replay": { all: true },
  "dead-purge": { all: true, dryRun: true },
  "ballot-decide": { choice: 1 },
  "ballot-correct": { value: 1 },
  "lock-release": { owner: "o", token: 1 },
  "config-set": { value: 1 },
  "schedule-set": { when: { everyMs: 1_000_000 }, task: { capability: "echo", input: 1 } },
  "budget-set": { calls: 1 },
  "workflow-plan": { objective: "o" },
  "workflow-start": { workflow: "w" },
  "workflow-signal": { name: "s" },
  "workflow-shared-set": { value: 1 },
  "schedule-backfill": { from: "1h" },
  "workflow-approve": { approval: "a" },
  "workflow-reject": { approval: "a" },
};

test("each access level may call exactly the operations of its level and of those below", async () => {
  const { tokens } = await writeTokens(ACCESS_LEVELS.map((access) => token(access)));
  const { send } = await setupApi({ tokens, scaling: { names: [], count: async () => null } });
  let refusals = 0;
  for (const route of ROUTES.filter(({ stream }) => stream?.isAlways !== true)) {
    const needed = neededBy(route);
    for (const access of ACCESS_LEVELS) {
      const isAllowed = ACCESS_LEVELS.indexOf(access) >= ACCESS_LEVELS.indexOf(needed);
      if (isAllowed) continue; // tried below: many operations wait for an office, which is not there
      const body = BODIES[route.operation.name];
      const answer = await send(`${route.method} ${pathOf(route.path)}`, {
        token: token(access).secret,
        ...(body === undefined ? {} : { body }),
      });
      const { error } = (await answer.json()) as { error: { code: string; message: string } };
      expect([answer.status, error.code], `${route.operation.name} as ${access}`).toEqual([
        403,
        "not_permitted",
      ]);
      expect(error.message).toContain(
        `; tokens.yaml: tokens[${access}].access needs ${needed}, and is ${access}`,
      );
      refusals++;
    }
  }
  expect(refusals).toBeGreaterThan(40);
});

test.each([
  ["read", "GET /v1/tasks", undefined, 200],
  ["read", "GET /v1/dead", undefined, 200],
  ["submit", "POST /v1/tasks", { capability: "echo" }, 202],
  ["submit", "DELETE /v1/tasks/nosuch", undefined, 404],
  ["operate", "POST /v1/dead/purge", { all: true }, 200],
] as const)("a token with the access %s may call %s", async (access, request, body, status) => {
  const { tokens } = await writeTokens([token(access)]);
  const { send } = await setupApi({ tokens });
  const answer = await send(request, {
    token: token(access).secret,
    ...(body === undefined ? {} : { body }),
  });
  expect(answer.status).toBe(status);
});

test("a token with capabilities touches only tasks of these, and the audit log names it", async () => {
  const limited = token("submit", { name: "shop", capabilities: ["pay"] });
  const admin = token("admin");
  const { tokens } = await writeTokens([limited, admin]);
  const onRefused = vi.fn();
  const notes: unknown[] = [];
  const auditor = async (note: unknown) => notes.push(note) > 0;
  const { send } = await setupApi({ tokens, onRefused, auditor });
  const status = async (request: string, body?: unknown) =>
    (await send(request, { token: limited.secret, ...(body === undefined ? {} : { body }) })).status;
  await send("POST /v1/tasks", { token: admin.secret, body: { capability: "echo", id: "e1" } });
  expect(await status("POST /v1/tasks", { capability: "pay", id: "p1" })).toBe(202);
  expect(await status("POST /v1/tasks", { capability: "echo" })).toBe(403);
  expect(
    await status("POST /v1/tasks/batch", { tasks: [{ capability: "pay" }, { capability: "echo" }] }),
  ).toBe(403);
  expect(await status("GET /v1/tasks/p1")).toBe(200);
  expect(await status("GET /v1/tasks/e1")).toBe(403);
  expect(await status("GET /v1/tasks/e1/events")).toBe(403);
  expect(await status("GET /v1/events")).toBe(403);
  expect(await status("GET /v1/tasks?capability=echo")).toBe(403);
  const listed = await send("GET /v1/tasks", { token: limited.secret });
  expect(await listed.json()).toMatchObject({ tasks: [{ taskId: "p1" }] });
  expect(await status("GET /v1/agents")).toBe(403);
  expect(await status("DELETE /v1/tasks/p1")).toBe(200);
  expect(notes).toMatchObject([{ facts: { command: "task-cancel", by: "shop", isProven: true } }]);
  expect(onRefused).toHaveBeenCalledWith(
    expect.objectContaining({ by: "shop", isProven: true, command: "task-submit" }),
  );
});

test("a token above its rate gets 429 with Retry-After, and others do not", async () => {
  const slow = token("read", { name: "slow", ratePerSecond: 0.1 });
  const { tokens } = await writeTokens([slow, READER]);
  const { send } = await setupApi({ tokens });
  for (let sent = 0; sent < 10; sent++)
    expect((await send("GET /openapi.json", { token: slow.secret })).status).toBe(200);
  const answer = await send("GET /openapi.json", { token: slow.secret });
  expect(answer.status).toBe(429);
  expect(answer.headers.get("Retry-After")).toMatch(/^([1-9]|10)$/);
  expect(await answer.json()).toMatchObject({ error: { code: "rate_limited" } });
  expect((await send("GET /openapi.json", { token: READER.secret })).status).toBe(200);
});

test("a bucket fills at its rate up to one second of it, and never runs backwards with the clock", () => {
  const full = takeOne(undefined, 100, 0).bucket;
  expect(full.left).toBe(99);
  expect(takeOne({ left: 0, atMs: 0 }, 100, 10)).toEqual({ bucket: { left: 0, atMs: 10 }, waitMs: 0 });
  expect(takeOne({ left: 0, atMs: 0 }, 100, 5)).toEqual({ bucket: { left: 0.5, atMs: 5 }, waitMs: 5 });
  expect(takeOne({ left: 0, atMs: 0 }, 100, 3_600_000).bucket.left).toBe(99);
  expect(takeOne({ left: 5, atMs: 100 }, 100, 0).bucket.left).toBe(4);
  const limits = new RateLimits(() => 0);
  for (let at = 0; at < 20_000; at++) limits.take({ name: `n${at}`, ratePerSecond: 1 });
  expect(limits.take({ name: "n19999", ratePerSecond: 1 })).toBe(0);
});
