import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { readTarFile } from "../../../src/app/install/tar.ts";

let archive: Buffer;
beforeAll(() => {
  const home = mkdtempSync(join(tmpdir(), "murmur-tar-"));
  mkdirSync(join(home, "release/nats-server.d"), { recursive: true });
  writeFileSync(join(home, "release/LICENSE"), "L".repeat(1_000));
  writeFileSync(join(home, "release/nats-server"), "program".repeat(200));
  writeFileSync(join(home, "release/empty"), "");
  execFileSync("tar", ["-cf", join(home, "a.tar"), "-C", home, "release"]);
  archive = readFileSync(join(home, "a.tar"));
  rmSync(home, { recursive: true });
});

test("a file is read whole out of an archive that tar made", () => {
  expect(Buffer.from(readTarFile(archive, "nats-server") ?? []).toString()).toBe("program".repeat(200));
  expect(readTarFile(archive, "empty")).toHaveLength(0);
});

test("folders and missing names are no files", () => {
  expect(readTarFile(archive, "release")).toBeUndefined();
  expect(readTarFile(archive, "nats")).toBeUndefined();
});

test("a cut archive, and bytes that are none, are refused", () => {
  expect(() => readTarFile(archive.subarray(0, 1_100), "nothing")).toThrow(RangeError);
  expect(() => readTarFile(Buffer.from("not an archive".repeat(100)), "nats-server")).toThrow(
    "no tar header",
  );
  expect(() => readTarFile(new Uint8Array(0), "nats-server")).toThrow("the archive has no end");
});
