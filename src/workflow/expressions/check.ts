// Checks expressions before a run starts, against the JSON Schemas of the values that they name. Owns which faults are certain.
// A value without a schema may be anything, so that only certain faults are told and a right definition is never refused.
import { nearest } from "../../base/index.ts";
import type { Json } from "../../protocol/index.ts";
import { hint, typeOf, withArticle } from "./evaluate.ts";
import { type Expression, type Fault, type Key, type Path, showPath } from "./expression.ts";
import type { Place, Template, TemplateFault } from "./template.ts";

/** A JSON Schema (draft 2020-12); `true` takes everything. */
export type Schema = boolean | SchemaObject;
interface SchemaObject {
  readonly [keyword: string]: unknown;
}

/** The schemas of the values that an expression can name. */
export type SchemaScope = Readonly<Record<string, Schema>>;

/** The types of a value in the words of errors. */
type TypeName = ReturnType<typeof typeOf>;

/** The known facts of a value: one of the schemas fits it. `null`: it may be anything. */
export type Shape = readonly SchemaObject[] | null;

const BOOLEAN_SHAPE: Shape = [{ type: "boolean" }];
const NUMBER_SHAPE: Shape = [{ type: "number" }];
/** References that are followed one after the other; a schema that goes on longer refers to itself. */
const MAX_REFERENCES = 16;
/** The alternatives of a value that are looked at; with more, nothing is known of it. */
const MAX_ALTERNATIVES = 64;

/** Finds the shape of a schema's values. `root` is the schema that `$ref` begins at. */
export function shapeOf(schema: Schema, root: Schema = schema, depth = 0): Shape {
  if (typeof schema === "boolean" || depth > MAX_REFERENCES) return null;
  if (ROOT in schema && schema[ROOT] !== root) return shapeOf(schema, schema[ROOT] as Schema, depth);
  const { $ref, anyOf, oneOf, type } = schema;
  if (typeof $ref === "string") {
    const target = resolve($ref, root);
    return target === undefined ? null : shapeOf(target, root, depth + 1);
  }
  const options = anyOf ?? oneOf;
  if (Array.isArray(options)) return unite(options.map((option: Schema) => shapeOf(option, root, depth + 1)));
  if (Array.isArray(type)) return type.map((one) => ({ ...schema, type: one, [ROOT]: root }));
  return typesOf(schema) === null ? null : [{ ...schema, [ROOT]: root }];
}

/** Marks a schema that is put into another one, so that its `$ref`s still begin at itself. */
export function rooted(schema: Schema): Schema {
  return typeof schema === "boolean" ? schema : { ...schema, [ROOT]: schema };
}

/** The key of the schema that the `$ref`s of an alternative begin at; no keyword of JSON Schema has this form. */
const ROOT = "(root)";

function resolve(reference: string, root: Schema): Schema | undefined {
  if (reference === "#") return root;
  if (!reference.startsWith("#/")) return undefined;
  let found: unknown = root;
  for (const part of reference.slice(2).split("/")) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, name)) return undefined;
    found = (found as SchemaObject)[name];
  }
  return typeof found === "boolean" || (typeof found === "object" && found !== null)
    ? (found as Schema)
    : undefined;
}

function unite(shapes: readonly Shape[]): Shape {
  const alternatives: SchemaObject[] = [];
  for (const shape of shapes) {
    if (shape === null) return null;
    alternatives.push(...shape);
  }
  return alternatives.length > MAX_ALTERNATIVES ? null : alternatives;
}

const TYPE_NAMES: ReadonlyMap<unknown, TypeName> = new Map<unknown, TypeName>([
  ["null", "null"],
  ["boolean", "boolean"],
  ["number", "number"],
  ["integer", "number"],
  ["string", "text"],
  ["array", "list"],
  ["object", "object"],
]);

/** The types that the values of one alternative can have; null: any. */
function typesOf(schema: SchemaObject): TypeName[] | null {
  if ("const" in schema) return [typeOf(schema.const as Json)];
  if (Array.isArray(schema.enum)) return [...new Set(schema.enum.map((value: Json) => typeOf(value)))];
  const type = TYPE_NAMES.get(schema.type);
  return type === undefined ? null : [type];
}

