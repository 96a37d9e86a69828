import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect as connectTcp, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLogger, createMeter, silentLogger } from "../../../src/base/index.ts";
import { type ConnectNatsOptions, connectNats } from "../../../src/transport/index.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { bounce, SOON } from "../support.ts";

const USERS = 'authorization { users: [ { user: "anna", password: "s3cret/1" } ] }';

function open(options: Partial<ConnectNatsOptions> & { servers: string | string[] }) {
  const connecting = connectNats({
    name: "test",
    prefix: "murmur",
    log: silentLogger,
    meter: createMeter(),
    ...options,
  });
  onTestFinished(async () => {
    await (await connecting.catch(() => undefined))?.close();
  });
  return connecting;
}

async function startServer(config?: string) {
  const server = await startNatsServer(config === undefined ? {} : { config });
  onTestFinished(() => server.stop());
  return server;
}

test("without a server connecting is unavailable at once, and the message names the next step", async () => {
  const server = await startServer();
  await server.kill();
  await expect(open({ servers: server.url })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/start a server, or name another with --server or NATS_URL/),
  });
});

test("a daemon waits for the first server, logs the wait, and connects when the server starts", async () => {
  const server = await startServer();
  await server.kill();
  const lines: string[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => lines.push(line) } });
  const connecting = open({ servers: server.url, waitOnFirstConnect: true, log });
  await vi.waitFor(() => expect(lines.join("")).toContain("cannot connect to NATS yet"), SOON);
  await server.restart();
  expect((await connecting).state).toBe("connected");
});

test("the wait for the first server ends with the signal's reason", async () => {
  const server = await startServer();
  await server.kill();
  const controller = new AbortController();
  const connecting = open({ servers: server.url, waitOnFirstConnect: true, signal: controller.signal });
  controller.abort(new Error("shut down"));
  await expect(connecting).rejects.toThrow("shut down");
});

test("user and password work in the URL and as options; a wrong password is not_permitted even for a daemon", async () => {
  const { port } = await startServer(USERS);
  const servers = `127.0.0.1:${port}`;
  expect((await open({ servers: `nats://anna:s3cret%2F1@${servers}` })).state).toBe("connected");
  expect((await open({ servers, credentials: { user: "anna", password: "s3cret/1" } })).state).toBe(
    "connected",
  );
  const refused = open({ servers: `nats://anna:wr0ng@${servers}`, waitOnFirstConnect: true });
  await expect(refused).rejects.toMatchObject({ code: "not_permitted", field: "credentials" });
  await expect(refused).rejects.not.toThrow(/wr0ng/);
});

test("a server that got no credentials in time is unavailable, and a daemon tries again", async () => {
  const server = await startServer();
  // Stands before the server, and ends the first connections as a busy server does.
  let ends = 2;
  const front = createServer((socket) => {
    const behind = connectTcp(Number(new URL(server.url).port), "127.0.0.1");
    const isLate = ends-- > 0;
    behind.on("data", (data) => {
      if (!isLate) return void socket.write(data);
      if (data.toString().startsWith("INFO")) socket.write(data);
    });
    socket.on("data", (data) =>
      isLate ? socket.end("-ERR 'Authentication Timeout'\r\n") : behind.write(data),
    );
    for (const [one, other] of [
      [socket, behind],
      [behind, socket],
    ] as const)
      one.on("error", () => undefined).on("close", () => other.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void front.close());
  const servers = `nats://127.0.0.1:${(front.address() as AddressInfo).port}`;
  await expect(open({ servers })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringMatching(/did not get the credentials of this process in time/),
  });
  expect((await open({ servers, waitOnFirstConnect: true })).state).toBe("connected");
});

test("a token works in the URL and as an option", async () => {
  const { port } = await startServer('authorization { token: "t0ken" }');
  expect((await open({ servers: `nats://t0ken@127.0.0.1:${port}` })).state).toBe("connected");
  expect((await open({ servers: [`127.0.0.1:${port}`], credentials: { token: "t0ken" } })).state).toBe(
    "connected",
  );
});

test("an nkey file is read again at each connection", async () => {
  const { nkeys } = await import("@nats-io/nats-core");
  const [user, rotated] = [nkeys.createUser(), nkeys.createUser()];
  const config = `authorization { users: [ { nkey: ${user.getPublicKey()} }, { nkey: ${rotated.getPublicKey()} } ] }`;
  const server = await startServer(config);
  const folder = mkdtempSync(join(tmpdir(), "murmur-nkey-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const nkeyFile = join(folder, "user.nk");
  writeFileSync(nkeyFile, user.getSeed());
  const transport = await open({ servers: server.url, credentials: { nkeyFile } });
  writeFileSync(nkeyFile, rotated.getSeed());
  await bounce(server, transport);
});

test("no secret reaches the log or an error", async () => {
  const server = await startServer(USERS);
  const lines: string[] = [];
  const log = createLogger({ name: "test", level: "trace", stream: { write: (line) => lines.push(line) } });
  const servers = `nats://anna:s3cret%2F1@127.0.0.1:${server.port}`;
  const transport = await open({ servers, log });
  await server.kill();
  await vi.waitFor(() => expect(transport.state).toBe("disconnected"), SOON);
  const errors = await Promise.all([
    open({ servers }).catch(String),
    open({ servers: servers.replace("nats:", "http:") }).catch(String),
  ]);
  expect([...lines, ...errors].join("\n")).not.toMatch(/s3cret/);
  expect(lines.length).toBeGreaterThan(0);
});

test.each(["http://host:4222", "ws://host", "nats://", "", "nats://a b"])(
  "the server %j is rejected",
  async (servers) => {
    await expect(open({ servers })).rejects.toMatchObject({ code: "invalid_input", field: "server" });
  },
);

test("the error of an unreadable credentials file names the file", async () => {
  const connecting = open({ servers: "127.0.0.1:1", credentials: { file: "/nowhere/user.creds" } });
  await expect(connecting).rejects.toMatchObject({
    code: "invalid_input",
    field: "credentials",
    message: expect.stringContaining("/nowhere/user.creds cannot be read (ENOENT)"),
  });
});

test("one running server of several is enough", async () => {
  const server = await startServer();
  const transport = await open({ servers: `nats://127.0.0.1:1,${server.url}` });
  expect(transport.state).toBe("connected");
});
