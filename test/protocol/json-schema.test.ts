import { readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { jsonSchemaOf, parseTask, SCHEMA_NAMES, taskSchema } from "../../src/protocol/index.ts";

const root = join(import.meta.dirname, "..", "..");

/** The schemas of files that users write: they belong to the review and to workflows, and not to the wire. */
const FILES_OF_USERS = ["murmur-review", "murmur-workflow"];

test("docs/schemas contains only generated schemas", () => {
  const kept = readdirSync(join(root, "docs", "schemas")).map((file) => basename(file, ".json"));
  expect(kept.sort()).toEqual([...SCHEMA_NAMES, ...FILES_OF_USERS].sort());
});

test("a task requires only the capability, and unknown or unsupported fields are rejected", () => {
  const schema = jsonSchemaOf("task") as { properties: Record<string, unknown> };
  expect(schema).toMatchObject({ type: "object", required: ["capability"], additionalProperties: false });
  expect(Object.keys(schema.properties).sort()).toEqual(Object.keys(taskSchema.shape).sort());
  for (const field of ["session", "budget"]) expect(schema.properties[field]).toEqual({ not: {} });
});

test("the task's schema shows the same defaults that parsing fills in", () => {
  const { properties } = jsonSchemaOf("task") as { properties: Record<string, { default?: unknown }> };
  const task: Record<string, unknown> = { ...parseTask({ capability: "echo" }) };
  for (const [field, { default: shown }] of Object.entries(properties))
    if (shown !== undefined) expect(task[field]).toEqual(shown);
  expect(properties.timeoutMs?.default).toBe(300_000);
});

test("readers of a result accept unknown fields, because the contract grows by addition", () => {
  expect(jsonSchemaOf("result")).not.toHaveProperty("additionalProperties");
});
