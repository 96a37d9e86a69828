// Explanations of the kinds about correctness, which the linters share.
import type { KindText } from "./text.ts";

export const CORRECTNESS_TEXTS: Readonly<Record<string, KindText>> = {
  "syntax-error": {
    what: "A file does not parse.",
    why: "It cannot be loaded, and no other rule can judge it.",
    wrong: "export const list = [1, 2;\n",
    right: "export const list = [1, 2];\n",
  },
  "unused-variable": {
    what: "A name is declared or imported and never used.",
    why: "Either it is left over, or the code forgets to use it. Remove it, or use it; a name that begins with `_` is unused on purpose.",
    wrong: "export function price(item) {\n  const tax = item.price / 5;\n  return item.price;\n}\n",
    right: "export function price(item) {\n  const tax = item.price / 5;\n  return item.price + tax;\n}\n",
  },
  "unused-label": {
    what: "No statement jumps to a label.",
    why: "The label is left over, or it was meant as a property. Remove it.",
    wrong:
      "export function first(rows) {\n  search: for (const row of rows) {\n    if (row) return row;\n  }\n}\n",
    right:
      "export function first(rows) {\n  search: for (const row of rows) {\n    for (const cell of row) {\n      if (!cell) continue search;\n    }\n    return row;\n  }\n}\n",
  },
  "unused-private-member": {
    what: "Nothing reads a private member of a class.",
    why: "Only the class can use it, so it has no effect. Remove it, or use it.",
    wrong: "export class Cart {\n  #total = 0;\n\n  add() {\n    return this;\n  }\n}\n",
    right:
      "export class Cart {\n  #total = 0;\n\n  add(price) {\n    this.#total += price;\n    return this.#total;\n  }\n}\n",
  },
  "nan-comparison": {
    what: "A value is compared with NaN.",
    why: "The comparison is always false, because NaN is not equal to itself. Use Number.isNaN.",
    wrong: "export const isBad = (x) => x === NaN;\n",
    right: "export const isBad = (x) => Number.isNaN(x);\n",
  },
  "loop-direction": {
    what: "The counter of a loop moves away from its end.",
    why: "The loop never ends, or runs until the counter overflows.",
    wrong:
      "export function each(list, use) {\n  for (let at = 0; at < list.length; at--) use(list[at]);\n}\n",
    right:
      "export function each(list, use) {\n  for (let at = 0; at < list.length; at++) use(list[at]);\n}\n",
  },
  "invalid-typeof": {
    what: "The result of typeof is compared with a word that typeof never gives.",
    why: "The comparison is always false.",
    wrong: 'export const isText = (x) => typeof x === "strnig";\n',
    right: 'export const isText = (x) => typeof x === "string";\n',
  },
  "unreachable-code": {
    what: "Code comes after a statement that always leaves.",
    why: "It never runs. Remove it, or fix the statement before it.",
    wrong: "export function price(item) {\n  return item.price;\n  item.seen = true;\n}\n",
    right: "export function price(item) {\n  item.seen = true;\n  return item.price;\n}\n",
  },
  "constant-condition": {
    what: "A condition is always true, or always false.",
    why: "One branch never runs. Often the condition is unfinished.",
    wrong: "export function price(item) {\n  if (true) return item.price;\n  return 0;\n}\n",
    right: "export function price(item) {\n  if (item.isFree) return 0;\n  return item.price;\n}\n",
  },
  "constant-expression": {
    what: "An operand decides an expression alone, whatever the other operand is.",
    why: "The other part has no effect; usually brackets are missing.",
    wrong: "export const isEmpty = (list) => (list.length + 1 ?? 0) && [] === list;\n",
    right: "export const isEmpty = (list) => list.length === 0;\n",
  },
  "const-assignment": {
    what: "A constant gets a new value.",
    why: "The statement throws a TypeError when it runs. Declare the name with `let`.",
    wrong: "const count = 0;\n\nexport function next() {\n  count = count + 1;\n  return count;\n}\n",
    right: "let count = 0;\n\nexport function next() {\n  count = count + 1;\n  return count;\n}\n",
  },
  "self-assignment": {
    what: "A name is assigned to itself.",
    why: "The statement has no effect; another name was meant.",
    wrong: "export function move(point, x) {\n  point.x = point.x;\n  return [point, x];\n}\n",
    right: "export function move(point, x) {\n  point.x = x;\n  return point;\n}\n",
  },
  "self-comparison": {
    what: "A value is compared with itself.",
    why: "The result is always the same, except for NaN. Use Number.isNaN for that, or fix the name.",
    wrong: "export const isSame = (a, b) => a.id === a.id && Boolean(b);\n",
    right: "export const isSame = (a, b) => a.id === b.id;\n",
  },
  "setter-return": {
    what: "A setter returns a value.",
    why: "The value is lost: an assignment gives its right side.",
    wrong: "export const box = {\n  set size(value) {\n    return value;\n  },\n};\n",
    right: "export const box = {\n  width: 0,\n  set size(value) {\n    this.width = value;\n  },\n};\n",
  },
  "getter-return": {
    what: "A getter returns nothing, at least on one path.",
    why: "Reading the property gives undefined.",
    wrong: "export const box = {\n  get size() {\n    this.width * 2;\n  },\n};\n",
    right: "export const box = {\n  get size() {\n    return this.width * 2;\n  },\n};\n",
  },
  "unsafe-finally": {
    what: "A finally block leaves by return, throw, break or continue.",
    why: "It replaces the result or the error of the try block, so an error disappears.",
    wrong:
      "export function read(file) {\n  try {\n    return file.read();\n  } finally {\n    return null;\n  }\n}\n",
    right:
      "export function read(file) {\n  try {\n    return file.read();\n  } finally {\n    file.close();\n  }\n}\n",
  },
  "unsafe-optional-chaining": {
    what: "The result of an optional chain is used where undefined throws.",
    why: "When the chain stops early, the code throws a TypeError. Extend the chain, or give a default.",
    wrong: "export const first = (cart) => (cart?.items)[0];\n",
    right: "export const first = (cart) => cart?.items?.[0];\n",
  },
  "unsafe-negation": {
    what: "The left operand of `in` or `instanceof` is negated.",
    why: "The negation is applied first, so a boolean is looked up. Put brackets around the whole test.",
    wrong: "export const isForeign = (key, map) => !key in map;\n",
    right: "export const isForeign = (key, map) => !(key in map);\n",
  },
  "case-declaration": {
    what: "A case declares a name without a block of its own.",
    why: "The name is visible in all cases, but has a value in one only. Put braces around the case.",
    wrong:
      'export function area(shape) {\n  switch (shape.kind) {\n    case "square":\n      const side = shape.side;\n      return side * side;\n    default:\n      return 0;\n  }\n}\n',
    right:
      'export function area(shape) {\n  switch (shape.kind) {\n    case "square": {\n      const side = shape.side;\n      return side * side;\n    }\n    default:\n      return 0;\n  }\n}\n',
  },
  "case-fallthrough": {
    what: "A case continues into the next case.",
    why: "Often a break is missing. Add it, or join the cases.",
    wrong:
      'export function cost(kind, add) {\n  switch (kind) {\n    case "large":\n      add(2);\n    case "small":\n      add(1);\n      break;\n    default:\n      add(0);\n  }\n}\n',
    right:
      'export function cost(kind, add) {\n  switch (kind) {\n    case "large":\n      add(2);\n      break;\n    case "small":\n      add(1);\n      break;\n    default:\n      add(0);\n  }\n}\n',
  },
  "duplicate-case": {
    what: "Two cases of a switch have the same value.",
    why: "The second never runs.",
    wrong:
      'export function cost(kind) {\n  switch (kind) {\n    case "small":\n      return 1;\n    case "small":\n      return 2;\n    default:\n      return 0;\n  }\n}\n',
    right:
      'export function cost(kind) {\n  switch (kind) {\n    case "small":\n      return 1;\n    case "large":\n      return 2;\n    default:\n      return 0;\n  }\n}\n',
  },
  "duplicate-condition": {
    what: "An else-if repeats an earlier condition.",
    why: "Its branch never runs.",
    wrong:
      "export function cost(size) {\n  if (size > 10) return 2;\n  else if (size > 5) return 1;\n  else if (size > 10) return 3;\n  return 0;\n}\n",
    right:
      "export function cost(size) {\n  if (size > 20) return 3;\n  else if (size > 10) return 2;\n  else if (size > 5) return 1;\n  return 0;\n}\n",
  },
  "duplicate-key": {
    what: "An object literal has the same key twice.",
    why: "The first value is lost.",
    wrong: "export const sizes = { small: 1, large: 2, small: 3 };\n",
    right: "export const sizes = { small: 1, medium: 2, large: 3 };\n",
  },
  "duplicate-member": {
    what: "A class has two members of the same name.",
    why: "The second replaces the first without a word.",
    wrong: "export class Cart {\n  total() {\n    return 1;\n  }\n\n  total() {\n    return 2;\n  }\n}\n",
    right: "export class Cart {\n  total() {\n    return 1;\n  }\n\n  count() {\n    return 2;\n  }\n}\n",
  },
  redeclaration: {
    what: "A name is declared twice in the same scope.",
    why: "The second declaration replaces the first, which a reader does not see.",
    wrong:
      "export function price(item) {\n  var sum = item.price;\n  var sum = item.tax;\n  return sum;\n}\n",
    right:
      "export function price(item) {\n  var sum = item.price;\n  var tax = item.tax;\n  return sum + tax;\n}\n",
  },
  "debugger-statement": {
    what: "The code has a debugger statement.",
    why: "It stops the program wherever developer tools are open. Remove it.",
    wrong: "export function price(item) {\n  debugger;\n  return item.price;\n}\n",
    right: "export function price(item) {\n  return item.price;\n}\n",
  },
  "async-promise-executor": {
    what: "The function that a new Promise gets is async.",
    why: "An error in it is lost, so the promise never settles. Await outside, and leave the Promise out.",
    wrong:
      "export const load = (read) =>\n  new Promise(async (resolve) => {\n    resolve(await read());\n  });\n",
    right: "export const load = async (read) => await read();\n",
  },
  "caught-error-assignment": {
    what: "A caught error gets a new value.",
    why: "The original error, with its stack, is lost. Use a name of its own.",
    wrong:
      "export function run(work, report) {\n  try {\n    work();\n  } catch (error) {\n    error = null;\n    report(error);\n  }\n}\n",
    right:
      "export function run(work, report) {\n  try {\n    work();\n  } catch (error) {\n    report(error);\n  }\n}\n",
  },
  "function-assignment": {
    what: "A declared function gets a new value.",
    why: "Calls before and after the assignment do different work. Use another name.",
    wrong: "export function price() {\n  return 1;\n}\n\nprice = 2;\n",
    right: "export function price() {\n  return 1;\n}\n\nexport const tax = 2;\n",
  },
  "class-assignment": {
    what: "A declared class gets a new value.",
    why: "Code before and after the assignment uses different classes. Use another name.",
    wrong: "class Cart {}\nCart = null;\n\nexport { Cart };\n",
    right: "class Cart {}\n\nexport { Cart };\n",
  },
  "import-assignment": {
    what: "An imported name gets a new value.",
    why: "Imports are constant: the assignment throws a TypeError.",
    wrong: 'import { price } from "shop";\n\nprice = 2;\n\nexport { price };\n',
    right: 'import { price } from "shop";\n\nexport const double = 2 * price;\n',
  },
  "global-assignment": {
    what: "A global of the language gets a new value.",
    why: "All code of the program gets it, libraries too. Use a name of your own.",
    wrong: "export function setup() {\n  Array = null;\n}\n",
    right: "export function setup() {\n  const list = [];\n  return list;\n}\n",
  },
  "negative-zero-comparison": {
    what: "A value is compared with -0.",
    why: "The comparison is also true for 0. Use Object.is.",
    wrong: "export const isMinusZero = (x) => x === -0;\n",
    right: "export const isMinusZero = (x) => Object.is(x, -0);\n",
  },
  "sparse-array": {
    what: "An array literal has a hole.",
    why: "The hole is undefined, and some methods skip it. Remove the comma, or write undefined.",
    wrong: "export const list = [1, , 2];\n",
    right: "export const list = [1, undefined, 2];\n",
  },
  "precision-loss": {
    what: "A number literal has more digits than a number can hold.",
    why: "The program computes with another number. Use a BigInt or a string.",
    wrong: "export const id = 9007199254740993;\n",
    right: "export const id = 9007199254740993n;\n",
  },
  "prototype-builtin": {
    what: "A method of Object.prototype is called on an object.",
    why: "The object may have no prototype, or a key of that name from foreign data. Use Object.hasOwn.",
    wrong: 'export const has = (map) => map.hasOwnProperty("key");\n',
    right: 'export const has = (map) => Object.hasOwn(map, "key");\n',
  },
  "irregular-whitespace": {
    what: "The code has a blank that is not a space or a tab.",
    why: "It looks like a space, but tools and searches treat it in another way. Replace it.",
    wrong: "export const\u00a0total = 1;\n",
    right: "export const total = 1;\n",
  },
  "misleading-character-class": {
    what: "A class of a regular expression has a character that consists of several code points.",
    why: "Without the flag `v` each code point matches by itself, and half characters too.",
    wrong: "export const isFlag = (text) => /^[\u{1f44d}]$/.test(text);\n",
    right: "export const isFlag = (text) => /^[\u{1f44d}]$/u.test(text);\n",
  },
  "empty-character-class": {
    what: "A regular expression has an empty class.",
    why: "It matches nothing, so the whole expression never matches.",
    wrong: "export const isWord = (text) => /^abc[]/.test(text);\n",
    right: "export const isWord = (text) => /^abc[a-z]/.test(text);\n",
  },
  "global-object-call": {
    what: "A global object such as Math or JSON is called as a function.",
    why: "The call throws a TypeError.",
    wrong: "export const value = () => Math();\n",
    right: "export const value = () => Math.random();\n",
  },
  "super-call": {
    what: "The constructor of a subclass does not call super(), or uses `this` before it.",
    why: "Creating an object throws a ReferenceError.",
    wrong:
      "class Item {}\n\nexport class Book extends Item {\n  constructor(title) {\n    this.title = title;\n  }\n}\n",
    right:
      "class Item {}\n\nexport class Book extends Item {\n  constructor(title) {\n    super();\n    this.title = title;\n  }\n}\n",
  },
  "with-statement": {
    what: "The code has a with statement.",
    why: "A name may be a property or a variable, which only the run decides; modules and strict code reject it.",
    wrong: { "example.cjs": "module.exports = (cart) => {\n  with (cart) {\n    return total;\n  }\n};\n" },
    right: {
      "example.cjs": "module.exports = (cart) => {\n  const { total } = cart;\n  return total;\n};\n",
    },
  },
  "unsafe-declaration-merging": {
    what: "An interface and a class have the same name.",
    why: "The compiler then believes that the class has the members of the interface, although nothing sets them.",
    wrong: { "example.ts": "export interface Cart {\n  total: number;\n}\n\nexport class Cart {}\n" },
    right: {
      "example.ts":
        "export interface Priced {\n  total: number;\n}\n\nexport class Cart implements Priced {\n  total = 0;\n}\n",
    },
  },
  "misused-new": {
    what: "An interface has a constructor, or a class a method `new`.",
    why: "Neither makes objects: an interface describes no constructor this way. Describe a factory, or use a class.",
    wrong: { "example.ts": "export interface Cart {\n  new (): Cart;\n  total: number;\n}\n" },
    right: {
      "example.ts": "export interface Cart {\n  total: number;\n}\n\nexport type CartFactory = () => Cart;\n",
    },
  },
  "duplicate-enum-value": {
    what: "Two members of an enum have the same value.",
    why: "They cannot be told apart at run time.",
    wrong: { "example.ts": "export enum Size {\n  Small = 1,\n  Large = 1,\n}\n" },
    right: { "example.ts": "export enum Size {\n  Small = 1,\n  Large = 2,\n}\n" },
  },
  "non-null-asserted-optional-chain": {
    what: "An optional chain ends in a non-null assertion.",
    why: "The chain says that the value may be missing, and the assertion says that it is not. Handle the missing value, or leave the chain out.",
    wrong: { "example.ts": "export const first = (cart?: { items: string[] }) => cart?.items!;\n" },
    right: { "example.ts": "export const first = (cart?: { items: string[] }) => cart?.items ?? [];\n" },
  },
};
