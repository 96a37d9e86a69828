// Reads the text of an expression. Owns the grammar and the texts of its errors; leaves values and types to evaluate.ts and
// check.ts.
//
//   or      = and { "||" and }
//   and     = test { "&&" test }
//   test    = operand [ ("==" | "!=" | "<" | "<=" | ">" | ">=" | "in") operand ]
//   operand = "!" operand | "(" or ")" | "[" [ or { "," or } ] "]" | "size" "(" or ")" | "has" "(" path ")" | path | literal
//   path    = name { "." name | "[" (whole number | text) "]" }
//   literal = "null" | "true" | "false" | number | text            (number and text as in JSON; a text may also stand in '…')
import type { Json } from "../../protocol/index.ts";
import {
  COMPARISONS,
  type Comparison,
  type Expression,
  type Fault,
  FIELD_NAME,
  MAX_EXPRESSION_LENGTH,
  type Path,
} from "./expression.ts";

/** A parsed expression with the offset behind it, or the first fault. */
export type Parsed = { ok: true; expression: Expression; end: number } | { ok: false; fault: Fault };

/** Reads a whole text as one expression, without `${` and `}`. */
export function parseExpression(text: string): Parsed {
  return parseAt(text, 0, "");
}

/**
 * Reads an expression that begins at `start` and ends before the character `closer`, or at the end of the text for "". The
 * returned `end` is the offset of that character.
 */
export function parseAt(text: string, start: number, closer: "}" | ""): Parsed {
  const reader = new Reader(text, start);
  try {
    const expression = reader.readOr();
    reader.expectEnd(closer);
    if (reader.at - start > MAX_EXPRESSION_LENGTH) {
      const length = reader.at - start;
      const message = `has ${length} characters; an expression has at most ${MAX_EXPRESSION_LENGTH}: compute the value in a step or in TypeScript`;
      return { ok: false, fault: { at: start, message } };
    }
    return { ok: true, expression, end: reader.at };
  } catch (error) {
    if (error instanceof SyntaxFault) return { ok: false, fault: { at: error.at, message: error.message } };
    throw error;
  }
}

class SyntaxFault extends Error {
  readonly at: number;

  constructor(at: number, message: string) {
    super(message);
    this.at = at;
  }
}

/** A number as in JSON. */
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const INDEX = /(?:0|[1-9][0-9]{0,8})/y;
const WORDS: ReadonlyMap<string, Json> = new Map<string, Json>([
  ["null", null],
  ["true", true],
  ["false", false],
]);
/**
 * The deepest nesting of `(`, `[`, `!` and `size(`. The grammar's functions call each other once for each, and this bound keeps
 * them far from the end of the stack.
 */
const MAX_DEPTH = 64;
/** The parts of a text in single quotes that JSON writes otherwise. */
const IN_JSON: ReadonlyMap<string, string> = new Map([
  ["\\'", "'"],
  ['"', '\\"'],
]);
/** Operators of other languages that authors try, with their form here. */
const FOREIGN: readonly (readonly [string, string])[] = [
  ["===", "=="],
  ["!==", "!="],
  ["=", "=="],
  ["&", "&&"],
  ["|", "||"],
];
const ARITHMETIC = "there is no arithmetic: compute the value in a step or in TypeScript";

class Reader {
  at: number;
  #depth = 0;
  readonly #text: string;

  constructor(text: string, start: number) {
    this.#text = text;
    this.at = start;
  }

  readOr(): Expression {
    return this.#chain("or", "||", () => this.#chain("and", "&&", () => this.#readTest()));
  }

  expectEnd(closer: "}" | ""): void {
    this.#skipSpace();
    const found = this.#text[this.at] ?? "";
    if (found === closer) return;
    if ("+-*/%?".includes(found) && found !== "") this.#fail(ARITHMETIC);
    for (const [foreign, ours] of FOREIGN)
      if (this.#text.startsWith(foreign, this.at)) this.#fail(`write ${ours} instead of ${foreign}`);
    const wanted = closer === "" ? "an operator or the end" : `an operator or "${closer}"`;
    this.#fail(`expected ${wanted}, and ${this.#shown()} came`);
  }

  #chain(kind: "and" | "or", sign: string, read: () => Expression): Expression {
    let left = read();
    while (this.#take(sign)) left = { kind, at: left.at, left, right: read() };
    return left;
  }

  #readTest(): Expression {
    const left = this.#readOperand();
    const operator = this.#takeComparison();
    if (operator === undefined) return left;
    const right = this.#readOperand();
    const test: Expression = { kind: "compare", at: left.at, operator, left, right };
    const at = this.at;
    if (this.#takeComparison() !== undefined) {
      this.at = at;
      this.#skipSpace();
      this.#fail("two comparisons in a row; join them with &&, or put one in parentheses");
    }
    return test;
  }

