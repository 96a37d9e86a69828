import { jetstream } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { startNatsServer } from "../../support/nats-server.ts";

/** A user with the blob rights of an agent, and a user without limits. */
const USERS = `
accounts { SWARM { jetstream: enabled, users: [
  { user: admin, password: admin },
  { user: agent, password: agent, permissions: { publish: { allow: [
    "$O.MURMUR_BLOBS.M.*", "$O.MURMUR_BLOBS.C.*.*",
    "$JS.API.DIRECT.GET.OBJ_MURMUR_BLOBS.$O.MURMUR_BLOBS.M.*", "$JS.API.DIRECT.GET.OBJ_MURMUR_BLOBS.$O.MURMUR_BLOBS.C.*.*"
  ] } } }
] } }`;

test("a user with four rights stores and reads blobs, and other clients of NATS read and write them too", async () => {
  const server = await startNatsServer({ config: USERS });
  onTestFinished(() => server.stop());
  const connectAs = async (user: string) => {
    const transport = await connectNats({
      ...{ servers: server.url, credentials: { user, password: user }, name: user, prefix: "murmur" },
      ...{ log: silentLogger, meter: createMeter() },
    });
    onTestFinished(() => transport.close());
    return transport;
  };
  const admin = await connectAs("admin");
  await admin.init();
  const agent = await connectAs("agent");
  const violations: string[] = [];
  agent.onViolation(({ subject }) => violations.push(subject));

  const body = new Uint8Array(1_300_000).fill(7); // three chunks
  const reference = await agent.blobs.put(body);
  expect(Buffer.compare(await agent.blobs.get(reference), body)).toBe(0);
  expect(violations).toEqual([]);

  const client = await connect({ servers: server.url, user: "admin", pass: "admin" });
  onTestFinished(() => client.close());
  const store = await new Objm(jetstream(client)).open("MURMUR_BLOBS");
  expect(Buffer.compare((await store.getBlob(reference.$blob))!, body)).toBe(0);

  // Another client stores all chunks on one subject: that needs a right which only some processes have.
  const other = new Uint8Array(600_000).fill(8);
  const name = Buffer.from(await crypto.subtle.digest("SHA-256", other)).toString("hex");
  await store.putBlob({ name }, other);
  const theirs = { $blob: name, bytes: other.length };
  expect(Buffer.compare(await admin.blobs.get(theirs), other)).toBe(0);
  await expect(agent.blobs.get(theirs)).rejects.toMatchObject({ code: "not_permitted" });
  await agent.blobs.put(other);
  expect(Buffer.compare(await agent.blobs.get(theirs), other)).toBe(0);
});