function typesOfShape(shape: Shape): ReadonlySet<TypeName> | null {
  if (shape === null) return null;
  const all = shape.map(typesOf);
  return all.includes(null) ? null : new Set(all.flatMap((types) => types ?? []));
}

/** The values that a shape can have, when its schemas list them. */
function valuesOf(shape: Shape): Json[] | null {
  if (shape === null) return null;
  const values: Json[] = [];
  for (const schema of shape) {
    if ("const" in schema) values.push(schema.const as Json);
    else if (Array.isArray(schema.enum)) values.push(...(schema.enum as Json[]));
    else return null;
  }
  return values;
}

/**
 * Checks an expression. Returns its certain faults, and the shape of its value. A name that a `has()` asked for is taken as there,
 * because its author knows that it can be absent.
 */
export function checkExpression(
  expression: Expression,
  scope: SchemaScope,
): { shape: Shape; faults: Fault[] } {
  const faults: Fault[] = [];
  const shape = check(expression, scope, (at, message) => faults.push({ at, message }));
  return { shape, faults };
}

type Tell = (at: number, message: string) => void;

function check(expression: Expression, scope: SchemaScope, tell: Tell): Shape {
  switch (expression.kind) {
    case "literal":
      return [{ const: expression.value }];
    case "list":
      return [
        { type: "array", items: unionSchema(expression.items.map((item) => check(item, scope, tell))) },
      ];
    case "path":
      return checkPath(expression, scope, tell);
    case "has":
      checkPath(expression.operand, scope, tell);
      return BOOLEAN_SHAPE;
    case "size":
      expectTypes(expression.operand, ["list", "object", "text"], "size()", scope, tell);
      return NUMBER_SHAPE;
    case "not":
      expectTypes(expression.operand, ["boolean"], "!", scope, tell);
      return BOOLEAN_SHAPE;
    case "and":
    case "or":
      for (const side of [expression.left, expression.right])
        expectTypes(side, ["boolean"], expression.kind === "and" ? "&&" : "||", scope, tell);
      return BOOLEAN_SHAPE;
    case "compare":
      checkComparison(expression, scope, tell);
      return BOOLEAN_SHAPE;
    default:
      return expression satisfies never;
  }
}

/** The schema whose values have one of the shapes. */
function unionSchema(shapes: readonly Shape[]): Schema {
  const united = unite(shapes);
  return united === null ? true : { anyOf: united };
}

/** Tells a fault when no type that the operand can have is among the wanted ones. Returns the operand's shape. */
function expectTypes(
  operand: Expression,
  wanted: readonly TypeName[],
  taker: string,
  scope: SchemaScope,
  tell: Tell,
): Shape {
  const shape = check(operand, scope, tell);
  const types = typesOfShape(shape);
  if (types === null || types.size === 0 || wanted.some((type) => types.has(type))) return shape;
  const words = wanted.join(", ").replace(/, (?=\w+$)/, " or ");
  tell(operand.at, `${taker} takes ${withArticle(words)}, and this is ${list(types)}`);
  return shape;
}

function list(types: ReadonlySet<TypeName>): string {
  return [...types].map(withArticle).join(" or ");
}

function checkPath(path: Path, scope: SchemaScope, tell: Tell): Shape {
  if (!Object.hasOwn(scope, path.root)) {
    tell(path.at, `there is no ${path.root}${hint(path.root, Object.keys(scope))}`);
    return null;
  }
  let shape = shapeOf(scope[path.root]!);
  for (const [index, { key, at }] of path.keys.entries()) {
    const next = memberShape(shape, key);
    if (next === "absent") {
      tell(at, absentMessage(showPath(path, index), key, shape));
      return null;
    }
    shape = next;
  }
  return shape;
}

/** The shape of a field or item; `absent` when no value of the shape has it. */
function memberShape(shape: Shape, key: Key): Shape | "absent" {
  if (shape === null) return null;
  const members = shape.map((schema) => memberOf(schema, key)).filter((member) => member !== undefined);
  if (members.length === 0) return "absent";
  return unite(members.map(({ schema, root }) => shapeOf(schema, root)));
}

