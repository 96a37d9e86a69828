import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { runElectionNode } from "../../../../src/app/commands/local/election-node.ts";

const MEBIBYTE = 1_024 * 1_024;
const INIT =
  '{"id":0,"op":"init","node":"1","peers":["1"],"electionTicks":10,"heartbeatTicks":1,"seed":7,"swarm":"murmur"}\n';

async function run(
  ...chunks: readonly (string | Buffer)[]
): Promise<{ id: unknown; ok: boolean; error?: string }[]> {
  const output = new PassThrough();
  const replies = text(output);
  await runElectionNode(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), output);
  output.end();
  return (await replies)
    .split("\n")
    .slice(0, -1)
    .map((line) => JSON.parse(line));
}

/** A tick line of exactly `bytes` bytes. */
function longTick(bytes: number): string {
  const line = '{"id":1,"op":"tick","n":1,"padding":""}';
  return `${line.slice(0, -2)}${"x".repeat(bytes - line.length)}"}`;
}

describe("the election node on a pipe", () => {
  it("gives one reply for each line, also when the bytes arrive one by one", async () => {
    const input = Buffer.from(`${INIT}{"id":"ä","op":"tick","n":1}\n\n{"id":2,"op":"tick","n":1}`);
    const whole = await run(input);
    expect(whole.map(({ id, ok }) => [id, ok])).toEqual([
      [0, true],
      ["ä", true],
      [null, false],
      [2, true],
    ]);
    expect(await run(...Array.from(input, (byte) => Buffer.from([byte])))).toEqual(whole);
  });

  it("takes lines up to 1 MiB and refuses longer ones with one reply each", async () => {
    const replies = await run(
      INIT,
      `${longTick(MEBIBYTE)}\n${longTick(MEBIBYTE + 1)}\n`,
      `${longTick(3 * MEBIBYTE)}\n`,
    );
    expect(replies.map(({ id, ok }) => [id, ok])).toEqual([
      [0, true],
      [1, true],
      [null, false],
      [null, false],
    ]);
  });

  it("refuses a line that is not UTF-8", async () => {
    const replies = await run(INIT, Buffer.from([0x7b, 0xff, 0x7d, 0x0a]));
    expect(replies[1]).toMatchObject({ id: null, ok: false, error: expect.stringContaining("UTF-8") });
  });

  it("as a process keeps reading while its output is not read", { timeout: 120_000 }, async () => {
    const lines = 50_000;
    const script = join(import.meta.dirname, "../../../../src/app/commands/local/election-node.ts");
    const child = spawn(process.execPath, [script], { stdio: ["pipe", "pipe", "inherit"] });
    // Far more than the pipes hold; the write is done only when the child has read it all.
    await new Promise<void>((resolve) =>
      child.stdin.end(INIT + '{"id":1,"op":"tick","n":1}\n'.repeat(lines), () => resolve()),
    );
    const output = await text(child.stdout);
    if (child.exitCode === null) await once(child, "exit");
    expect(output.split("\n")).toHaveLength(lines + 2);
    expect(child.exitCode).toBe(0);
  });
});
