// Explanations of the kinds about tests.
import { type KindText, repeat } from "./text.ts";

/** A module of 29 lines. */
function source(name: string): string {
  return `export function ${name}(items) {\n${repeat(26, (at) => `  items.push(${at});\n`)}  return items.length;\n}\n`;
}

const TEST =
  'import { expect, test } from "vitest";\nimport { discount } from "../src/discount.js";\n\ntest("counts", () => expect(discount([])).toBe(26));\n';

export const TEST_TEXTS: Readonly<Record<string, KindText>> = {
  "focused-test": {
    what: "A test is marked to run alone.",
    why: "The other tests of the file, or of all files, do not run, and the run is green. Remove `.only`.",
    wrong: {
      "test/price.test.js":
        'import { expect, test } from "vitest";\n\ntest.only("adds", () => expect(1 + 1).toBe(2));\n',
    },
    right: {
      "test/price.test.js":
        'import { expect, test } from "vitest";\n\ntest("adds", () => expect(1 + 1).toBe(2));\n',
    },
  },
  "skipped-test": {
    what: "A test is switched off.",
    why: "The code that it checks may already be broken. Fix the test, or delete it; `test.todo` names a test that is not written yet.",
    wrong: {
      "test/price.test.js":
        'import { expect, test } from "vitest";\n\ntest.skip("adds", () => expect(1 + 1).toBe(3));\n',
    },
    right: { "test/price.test.js": 'import { test } from "vitest";\n\ntest.todo("adds with a discount");\n' },
  },
  "test-without-assertion": {
    what: "A test has no check.",
    why: "It passes unless the code throws, whatever the code returns. Assert the expected result.",
    wrong: {
      "test/price.test.js":
        'import { test } from "vitest";\nimport { price } from "shop";\n\ntest("adds", () => {\n  price([1, 2]);\n});\n',
    },
    right: {
      "test/price.test.js":
        'import { expect, test } from "vitest";\nimport { price } from "shop";\n\ntest("adds", () => {\n  expect(price([1, 2])).toBe(3);\n});\n',
    },
  },
  "untested-source": {
    what: "No test loads a module of at least 25 lines, directly or through other modules.",
    why: "Its code cannot have been tested. Write a test that imports it, or test it through a module that uses it.",
    wrong: {
      "package.json": '{ "name": "shop", "type": "module" }\n',
      "src/index.js": 'export { discount } from "./discount.js";\nexport { price } from "./price.js";\n',
      "src/discount.js": source("discount"),
      "src/price.js": source("price"),
      "test/discount.test.js": TEST,
    },
    right: {
      "package.json": '{ "name": "shop", "type": "module" }\n',
      "src/index.js": 'export { discount } from "./discount.js";\nexport { price } from "./price.js";\n',
      "src/discount.js": source("discount"),
      "src/price.js": source("price"),
      "test/discount.test.js": TEST.replace("../src/discount.js", "../src/index.js"),
    },
  },
};
