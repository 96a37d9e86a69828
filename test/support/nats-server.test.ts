import { existsSync } from "node:fs";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { startNatsServer } from "./nats-server.ts";

test("a server keeps its port and its streams across kill -9 and restart, and leaves no process or directory after stop", async () => {
  const server = await startNatsServer();
  const { url, pid } = server;
  let connection = await connect({ servers: url });
  await (await jetstreamManager(connection)).streams.add({ name: "S", subjects: ["s"] });
  await connection.close();

  await server.kill();
  await server.restart();
  expect(server.url).toBe(url);
  expect(server.pid).not.toBe(pid);
  connection = await connect({ servers: url });
  expect((await (await jetstreamManager(connection)).streams.info("S")).config.name).toBe("S");
  await connection.close();

  const lastPid = server.pid;
  await server.stop();
  await server.stop();
  expect(() => process.kill(lastPid, 0)).toThrow("ESRCH");
  expect(existsSync(server.dir)).toBe(false);
});

test("the server uses the extra configuration", async () => {
  const server = await startNatsServer({ jetstream: false, config: 'authorization { token: "t0" }' });
  await expect(connect({ servers: server.url })).rejects.toThrow(/authorization/i);
  const connection = await connect({ servers: server.url, token: "t0" });
  expect(connection.info?.jetstream).not.toBe(true);
  await connection.close();
  await server.stop();
});

test("the error of a rejected configuration contains the server's own message", async () => {
  await expect(startNatsServer({ config: "no_such_option: 1" })).rejects.toThrow(/no_such_option/);
});

test("servers start side by side", async () => {
  const servers = await Promise.all([startNatsServer(), startNatsServer(), startNatsServer()]);
  expect(new Set(servers.map((server) => server.port)).size).toBe(3);
  await Promise.all(servers.map((server) => server.stop()));
});
