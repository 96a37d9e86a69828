import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { findUnknownVariables, loadConfig, OTHER_VARIABLES } from "../../src/app/config.ts";
import { environmentName, SETTING_NAMES, settingFacts, streamLimits } from "../../src/app/settings.ts";
import { listFiles } from "../../tools/build/measures/tree.ts";

const ROOT = join(import.meta.dirname, "../..");

function setup(file?: string) {
  const directory = mkdtempSync(join(tmpdir(), "murmur-config-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  if (file !== undefined) writeFileSync(join(directory, "murmur.yaml"), file);
  return (flags: Record<string, unknown> = {}, environment: Record<string, string> = {}, named?: string) =>
    loadConfig({ flags, environment, directory, file: named });
}

test("a variable of our prefix that nothing reads is named, with the setting nearest to it", () => {
  const environment = {
    MURMUR_HTPP_PORT: "1",
    MURMUR_PREFIX: "a",
    MURMUR_ECHO_DIR: "/tmp",
    MURMUR_ZZZ: "",
    PATH: "/bin",
  };
  expect(findUnknownVariables(environment)).toEqual([
    "MURMUR_HTPP_PORT is not a setting and has no effect; did you mean MURMUR_HTTP_PORT? (docs/configuration.md lists all)",
    "MURMUR_ZZZ is not a setting and has no effect (docs/configuration.md lists all)",
  ]);
});

test("every variable of our prefix that the code, the launcher or a test reads is known", () => {
  const known = [...SETTING_NAMES.map(environmentName), ...Object.keys(OTHER_VARIABLES)];
  const reads = /(?:environment|env)(?:\.|\[")(MURMUR_[A-Z_]+)|\$\{?(MURMUR_[A-Z_]+)/g;
  const files = listFiles().filter((file) => /\.(ts|js|sh)$|^murmur$/.test(file));
  const unknown = files.flatMap((file) =>
    [...readFileSync(join(ROOT, file), "utf8").matchAll(reads)]
      .map((found) => found[1] ?? found[2]!)
      .filter((name) => !known.includes(name))
      .map((name) => `${file}: ${name}`),
  );
  expect(files.length).toBeGreaterThan(300);
  expect(unknown).toEqual([]);
  for (const [name, file] of Object.entries(OTHER_VARIABLES)) {
    expect(readFileSync(join(ROOT, file), "utf8"), file).toContain(name);
  }
});

test("without any source, every setting has its default", async () => {
  const { config, sources } = await setup()();
  expect(config).toMatchObject({ prefix: "murmur", httpPort: 7070, metricsPort: 9464, data: ".murmur" });
  expect(new Set(Object.values(sources))).toEqual(new Set(["default"]));
});

test("a flag beats the environment, the environment beats the file, the file beats the default", async () => {
  const load = setup("prefix: file\nhttpPort: 1\nlogLevel: warn\n");
  const { config, sources } = await load(
    { prefix: "flag" },
    { MURMUR_PREFIX: "environment", MURMUR_HTTP_PORT: "2" },
  );
  expect(config).toMatchObject({ prefix: "flag", httpPort: 2, logLevel: "warn" });
  expect(sources).toMatchObject({
    prefix: "flag --prefix",
    httpPort: "environment MURMUR_HTTP_PORT",
    logLevel: "file murmur.yaml",
  });
});

test("NATS_URL, NATS_CREDS and NATS_CONTEXT are honoured, below MURMUR_*", async () => {
  const environment = { NATS_URL: "nats://a:4222", NATS_CREDS: "/creds", NATS_CONTEXT: "prod" };
  expect((await setup()({}, environment)).config).toMatchObject({
    server: "nats://a:4222",
    creds: "/creds",
    context: "prod",
  });
  const both = { ...environment, MURMUR_SERVER: "nats://b:4222" };
  expect((await setup()({}, both)).config.server).toBe("nats://b:4222");
});

test("a secret may stand in a file; the stronger source wins, and two of one strength are refused", async () => {
  const directory = mkdtempSync(join(tmpdir(), "murmur-secret-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "token");
  writeFileSync(file, "a-token-from-a-file\n");
  const fromFile = await setup()({}, { MURMUR_API_TOKEN_FILE: file });
  expect(fromFile.config).toMatchObject({ apiToken: "a-token-from-a-file", apiTokenFile: file });
  expect(fromFile.sources.apiToken).toBe("environment MURMUR_API_TOKEN_FILE");

  const named = `apiTokenFile: ${file}\n`;
  const direct = await setup(named)({}, { MURMUR_API_TOKEN: "a-token-from-the-shell" });
  expect(direct.config).toMatchObject({ apiToken: "a-token-from-the-shell", apiTokenFile: undefined });

  const both = { MURMUR_API_TOKEN: "a-token-from-the-shell", MURMUR_API_TOKEN_FILE: file };
  const refused = setup()({}, both);
  await expect(refused).rejects.toMatchObject({ code: "invalid_input", field: "apiTokenFile" });
  await expect(refused).rejects.not.toThrow(/from-the-shell|from-a-file/);
});

test.each([
  ["missing", undefined, /cannot be read \(ENOENT\)/],
  ["empty", "\n", /is empty/],
  ["too short", "short", /at least 16 characters$/],
])("a file of a secret that is %s is refused without its contents", async (_what, contents, message) => {
  const directory = mkdtempSync(join(tmpdir(), "murmur-secret-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const file = join(directory, "token");
  if (contents !== undefined) writeFileSync(file, contents);
  await expect(setup()({}, { MURMUR_API_TOKEN_FILE: file })).rejects.toThrow(message);
});

test.each([
  ["true", true],
  ["1", true],
  ["false", false],
])("tlsFirst reads %s from the environment", async (text, expected) => {
  expect((await setup()({}, { MURMUR_TLS_FIRST: text })).config.tlsFirst).toBe(expected);
});

test("tlsFirst refuses other words", async () => {
  await expect(setup()({}, { MURMUR_TLS_FIRST: "sometimes" })).rejects.toThrow(
    /tlsFirst: must be true or false/,
  );
});

test("an empty variable counts as not set", async () => {
  expect((await setup()({}, { MURMUR_PREFIX: "" })).config.prefix).toBe("murmur");
});

test.each([
  [
    "a variable",
    undefined,
    { MURMUR_HTTP_PORT: "many" },
    "environment MURMUR_HTTP_PORT: httpPort",
    "httpPort",
  ],
  ["the file", "heapMb: 1\n", {}, "file murmur.yaml: heapMb", "heapMb"],
  ["the prefix", "prefix: Big\n", {}, "file murmur.yaml: prefix: must be 1–32", "prefix"],
])(
  "a wrong value in %s is refused, naming source and field",
  async (_where, file, environment, message, field) => {
    await expect(setup(file)({}, environment)).rejects.toMatchObject({
      code: "invalid_input",
      field,
      message: expect.stringContaining(message),
    });
  },
);

test("an unknown key of the file is refused with the nearest setting", async () => {
  await expect(setup("htpPort: 1\n")()).rejects.toMatchObject({
    field: "htpPort",
    message: expect.stringContaining("did you mean httpPort?"),
  });
});

test.each(["- a\n", "prefix: [\n"])("a file that is no map of settings is refused: %j", async (file) => {
  await expect(setup(file)()).rejects.toMatchObject({ code: "invalid_input", field: "config" });
});

test("a named file must exist; the default file may be missing", async () => {
  await expect(setup()({}, {}, "other.yaml")).rejects.toMatchObject({ field: "config" });
  await expect(setup()()).resolves.toBeDefined();
});

test("a wrong secret is never repeated", async () => {
  await expect(setup()({}, { MURMUR_API_TOKEN: "hunter2" })).rejects.toMatchObject({
    field: "apiToken",
    message: expect.not.stringContaining("hunter2"),
  });
});

test("every setting has a description and a variable of its own", () => {
  for (const name of SETTING_NAMES) expect(settingFacts(name).about, name).not.toBe("");
  expect(new Set(SETTING_NAMES.map(environmentName)).size).toBe(SETTING_NAMES.length);
});

test("the ages are whole days, become limits in ms, and have no value without a setting", async () => {
  const load = setup("resultDays: 14\n");
  const { config } = await load({}, { MURMUR_JOURNAL_DAYS: "3" });
  expect(streamLimits(config)).toEqual({
    resultAgeMs: 14 * 86_400_000,
    deadAgeMs: undefined,
    journalAgeMs: 3 * 86_400_000,
  });
  for (const days of ["0", "1.5", "3651", "week"]) {
    await expect(load({}, { MURMUR_DEAD_DAYS: days })).rejects.toMatchObject({
      code: "invalid_input",
      field: "deadDays",
    });
  }
});