  #takeComparison(): Comparison | undefined {
    this.#skipSpace();
    for (const [foreign] of FOREIGN) // `===` must not be read as `==` and a rest
      if (foreign.length === 3 && this.#text.startsWith(foreign, this.at)) return undefined;
    return COMPARISONS.find((operator) => (operator === "in" ? this.#takeWord("in") : this.#take(operator)));
  }

  #readOperand(): Expression {
    this.#skipSpace();
    const at = this.at;
    if (this.#take("!")) return { kind: "not", at, operand: this.#deeper(() => this.#readOperand()) };
    if (this.#take("(")) {
      const inner = this.#deeper(() => this.readOr());
      this.#expect(")");
      return inner;
    }
    if (this.#take("[")) return { kind: "list", at, items: this.#deeper(() => this.#readItems()) };
    if (this.#text[at] === '"' || this.#text[at] === "'")
      return { kind: "literal", at, value: this.#readText() };
    const number = this.#match(NUMBER);
    if (number !== undefined) return this.#readNumber(at, number);
    return this.#readName(at);
  }

  #readNumber(at: number, text: string): Expression {
    const value = Number(text);
    if (!Number.isFinite(value)) throw new SyntaxFault(at, `${text} is too large for a number`);
    return { kind: "literal", at, value };
  }

  #readName(at: number): Expression {
    const name = this.#match(FIELD_NAME);
    if (name === undefined) this.#fail(`expected a value, and ${this.#shown()} came`);
    if (WORDS.has(name)) return { kind: "literal", at, value: WORDS.get(name)! };
    const isCall = this.#take("(");
    if (!isCall) return this.#readKeys(at, name);
    if (name === "size") {
      const operand = this.#deeper(() => this.readOr());
      this.#expect(")");
      return { kind: "size", at, operand };
    }
    if (name !== "has")
      throw new SyntaxFault(at, `there is no function ${name}(); there are size() and has()`);
    this.#skipSpace();
    const operandAt = this.at;
    const operand = this.#readOperand();
    if (operand.kind !== "path")
      throw new SyntaxFault(operandAt, "has() takes a path, as in has(input.note)");
    this.#expect(")");
    return { kind: "has", at, operand };
  }

  #readKeys(at: number, root: string): Path {
    const keys: { key: string | number; at: number }[] = [];
    for (;;) {
      const keyAt = this.at;
      if (this.#text[this.at] === ".") {
        this.at++;
        const name = this.#match(FIELD_NAME);
        if (name === undefined) this.#fail(`expected a name after ".", and ${this.#shown()} came`);
        keys.push({ key: name, at: keyAt + 1 });
      } else if (this.#text[this.at] === "[") {
        this.at++;
        keys.push({ key: this.#readIndex(), at: keyAt + 1 });
        this.#expect("]");
      } else return { kind: "path", at, root, keys };
    }
  }

  #readIndex(): string | number {
    this.#skipSpace();
    if (this.#text[this.at] === '"' || this.#text[this.at] === "'") return this.#readText();
    const index = this.#match(INDEX);
    if (index === undefined)
      this.#fail(`expected a whole number or a quoted name after "[", and ${this.#shown()} came`);
    return Number(index);
  }

  #readItems(): Expression[] {
    const items: Expression[] = [];
    if (this.#take("]")) return items;
    do items.push(this.readOr());
    while (this.#take(","));
    this.#expect("]");
    return items;
  }

  /** Reads a text in double quotes as in JSON, or in single quotes, where `\'` stands for the quote. */
  #readText(): string {
    const start = this.at;
    const quote = this.#text[start]!;
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== quote) end += this.#text[end] === "\\" ? 2 : 1;
    if (end >= this.#text.length)
      throw new SyntaxFault(start, `the text that begins here has no closing ${quote}`);
    this.at = end + 1;
    const inner = this.#text.slice(start + 1, end);
    const json = quote === '"' ? inner : inner.replaceAll(/\\.|"/gs, (found) => IN_JSON.get(found) ?? found);
    try {
      return JSON.parse(`"${json}"`) as string;
    } catch {
      throw new SyntaxFault(start, "the text has an escape that JSON does not have");
    }
  }

  #deeper<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) this.#fail(`is nested deeper than ${MAX_DEPTH} levels`);
    const result = read();
    this.#depth--;
    return result;
  }

  #take(sign: string): boolean {
    this.#skipSpace();
    if (!this.#text.startsWith(sign, this.at)) return false;
    this.at += sign.length;
    return true;
  }

  #takeWord(word: string): boolean {
    const at = this.at;
    if (this.#match(FIELD_NAME) === word) return true;
    this.at = at;
    return false;
  }

  #expect(sign: string): void {
    if (!this.#take(sign)) this.#fail(`expected "${sign}", and ${this.#shown()} came`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  #skipSpace(): void {
    while (/[ \t\r\n]/.test(this.#text[this.at] ?? "")) this.at++;
  }

  #shown(): string {
    return this.at >= this.#text.length
      ? "the end"
      : JSON.stringify(String.fromCodePoint(this.#text.codePointAt(this.at)!));
  }

  #fail(message: string): never {
    throw new SyntaxFault(this.at, message);
  }
}
