// `init --permissions` on a real server with the permissions of the file: the user `init` has the rights of the file's classes, no others.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { seedFile } from "../../src/app/permissions/index.ts";
import { setupWorld } from "../app/support.ts";
import { startGuarded } from "./support.ts";

const file = (classes: string) => `version: 1\nclasses: [${classes}]\n`;
const GPU = "{ name: gpu, capabilities: [echo] }";
const OLD = "{ name: old, capabilities: [echo] }";

test("init makes the streams of the classes of the file alone, and tells of the stream of a class that the file no longer lists", async () => {
  const guarded = await startGuarded(file(`${GPU}, ${OLD}`));
  onTestFinished(() => guarded.stop());
  const path = join(guarded.keys, "permissions.yaml");
  const world = setupWorld({
    MURMUR_SERVER: guarded.server.url,
    MURMUR_NKEY_FILE: seedFile(guarded.keys, "init"),
    MURMUR_INBOX_PREFIX: "_INBOX.init",
  });
  const init = async (classes: string) => {
    writeFileSync(path, file(classes));
    const ran = await world.call(`init --permissions ${path} --json`);
    expect(ran.exitCode, ran.stdout).toBe(0);
    return ran.json() as { created: string[]; warnings: string[] };
  };
  const { created, warnings } = await init(`${GPU}, ${OLD}`);
  expect(created.filter((name) => name.includes("PLACED"))).toEqual([
    "MURMUR_PLACED-GPU",
    "MURMUR_PLACED-OLD",
  ]);
  expect(warnings).toEqual([]);

  await guarded.rewrite(file(GPU));
  const system = await connect({
    servers: guarded.server.url,
    authenticator: nkeyAuthenticator(new TextEncoder().encode(guarded.seed("system"))),
    inboxPrefix: "_INBOX.system",
  });
  const ping = (await system.request("$SYS.REQ.SERVER.PING", "")).json<{ server: { id: string } }>();
  await system.request(`$SYS.REQ.SERVER.${ping.server.id}.RELOAD`, "");
  await system.close();
  expect((await init(GPU)).warnings).toEqual([
    expect.stringMatching(/^stream MURMUR_PLACED-OLD belongs to the class old, which is not listed/),
  ]);
}, 60_000);
