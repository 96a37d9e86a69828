// The session of a browser: a cookie instead of the header Authorization, and the rules that keep other pages from using it.
import { expect, test } from "vitest";
import { setupApi, type TestToken, writeTokens } from "../setup.ts";

const ANNA: TestToken = { secret: "murmur_anna", name: "anna", access: "operate" };
const READER: TestToken = { secret: "murmur_reader", name: "reader", access: "read", capabilities: ["echo"] };

async function setup(entries: readonly TestToken[] = [ANNA, READER]) {
  const { tokens, write } = await writeTokens(entries);
  const refused: string[] = [];
  const api = await setupApi({ tokens, onRefused: ({ command }) => refused.push(command) });
  /** Logs in; `by` are the headers of a request with the cookie. */
  const login = async (secret: string, headers: Record<string, string> = {}) => {
    const answer = await api.send("POST /v1/session", { body: { token: secret }, headers });
    const cookie = answer.headers.get("set-cookie") ?? "";
    const session = (await answer.json()) as { csrf: string; error?: object };
    const by = { Cookie: cookie.split(";")[0] ?? "" };
    return { status: answer.status, cookie, session, by };
  };
  return { ...api, tokens, write, refused, login };
}

test("a login sets a cookie that no script reads, and the session tells caller and rights", async () => {
  const { login, send } = await setup();
  const { status, cookie, session, by } = await login(READER.secret);
  expect(status).toBe(200);
  expect(cookie).toBe("murmur_session=murmur_reader; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200");
  const facts = { user: "reader", access: "read", capabilities: ["echo"], needsLogin: true, swarm: "murmur" };
  expect(session).toMatchObject(facts);
  expect(await (await send("GET /v1/session", { headers: by })).json()).toEqual(session);
  expect((await send("GET /v1/tasks?capability=echo", { headers: by })).status).toBe(200);
  expect((await send("GET /v1/agents", { headers: by })).status).toBe(403);
});

test("over TLS the cookie is Secure, and with a port its name has the port", async () => {
  const { login, send } = await setup();
  const own = { Host: "swarm.example", Origin: "https://swarm.example" };
  expect((await login(ANNA.secret, own)).cookie).toMatch(/; Secure$/);
  const ported = await login(ANNA.secret, { Host: "127.0.0.1:7071", Origin: "http://127.0.0.1:7071" });
  expect(ported.cookie).toMatch(/^murmur_session_7071=/);
  const elsewhere = await send("GET /v1/problems", { headers: { ...ported.by, Host: "127.0.0.1:7072" } });
  expect(elsewhere.status).toBe(401);
});

test("a change by cookie needs the header that only the console's own page knows", async () => {
  const { login, send, refused } = await setup();
  const { session, by } = await login(ANNA.secret);
  const submit = (headers: Record<string, string>) =>
    send("POST /v1/tasks", { body: { capability: "echo" }, headers: { ...by, ...headers } });
  expect(await (await submit({})).json()).toMatchObject({
    error: { code: "not_permitted", field: "Murmur-CSRF" },
  });
  expect((await submit({ "Murmur-CSRF": "x".repeat(43) })).status).toBe(403);
  expect((await submit({ "Murmur-CSRF": session.csrf })).status).toBe(202);
  const foreign = await submit({ "Murmur-CSRF": session.csrf, Origin: "http://127.0.0.1:9999" });
  expect(await foreign.json()).toMatchObject({ error: { field: "Origin" } });
  const read = await send("GET /v1/problems", { headers: { ...by, Origin: "https://evil.example" } });
  expect(read.status).toBe(403);
  expect(refused).toEqual(["POST /v1/tasks", "POST /v1/tasks", "POST /v1/tasks", "GET /v1/problems"]);
  const other = await login(READER.secret);
  expect(other.session.csrf).not.toBe(session.csrf);
});

test("a session ends with a logout, and when its token is revoked or expires", async () => {
  const soon = new Date(Date.now() + 60_000).toISOString();
  const { login, send, write, tokens } = await setup([ANNA, { ...READER, expires: soon }]);
  const { session, by } = await login(ANNA.secret);
  const headers = { ...by, "Murmur-CSRF": session.csrf };
  const ended = await send("DELETE /v1/session", { headers });
  expect(await ended.json()).toEqual({ ended: true });
  expect(ended.headers.get("set-cookie")).toMatch(/^murmur_session=; .*Max-Age=0$/);
  const status = async () => (await send("GET /v1/problems", { headers: by })).status;
  expect(await status()).toBe(200); // only the browser forgets the cookie; a revoked token ends it everywhere
  write([{ ...ANNA, expires: "2020-01-01T00:00:00.000Z" }]);
  await tokens.look(() => undefined);
  expect(await status()).toBe(401);
  write([]);
  await tokens.look(() => undefined);
  expect(await status()).toBe(401);
});

test("a login with a wrong token, from another site, or with a body that is no login is refused", async () => {
  const { login, send, refused } = await setup();
  const wrong = await login("murmur_wrong");
  expect([wrong.status, wrong.cookie]).toEqual([401, ""]);
  expect(refused).toEqual(["POST /v1/session"]);
  expect((await login(ANNA.secret, { Origin: "https://evil.example" })).status).toBe(403);
  for (const [body, status] of [
    ...([
      [{}, 400],
      [{ token: 1 }, 400],
      [{ token: ANNA.secret, more: 1 }, 400],
    ] as const),
    [{ token: "x".repeat(5_000) }, 413] as const,
  ]) {
    expect((await send("POST /v1/session", { body })).status, JSON.stringify(body).slice(0, 40)).toBe(status);
  }
  const put = await send("PUT /v1/session", { token: ANNA.secret, body: {} });
  expect([put.status, put.headers.get("allow")]).toEqual([405, "DELETE, GET, HEAD, POST"]);
});

test("a header Authorization counts before the cookie, and an API without tokens needs no session", async () => {
  const { login, send } = await setup();
  const { by } = await login(ANNA.secret);
  expect((await send("GET /v1/problems", { headers: by, token: "murmur_wrong" })).status).toBe(401);
  const bearer = await send("POST /v1/tasks", {
    body: { capability: "echo" },
    headers: by,
    token: ANNA.secret,
  });
  expect(bearer.status).toBe(202); // a program needs no header against other pages
  const open = await setupApi();
  expect(await (await open.send("GET /v1/session")).json()).toMatchObject({
    ...{ user: "http", access: "admin", capabilities: null, needsLogin: false, csrf: null },
  });
  const begun = await open.send("POST /v1/session", { body: { token: "any" } });
  expect([begun.status, begun.headers.get("set-cookie")]).toEqual([200, null]);
});
