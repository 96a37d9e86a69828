import { expect, test } from "vitest";
import { AGENT_VERBS } from "../../../src/agent/index.ts";
import { defineEcho, sendVerb, startHost } from "../support.ts";

test("the mailbox answers ping and status", async () => {
  const { host, transport, stop } = await startHost(defineEcho());
  const status = host.status()[0];
  expect(await sendVerb(transport, status?.id ?? "", "ping")).toMatchObject({ id: status?.id });
  expect(await sendVerb(transport, status?.id ?? "", "status")).toEqual(status);
  expect(status).toMatchObject({ role: "echo", host: "host-1", version: "1.2.3", state: "idle" });
  await stop();
});

test("the mailbox pauses, resumes and drains the agent", async () => {
  const { host, transport, stop } = await startHost(defineEcho());
  const id = host.status()[0]?.id ?? "";
  expect(await sendVerb(transport, id, "pause")).toMatchObject({ state: "paused" });
  expect(host.workforce.take("echo")).toBeNull();
  expect(await sendVerb(transport, id, "resume")).toMatchObject({ state: "idle" });
  expect(host.workforce.free("echo")).toBe(8);
  expect(await sendVerb(transport, id, "drain")).toMatchObject({ state: "stopped" });
  await stop();
});

test("the mailbox rejects an unknown verb and lists the known verbs", async () => {
  const { host, transport, stop } = await startHost(defineEcho());
  expect(await sendVerb(transport, host.status()[0]?.id ?? "", "dance")).toMatchObject({
    error: {
      code: "invalid_input",
      field: "verb",
      message: expect.stringContaining(AGENT_VERBS.join(", ")),
    },
  });
  await stop();
});