function memberOf(schema: SchemaObject, key: Key): { schema: Schema; root: Schema } | undefined {
  const root = (schema[ROOT] ?? schema) as Schema;
  if ("const" in schema) {
    const value = schema.const as Json;
    const isThere = value !== null && typeof value === "object" && Object.hasOwn(value, key);
    return isThere ? { schema: { const: (value as Record<Key, Json>)[key] }, root } : undefined;
  }
  if (typeof key === "number") {
    if (schema.type !== "array") return undefined;
    const prefix = Array.isArray(schema.prefixItems) ? (schema.prefixItems as Schema[])[key] : undefined;
    const found = prefix ?? (schema.items as Schema | undefined) ?? true;
    return found === false ? undefined : { schema: found, root };
  }
  if (schema.type !== "object") return undefined;
  const properties = (schema.properties ?? {}) as Readonly<Record<string, Schema>>;
  if (Object.hasOwn(properties, key)) return { schema: properties[key]!, root };
  const others = (schema.additionalProperties ?? true) as Schema;
  const isOpen = others !== false || schema.patternProperties !== undefined;
  return isOpen ? { schema: others === false ? true : others, root } : undefined;
}

function absentMessage(owner: string, key: Key, shape: Shape): string {
  const types = typesOfShape(shape) ?? new Set<TypeName>();
  const wanted = typeof key === "number" ? "list" : "object";
  if (!types.has(wanted)) {
    const has = wanted === "list" ? `only a list has [${key}]` : `only an object has a field ${key}`;
    return `${owner} is ${list(types)}, and ${has}`;
  }
  if (typeof key === "number") return `${owner} never has an item [${key}]`;
  const known = (shape ?? []).flatMap(({ properties, const: value }) => [
    ...Object.keys((properties as object | undefined) ?? {}),
    ...(value !== null && typeof value === "object" ? Object.keys(value) : []),
  ]);
  return `${owner} has no field ${key}${hint(key, [...new Set(known)])}`;
}

function checkComparison(
  { operator, left, right }: Extract<Expression, { kind: "compare" }>,
  scope: SchemaScope,
  tell: Tell,
): void {
  if (operator === "in") {
    check(left, scope, tell);
    expectTypes(right, ["list", "object", "text"], "in", scope, tell);
    return;
  }
  if (operator !== "==" && operator !== "!=") {
    const shapes = [left, right].map((side) => expectTypes(side, ["number", "text"], operator, scope, tell));
    const [ours, theirs] = shapes.map((shape) => orderedTypes(typesOfShape(shape)));
    if (ours !== null && theirs !== null && isDisjoint(ours!, theirs!))
      tell(
        left.at,
        `${operator} compares two numbers or two texts, and these are ${list(ours!)} and ${list(theirs!)}`,
      );
    return;
  }
  const [a, b] = [check(left, scope, tell), check(right, scope, tell)];
  const always = operator === "==" ? "is never true" : "is always true";
  const [ours, theirs] = [typesOfShape(a), typesOfShape(b)];
  if (ours !== null && theirs !== null && isDisjoint(ours, theirs)) {
    tell(left.at, `${operator} ${always}: one side is ${list(ours)}, the other ${list(theirs)}`);
    return;
  }
  const [choice, word] = right.kind === "literal" ? [valuesOf(a), right] : [valuesOf(b), left];
  if (choice === null || word.kind !== "literal" || choice.includes(word.value)) return;
  if (word.value !== null && typeof word.value === "object") return;
  tell(
    word.at,
    `${operator} ${always}: ${JSON.stringify(word.value)} is not a possible value${suggest(word.value, choice)}`,
  );
}

/** The types of a side that an order knows; a fault about the others was told. */
function orderedTypes(types: ReadonlySet<TypeName> | null): ReadonlySet<TypeName> | null {
  if (types === null) return null;
  const ordered = new Set([...types].filter((type) => type === "number" || type === "text"));
  return ordered.size === 0 ? null : ordered;
}

function isDisjoint(a: ReadonlySet<TypeName>, b: ReadonlySet<TypeName>): boolean {
  return a.size > 0 && b.size > 0 && [...a].every((type) => !b.has(type));
}

function suggest(word: Json, choice: readonly Json[]): string {
  const near =
    typeof word === "string"
      ? nearest(
          word,
          choice.filter((value) => typeof value === "string"),
        )
      : undefined;
  if (near !== undefined) return `; did you mean ${JSON.stringify(near)}?`;
  return `; possible: ${choice
    .slice(0, 10)
    .map((value) => JSON.stringify(value))
    .join(", ")}`;
}

