import { execFile } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { startFakePeer } from "../support/fake-peer.ts";
import { PROGRAM, programEnvironment } from "../support/program.ts";

test("a library that writes to the console does not spoil the JSON on standard output", async () => {
  const peer = await startFakePeer("garbage");
  onTestFinished(() => peer.close());
  const argv = [...PROGRAM, "task", "ls", "--json", "--server", peer.url, "--timeout", "1s"];
  const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) => {
    execFile(process.execPath, argv, { env: programEnvironment() }, (_error, stdout, stderr) =>
      resolve({ stdout, stderr }),
    );
  });
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: "unavailable" } });
  expect(stderr).toContain("reader closed"); // nats-core wrote it with console.log
});
