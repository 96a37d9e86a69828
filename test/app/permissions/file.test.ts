import { join } from "node:path";
import { expect, test } from "vitest";
import { parsePermissions, readPermissions } from "../../../src/app/permissions/index.ts";

const MINIMAL = "version: 1\n";

const refusalOf = (text: string) =>
  parsePermissions(text, "p.yaml").then(
    () => "accepted",
    (error: Error) => error.message,
  );

test("a file with a version alone has one coordinator, no people and the limits of a swarm", async () => {
  expect(await parsePermissions(MINIMAL, "p.yaml")).toMatchObject({
    prefix: "murmur",
    publishers: [],
    classes: [],
    coordinators: ["coordinator-1"],
    operators: [],
    limits: { payloadBytes: 1_048_576, storageBytes: -1 },
  });
});

test("the example of deploy is a valid file", async () => {
  const file = await readPermissions(join(import.meta.dirname, "../../../deploy/permissions.yaml"));
  expect(file.classes.map(({ name }) => name)).toEqual(["default", "review"]);
});

test("a file that cannot be read is an error that names the way to give another one", async () => {
  await expect(readPermissions("/nonexistent/p.yaml")).rejects.toMatchObject({
    code: "invalid_input",
    message:
      "permissions file /nonexistent/p.yaml cannot be read (ENOENT); name it with --permissions or MURMUR_PERMISSIONS_FILE",
  });
});

test.each([
  ["", "p.yaml: version must be 1, got nothing"],
  ["version: 2\n", "p.yaml:1: version must be 1, got 2"],
  [
    "version: 1\nclasses: [{ name: engine, capabilities: [a] }]\n",
    "p.yaml:2: classes.0.name must not be engine, which is reserved for engines",
  ],
  [
    "version: 1\nclasses: [{ name: a, capabilities: [workflow] }]\n",
    "p.yaml:2: classes.0.capabilities.0 must not be workflow, which is reserved for the results of workflows",
  ],
  ["[1]\n", "p.yaml:1: the file must be an object, got a list"],
  ["version: 1\nversion: 1\n", "p.yaml:2: the file must be YAML: Map keys must be unique"],
  ["version: 1\n\npublisher: []\n", "p.yaml:3: publisher is not known; did you mean publishers?"],
  [
    "version: 1\npublishers:\n  - name: web\n    capabilities: [echo]\n  - name: bad name\n    capabilities: [echo]\n",
    'p.yaml:5: publishers.1.name must be 1–64 of A–Z a–z 0–9 _ -, got "bad name"',
  ],
  [
    "version: 1\npublishers:\n  - name: web\n    capabilities: []\n",
    "p.yaml:4: publishers.0.capabilities must have at least 1 entry, got a list",
  ],
  [
    "version: 1\nclasses:\n  - { name: Default, capabilities: [echo] }\n",
    'p.yaml:3: classes.0.name must be 1–16 of a–z 0–9, got "Default"',
  ],
  ["version: 1\ncoordinators: [a, b]\n", "p.yaml:2: coordinators must name 1, 3, 5 or 7 coordinators, got 2"],
  [
    "version: 1\noperators:\n  - { name: anna, access: root }\n",
    'p.yaml:3: operators.0.access must be one of read, submit, operate, admin, got "root"',
  ],
  [
    "version: 1\noperators:\n  - { name: api, access: read }\n",
    "p.yaml:3: operators.0.name takes the user name api, which the api user of every swarm has; choose another name",
  ],
  [
    "version: 1\npublishers: [{ name: anna, capabilities: [echo] }]\noperators:\n  - { name: anna, access: read }\n",
    "p.yaml:4: operators.0.name takes the user name anna, which publishers.0.name has; choose another name",
  ],
  [
    "version: 1\npublishers: [{ name: agent-a, capabilities: [x] }]\nclasses:\n  - { name: a, capabilities: [x] }\n",
    "p.yaml:4: classes.0.name takes the user name agent-a, which publishers.0.name has; choose another name",
  ],
  [
    "version: 1\nclasses:\n  - name: a\n    capabilities: [x]\n    groups:\n      - { name: g, slots: 1, capabilities: [y] }\n",
    "p.yaml:6: classes.0.groups.0.capabilities has y, which class a does not offer; add it to the capabilities of the class",
  ],
  [
    "version: 1\nlimits: { payloadBytes: 5 }\n",
    "p.yaml:2: limits.payloadBytes must be at least 1048576, got 5",
  ],
])("%j is refused with its line and key", async (text, message) => {
  expect(await refusalOf(text)).toContain(message);
});
