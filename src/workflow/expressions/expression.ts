// The form of an expression as data, and its bounds. An expression has no loop, no recursion and no call of foreign code, so that
// it ends after at most as many steps as it has characters.
import type { Json } from "../../protocol/index.ts";

/** The longest expression, in UTF-16 units. A longer one is a program, and programs belong into a definition in TypeScript. */
export const MAX_EXPRESSION_LENGTH = 1_024;

/** Operators that compare two values. */
export const COMPARISONS = ["==", "!=", "<=", ">=", "<", ">", "in"] as const;
export type Comparison = (typeof COMPARISONS)[number];

/** Functions of the language. */
export const FUNCTIONS = ["size", "has"] as const;
export type FunctionName = (typeof FUNCTIONS)[number];

/** A field's name, or an index of a list. */
export type Key = string | number;

/** A value of the scope, and the way into it: `steps.risk.level`, `input.items[0]`. */
export interface Path {
  readonly kind: "path";
  readonly at: number;
  readonly root: string;
  readonly keys: readonly { readonly key: Key; readonly at: number }[];
}

/** A parsed expression. `at` is the offset of its first character in the text. */
export type Expression =
  | Path
  | { readonly kind: "literal"; readonly at: number; readonly value: Json }
  | { readonly kind: "list"; readonly at: number; readonly items: readonly Expression[] }
  | { readonly kind: "not"; readonly at: number; readonly operand: Expression }
  | {
      readonly kind: "and" | "or";
      readonly at: number;
      readonly left: Expression;
      readonly right: Expression;
    }
  | {
      readonly kind: "compare";
      readonly at: number;
      readonly operator: Comparison;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: "size"; readonly at: number; readonly operand: Expression }
  | { readonly kind: "has"; readonly at: number; readonly operand: Path };

/** A fault in an expression: a sentence, and the offset of the character that it is about. */
export interface Fault {
  readonly at: number;
  readonly message: string;
}

/** Shows a path as its author writes it, up to and without the key number `end`. */
export function showPath({ root, keys }: Path, end = keys.length): string {
  return keys.slice(0, end).reduce((text, { key }) => text + showKey(key), root);
}

/** The pattern of a name: a letter or `_`, then also digits and `-`. The language has no subtraction that `-` could mean. */
export const FIELD_NAME = /[A-Za-z_][A-Za-z0-9_-]*/y;

function showKey(key: Key): string {
  if (typeof key === "number") return `[${key}]`;
  FIELD_NAME.lastIndex = 0;
  return FIELD_NAME.test(key) && FIELD_NAME.lastIndex === key.length ? `.${key}` : `[${JSON.stringify(key)}]`;
}
