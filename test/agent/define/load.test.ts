import { mkdir, mkdtemp, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listRoles, loadRoles } from "../../../src/agent/index.ts";

const DEFINE = JSON.stringify(join(import.meta.dirname, "../../../src/agent/index.ts"));

/** Makes a directory of role folders from `path: text` pairs. */
async function setup(roles: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "murmur-roles-"));
  for (const [path, text] of Object.entries(roles)) {
    await mkdir(join(directory, path, ".."), { recursive: true });
    await writeFile(join(directory, path), text);
  }
  return directory;
}

const agentFile = (name: string, capability = name) =>
  `import { defineAgent } from ${DEFINE};
   export default defineAgent({ name: "${name}", capabilities: ["${capability}"], run: () => null });`;

test("loadRoles loads roles by their folders' names, in the requested order", async () => {
  const directory = await setup({ "b/agent.ts": agentFile("b"), "a/agent.js": agentFile("a") });
  expect((await loadRoles([directory], ["b", "a"])).map(({ name }) => name)).toEqual(["b", "a"]);
});

test("the error for an unknown role lists the known roles", async () => {
  const directory = await setup({
    "b/agent.ts": agentFile("b"),
    "a/agent.ts": agentFile("a"),
    "c/x.txt": "",
  });
  await expect(loadRoles([directory], ["nope"])).rejects.toMatchObject({
    code: "not_found",
    message: expect.stringContaining("known: a, b"),
  });
});

test("when two directories have a role of one name, the earlier directory wins", async () => {
  const own = await setup({ "a/agent.ts": agentFile("a", "mine") });
  const shipped = await setup({ "a/agent.ts": agentFile("a"), "b/agent.ts": agentFile("b") });
  const [loaded] = await loadRoles([own, shipped, join(own, "missing")], ["a"]);
  expect(loaded?.capabilities).toEqual(["mine"]);
  expect((await listRoles([own, shipped])).map(({ role }) => role)).toEqual(["a", "b"]);
});

test("a mounted ConfigMap has the roles that its links name, and not its hidden folders", async () => {
  const directory = await setup({ "..2026_11_30/a/agent.ts": agentFile("a"), "..2026_11_30/agent.ts": "" });
  await symlink("..2026_11_30", join(directory, "..data"));
  await symlink("..data/a", join(directory, "a"));
  await symlink("..data/gone", join(directory, "gone"));
  expect((await listRoles([directory])).map(({ role }) => role)).toEqual(["a"]);
  expect((await loadRoles([directory], ["a"])).map(({ name }) => name)).toEqual(["a"]);
});

test.each([
  ["cannot be loaded", "export default syntax error"],
  ["cannot be loaded", 'import "./missing.ts";'],
  ["must be made by defineAgent", "export default { name: 'a' };"],
  ["must be made by defineAgent", "export const agent = 1;"],
  ["must be the name of its folder", agentFile("other")],
])("the error for a bad role file says that it %s, and names the file", async (message, text) => {
  const directory = await setup({ "a/agent.ts": text });
  await expect(loadRoles([directory], ["a"])).rejects.toMatchObject({
    code: "invalid_input",
    message: expect.stringMatching(new RegExp(`a/agent\\.ts.*${message}`, "s")),
  });
});
