import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { nkeys } from "@nats-io/nats-core";
import { expect, onTestFinished, test, vi } from "vitest";
import { createLogger, createMeter } from "../../../src/base/index.ts";
import { connectNats } from "../../../src/transport/index.ts";
import { FILES_INTERVAL_MS, followFiles } from "../../../src/transport/nats/rotation.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { SOON } from "../support.ts";

function createFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "murmur-rotation-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

function follow(contents: string, check: () => void = () => undefined) {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const file = join(createFolder(), "secret");
  writeFileSync(file, contents);
  const lines: string[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => lines.push(line) } });
  const onChange = vi.fn();
  const following = followFiles({ files: [file], check }, { log, onChange, chance: { next: () => 0.5 } });
  onTestFinished(() => following.close());
  return { file, lines, onChange, following };
}

test("changed contents are reported once, within the look and the jitter; the same contents written again are not", () => {
  const { file, onChange } = follow("old");
  writeFileSync(file, "old");
  vi.advanceTimersByTime(2 * FILES_INTERVAL_MS);
  expect(onChange).not.toHaveBeenCalled();
  writeFileSync(file, "new");
  vi.advanceTimersByTime(FILES_INTERVAL_MS);
  expect(onChange).not.toHaveBeenCalled();
  vi.advanceTimersByTime(500);
  expect(onChange).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(5 * FILES_INTERVAL_MS);
  expect(onChange).toHaveBeenCalledTimes(1);
});

test("contents that cannot be used keep the connection, with one log line, until usable ones come", () => {
  let isUsable = false;
  const { file, lines, onChange } = follow("old", () => {
    if (!isUsable) throw new Error("half a key");
  });
  writeFileSync(file, "half");
  vi.advanceTimersByTime(3 * FILES_INTERVAL_MS);
  expect(onChange).not.toHaveBeenCalled();
  expect(lines.filter((line) => line.includes("half a key"))).toHaveLength(1);
  isUsable = true;
  writeFileSync(file, "whole");
  vi.advanceTimersByTime(2 * FILES_INTERVAL_MS);
  expect(onChange).toHaveBeenCalledTimes(1);
});

test("a closed follower looks no more, also when a change waits for its jitter", () => {
  const { file, onChange, following } = follow("old");
  writeFileSync(file, "new");
  vi.advanceTimersByTime(FILES_INTERVAL_MS);
  following.close();
  vi.advanceTimersByTime(5 * FILES_INTERVAL_MS);
  expect(onChange).not.toHaveBeenCalled();
});

test("a rotated nkey counts without a restart of anything: the server sees the new user", async () => {
  const [old, next] = [nkeys.createUser(), nkeys.createUser()];
  const config = `authorization { users: [ { nkey: ${old.getPublicKey()} }, { nkey: ${next.getPublicKey()} } ] }`;
  const server = await startNatsServer({ config });
  onTestFinished(() => server.stop());
  const nkeyFile = join(createFolder(), "user.nk");
  writeFileSync(nkeyFile, old.getSeed());
  const lines: string[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => lines.push(line) } });
  const transport = await connectNats({
    servers: server.url,
    credentials: { nkeyFile },
    name: "test",
    prefix: "murmur",
    log,
    meter: createMeter(),
  });
  onTestFinished(() => transport.close());
  const states: string[] = [];
  transport.onState((state) => states.push(state));
  writeFileSync(nkeyFile, new TextEncoder().encode(`${new TextDecoder().decode(next.getSeed())}\n`)); // as an editor leaves it
  await vi.waitFor(() => expect(states).toEqual(["disconnected", "connected"]), SOON);
  expect(lines.join("")).toContain("connecting anew");
});

test("a rotated certificate of the client counts; a key that does not fit keeps the connection", async () => {
  const folder = createFolder();
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const createKey = (name: string) =>
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", at(name));
  createKey("ca.key");
  openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=ca", "-days", "2", "-out", "ca.pem");
  writeFileSync(at("san"), "subjectAltName=IP:127.0.0.1");
  const issue = (name: string) => {
    createKey(`${name}.key`);
    openssl("req", "-new", "-key", `${name}.key`, "-subj", `/CN=${name}`, "-out", `${name}.csr`);
    const signer = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2"];
    openssl("x509", "-req", "-in", `${name}.csr`, ...signer, "-extfile", "san", "-out", `${name}.pem`);
    return { cert: openssl("x509", "-in", `${name}.pem`), key: openssl("ec", "-in", `${name}.key`) };
  };
  issue("server");
  const [first, second] = [issue("first"), issue("second")];
  const config = `tls { cert_file: "${at("server.pem")}", key_file: "${at("server.key")}", ca_file: "${at("ca.pem")}", verify: true }`;
  const server = await startNatsServer({ config });
  onTestFinished(() => server.stop());
  writeFileSync(at("cert.pem"), first.cert);
  writeFileSync(at("key.pem"), first.key);
  const lines: string[] = [];
  const log = createLogger({ name: "test", stream: { write: (line) => lines.push(line) } });
  const transport = await connectNats({
    servers: server.url.replace("nats:", "tls:"),
    tls: { caFile: at("ca.pem"), certFile: at("cert.pem"), keyFile: at("key.pem") },
    name: "test",
    prefix: "murmur",
    log,
    meter: createMeter(),
  });
  onTestFinished(() => transport.close());
  const states: string[] = [];
  transport.onState((state) => states.push(state));
  writeFileSync(at("cert.pem"), second.cert);
  await vi.waitFor(() => expect(lines.join("")).toContain("cannot be used; keeping the connection"), SOON);
  expect(states).toEqual([]);
  writeFileSync(at("key.pem"), second.key);
  await vi.waitFor(() => expect(states).toEqual(["disconnected", "connected"]), SOON);
});
