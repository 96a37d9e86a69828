import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readNatsContext } from "../../../src/transport/index.ts";

function setup(contents: unknown) {
  const folder = mkdtempSync(join(tmpdir(), "murmur-context-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "nats", "context"), { recursive: true });
  const written = typeof contents === "string" ? contents : JSON.stringify(contents);
  writeFileSync(join(folder, "nats", "context", "prod.json"), written);
  return { XDG_CONFIG_HOME: folder };
}

/** A file as `nats context save` writes it: every field, most of them empty. */
const SAVED = {
  description: "",
  url: "nats://one:4222,nats://two:4222",
  socks_proxy: "",
  token: "",
  user: "",
  password: "",
  creds: "",
  nkey: "",
  cert: "",
  key: "",
  ca: "",
  nsc: "",
  jetstream_domain: "",
  jetstream_api_prefix: "",
  jetstream_event_prefix: "",
  inbox_prefix: "",
  user_jwt: "",
  color_scheme: "",
  tls_first: false,
};

test("a context without credentials names its servers", () => {
  expect(readNatsContext("prod", setup(SAVED))).toEqual({ servers: SAVED.url, credentials: undefined });
});

test("credentials, certificates and inbox prefix are read, with the home folder expanded", () => {
  const context = {
    ...SAVED,
    creds: "~/prod.creds",
    user: "less specific",
    ca: "/etc/ca.pem",
    tls_first: true,
    inbox_prefix: "_INBOX_prod",
  };
  expect(readNatsContext("prod", setup(context))).toEqual({
    servers: SAVED.url,
    credentials: { file: join(homedir(), "prod.creds") },
    tls: { caFile: "/etc/ca.pem", handshakeFirst: true },
    inboxPrefix: "_INBOX_prod",
  });
});

test.each([
  [
    { user: "anna", password: "p" },
    { user: "anna", password: "p" },
  ],
  [{ token: "t" }, { token: "t" }],
  [{ nkey: "/keys/a.nk" }, { nkeyFile: "/keys/a.nk" }],
])("the fields %o become credentials", (fields, credentials) => {
  expect(readNatsContext("prod", setup({ ...SAVED, ...fields })).credentials).toEqual(credentials);
});

test.each(["nsc", "user_jwt", "socks_proxy", "jetstream_domain", "jetstream_api_prefix"])(
  "a context with %s is rejected rather than used without it",
  (field) => {
    expect(() => readNatsContext("prod", setup({ ...SAVED, [field]: "x" }))).toThrow(
      `context prod: ${field} is not supported; leave it out`,
    );
  },
);

test("an unknown context is not_found, and the message names the file", () => {
  expect(() => readNatsContext("other", setup(SAVED))).toThrow(/no NATS context other \(.*other\.json\)/);
});

test.each(["../prod", "a/b", "", ".hidden"])("the context name %j is rejected", (name) => {
  expect(() => readNatsContext(name, setup(SAVED))).toThrow(/context must be a name/);
});

test("a context that is not JSON, or has a wrong type, is rejected without showing its contents", () => {
  expect(() => readNatsContext("prod", setup("{ secret"))).toThrow(/is not JSON$/);
  expect(() => readNatsContext("prod", setup({ url: 5 }))).toThrow(/context prod: url/);
});
