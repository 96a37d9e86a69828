import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { commandToType, ownSource } from "../../src/app/own-package.ts";

function setup(manifest: object) {
  const host = mkdtempSync(join(tmpdir(), "murmur-own-"));
  onTestFinished(() => rmSync(host, { recursive: true, force: true }));
  const root = join(host, "node_modules/murmur-swarm");
  mkdirSync(root, { recursive: true });
  writeFileSync(join(host, "package.json"), JSON.stringify(manifest));
  return { host, root };
}

test("a project names the package as the project that runs the program does, with paths of its own", () => {
  const { host, root } = setup({ dependencies: { "murmur-swarm": "file:down/murmur-swarm-0.1.0.tgz" } });
  expect(ownSource(host, root)).toBe("file:down/murmur-swarm-0.1.0.tgz");
  expect(ownSource(join(host, "one/two"), root)).toBe("file:../../down/murmur-swarm-0.1.0.tgz");
  const other = setup({ devDependencies: { "murmur-swarm": "^0.1.0" } });
  expect(ownSource(other.host, other.root)).toBe("^0.1.0");
});

test("the checkout, and a global install, know no source of the package", () => {
  expect(ownSource(tmpdir())).toBeUndefined();
  const { host, root } = setup({});
  expect(ownSource(host, root)).toBeUndefined();
});

test("people type npx murmur in the project that has the package, and murmur elsewhere", () => {
  const { host, root } = setup({});
  expect(commandToType(host, root)).toBe("npx murmur");
  expect(commandToType(join(host, "agents/echo"), root)).toBe("npx murmur");
  expect(commandToType(`${host}2`, root)).toBe("murmur");
  expect(commandToType(host)).toBe("murmur");
});