/** Checks all expressions of a value. Returns the shape of the value that they make. */
export function checkTemplate(
  template: Template,
  scope: SchemaScope,
  tell: (fault: Omit<TemplateFault, "text">) => void,
  place: Place = [],
): Shape {
  switch (template.kind) {
    case "fixed":
      return [{ const: template.value }];
    case "value":
      return check(template.expression, scope, (at, message) => tell({ place, at, message }));
    case "text":
      for (const part of template.parts)
        if (typeof part !== "string") check(part, scope, (at, message) => tell({ place, at, message }));
      return [{ type: "string" }];
    case "list": {
      const items = template.items.map((item, index) => checkTemplate(item, scope, tell, [...place, index]));
      return [{ type: "array", items: unionSchema(items) }];
    }
    case "object": {
      const properties = template.fields.map(([name, field]) => {
        const shape = checkTemplate(field, scope, tell, [...place, name]);
        return [name, unionSchema([shape])] as const;
      });
      return [
        {
          type: "object",
          properties: Object.fromEntries(properties),
          required: properties.map(([name]) => name),
          additionalProperties: false,
        },
      ];
    }
    default:
      return template satisfies never;
  }
}

/** The schema of the items of a list. */
export function itemSchemaOf(shape: Shape): Schema {
  if (shape === null) return true;
  const items = shape.flatMap((schema): Schema[] => {
    if (Array.isArray(schema.const)) return (schema.const as Json[]).map((value) => ({ const: value }));
    const root = (schema[ROOT] ?? schema) as Schema;
    const of = [...((schema.prefixItems ?? []) as Schema[]), (schema.items ?? true) as Schema];
    return of.map((item) => (typeof item === "boolean" ? item : { ...item, [ROOT]: root }));
  });
  return items.length > MAX_ALTERNATIVES ? true : { anyOf: items };
}

/** The first certain reason why a value of the shape `found` does not fit `wanted`; undefined when it may fit. */
export function findMismatch(found: Shape, wanted: Schema, name: string): string | undefined {
  const target = shapeOf(wanted);
  const [ours, theirs] = [typesOfShape(found), typesOfShape(target)];
  if (ours === null || theirs === null || found === null || target === null) return undefined;
  if (isDisjoint(ours, theirs)) return `${name} must be ${list(theirs)}, and this is ${list(ours)}`;
  const [source, goal] = [found[0], target[0]];
  if (found.length !== 1 || target.length !== 1 || source === undefined || goal === undefined)
    return undefined;
  const allowed = valuesOf(target);
  const given = valuesOf(found);
  if (allowed !== null && given?.length === 1 && typeof given[0] !== "object" && !allowed.includes(given[0]!))
    return `${name} must be one of ${allowed.map((value) => JSON.stringify(value)).join(", ")}, and this is ${JSON.stringify(given[0])}`;
  return goal.type === "object" ? findFieldMismatch(found, source, goal, name) : undefined;
}

function findFieldMismatch(
  found: Shape,
  source: SchemaObject,
  goal: SchemaObject,
  name: string,
): string | undefined {
  const fields = Object.keys(fieldsOf(source));
  const isClosed = "const" in source || source.additionalProperties === false;
  const required = Array.isArray(goal.required) ? (goal.required as string[]) : [];
  const missing = isClosed ? required.find((field) => !fields.includes(field)) : undefined;
  if (missing !== undefined) return `${name} lacks the field ${missing}`;
  const root = (goal[ROOT] ?? goal) as Schema;
  for (const field of fields) {
    const wanted = memberOf(goal, field);
    if (wanted === undefined)
      return `${name} has no field ${field}${hint(field, Object.keys(fieldsOf(goal)))}`;
    const shape = memberShape(found, field);
    const { schema } = wanted;
    const inner = typeof schema === "boolean" ? schema : { ...schema, [ROOT]: root };
    const mismatch = shape === "absent" ? undefined : findMismatch(shape, inner, `${name}.${field}`);
    if (mismatch !== undefined) return mismatch;
  }
  return undefined;
}

/** The fields that an object schema, or a fixed object, names. */
function fieldsOf(schema: SchemaObject): object {
  if (typeof schema.const === "object" && schema.const !== null) return schema.const;
  return (schema.properties as object | undefined) ?? {};
}
