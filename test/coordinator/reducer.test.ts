// The rules for every reducer. The tests generate commands from the schemas of the reducers.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { emptyFold, type Fold, loadFold, saveFold, sealEntry } from "../../src/consensus/index.ts";
import { applyEntry, hashFold } from "../../src/consensus/internal.ts";
import {
  type OfficeCommand,
  type OfficeState,
  officeCommands,
  reducers,
} from "../../src/coordinator/state.ts";
import { canonicalJson, type Json } from "../../src/protocol/index.ts";
import { scaled } from "../support/scale.ts";

/** The part of JSON Schema that the schemas of commands use. */
interface Schema {
  readonly $ref?: string;
  readonly const?: Json;
  readonly enum?: readonly Json[];
  readonly anyOf?: readonly Schema[];
  readonly type?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** Few names and numbers, so that commands affect each other. */
const NAMES = ["a", "b", "c"];

/** Values that fit a schema. `officeCommands.parse` checks the rules that only the schema's own code knows. */
function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
  if (schema.anyOf !== undefined && schema.$ref === undefined) return fc.oneof(...schema.anyOf.map(valuesOf));
  const { minimum = 0, maximum = 1_000 } = schema;
  switch (schema.type) {
    case "string":
      return textsOf(schema);
    case "integer":
      return fc.integer({ min: Math.max(minimum, -3), max: Math.min(maximum, Math.max(minimum, 0) + 5) });
    case "number":
      return fc.constantFrom(minimum, Math.min(maximum, minimum + 0.5));
    case "boolean":
      return fc.boolean();
    case "null":
      return fc.constant(null);
    case "array":
      return fc.array(valuesOf(schema.items ?? {}), { minLength: schema.minItems ?? 0, maxLength: 3 });
    case "object": {
      const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => [name, valuesOf(field)]);
      const required = [...(schema.required ?? [])];
      return fc.record(Object.fromEntries(fields), { requiredKeys: required as never[] });
    }
    default:
      return fc.constantFrom(null, 1, "a", {}, { a: [1] });
  }
}

function textsOf({ pattern, minLength = 0 }: Schema): fc.Arbitrary<string> {
  const expression = new RegExp(pattern ?? "");
  const names = NAMES.filter((name) => name.length >= minLength && expression.test(name));
  return names.length > 0 ? fc.constantFrom(...names) : fc.stringMatching(expression);
}

const commandsOf = Object.values(reducers).flatMap(({ commands }) =>
  Object.values(commands as Record<string, z.ZodType>).map((schema) =>
    valuesOf(z.toJSONSchema(schema, { unrepresentable: "any" }) as Schema),
  ),
);

const command = fc
  .oneof(...commandsOf)
  .map((value) => officeCommands.parse(JSON.parse(JSON.stringify(value))))
  .filter((parsed) => parsed.ok)
  .map((parsed) => parsed.command);

/** Groups of commands, and the ticks before each. */
const history = fc.array(fc.tuple(fc.integer({ min: 0, max: 40 }), fc.array(command, { maxLength: 8 })), {
  maxLength: 12,
});

type OfficeFold = Fold<OfficeState, OfficeCommand>;
const begin = (): OfficeFold => emptyFold(officeCommands, "log");

function apply(fold: OfficeFold, [ticks, commands]: [number, OfficeCommand[]]): Json[] {
  const keyed = commands.map((each, index) => ({ key: `${fold.seq}.${index}`, command: each }));
  const body = {
    v: 1,
    logId: "log",
    term: 0,
    at: fold.at + ticks,
    type: "commands",
    commands: keyed,
  } as const;
  return applyEntry(fold, sealEntry(body, fold.chain));
}

function reload(fold: OfficeFold): OfficeFold {
  const loaded = loadFold(officeCommands, saveFold(fold));
  if (!loaded.ok) throw new Error(loaded.fault);
  return loaded.fold;
}

describe("the office's state", () => {
  it("has the same text after a restore from a snapshot, and decides all later commands alike", () => {
    fc.assert(
      fc.property(history, history, (before, after) => {
        const fold = begin();
        for (const group of before) apply(fold, group);
        const loaded = reload(fold);
        expect(saveFold(loaded)).toBe(saveFold(fold));
        expect(hashFold(loaded)).toBe(hashFold(fold));
        for (const group of after) expect(apply(loaded, group)).toEqual(apply(fold, group));
        expect(saveFold(loaded)).toBe(saveFold(fold));
      }),
      { numRuns: scaled(75, 300) },
    );
  });

  it("has a JSON form that later decisions do not change", () => {
    fc.assert(
      fc.property(history, history, (before, after) => {
        const fold = begin();
        for (const group of before) apply(fold, group);
        const view = officeCommands.toJson(fold.state);
        const text = canonicalJson(view);
        for (const group of after) apply(fold, group);
        expect(canonicalJson(view)).toBe(text);
      }),
      { numRuns: scaled(75, 300) },
    );
  });

  it("reaches the same state when it restarts from a snapshot after every group", () => {
    fc.assert(
      fc.property(history, (groups) => {
        const whole = begin();
        let broken = begin();
        for (const group of groups) {
          expect(apply(broken, group)).toEqual(apply(whole, group));
          broken = reload(broken);
        }
        expect(saveFold(broken)).toBe(saveFold(whole));
      }),
    );
  });

  it("is tested with every type of command", () => {
    const decided = new Map<string, number>();
    for (const commands of fc.sample(fc.array(command, { minLength: 50, maxLength: 50 }), 200)) {
      for (const { type } of commands) decided.set(type, (decided.get(type) ?? 0) + 1);
    }
    const types = Object.values(reducers).flatMap(({ commands }) => Object.keys(commands));
    expect(types.filter((type) => (decided.get(type) ?? 0) < 20)).toEqual([]);
  });
});
