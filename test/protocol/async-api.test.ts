import { expect, test } from "vitest";
import { describeSubjects, SUBJECT_FACTS } from "../../src/protocol/index.ts";

interface Document {
  channels: Record<
    string,
    { address: string; messages: Record<string, unknown>; parameters?: Record<string, unknown> }
  >;
  operations: Record<string, { action: string; channel: { $ref: string } }>;
}

test("every subject is a channel with its parameters, and one operation uses it", () => {
  const { channels, operations } = describeSubjects("p") as unknown as Document;
  for (const [name, { form }] of Object.entries(SUBJECT_FACTS)) {
    const { address, parameters = {} } = channels[name]!;
    expect(address.replaceAll(/\{(\w+)\}/g, "<$1>")).toBe(`p.${form}`);
    expect(Object.keys(parameters)).toEqual([...form.matchAll(/<(\w+)>/g)].map(([, token]) => token));
    expect(operations[name]).toMatchObject({ channel: { $ref: `#/channels/${name}` } });
  }
  expect(Object.keys(channels)).toEqual(Object.keys(SUBJECT_FACTS));
});

test("every reference of the document leads to a part of it", () => {
  const document = describeSubjects("p");
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    ([, path]) => path ?? "",
  );
  expect(references.length).toBeGreaterThan(50);
  for (const path of references) {
    // The schemas of bodies have references of their own, inside themselves.
    if (path.startsWith("$defs/")) continue;
    const found = path
      .split("/")
      .reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document);
    expect(found, path).toBeDefined();
  }
});

test("no schema has a reference that only leads somewhere inside its own file", () => {
  expect(JSON.stringify(describeSubjects("p"))).not.toContain('"#/$defs/');
});
