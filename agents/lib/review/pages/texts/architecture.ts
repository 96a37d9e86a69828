// Explanations of the kinds about the import graph.
import { type KindText, repeat } from "./text.ts";

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at);

/** A module between `count` users and `count` modules that it uses. */
function hub(count: number): Record<string, string> {
  const uses = Object.fromEntries(
    numbers(count).map((at) => [`src/part-${at}.js`, `export const part${at} = ${at};\n`]),
  );
  const users = Object.fromEntries(
    numbers(count).map((at) => [
      `src/user-${at}.js`,
      `import { all } from "./center.js";\n\nexport const user${at} = () => all;\n`,
    ]),
  );
  const imports = repeat(count, (at) => `import { part${at} } from "./part-${at}.js";\n`);
  const index = repeat(count, (at) => `export { user${at} } from "./user-${at}.js";\n`);
  return {
    "src/center.js": `${imports}\nexport const all = [${numbers(count)
      .map((at) => `part${at}`)
      .join(", ")}];\n`,
    ...uses,
    ...users,
    "src/index.js": index,
  };
}

export const ARCHITECTURE_TEXTS: Readonly<Record<string, KindText>> = {
  "import-cycle": {
    what: "Modules import each other in a circle.",
    why: "Their order of execution depends on the first import, so a name may be used before it has a value; and no module of them can be used or tested alone. Move the shared code into a module that both import.",
    wrong: {
      "src/index.js": 'export { order } from "./order.js";\n',
      "src/order.js": 'import { customer } from "./customer.js";\n\nexport const order = () => customer;\n',
      "src/customer.js": 'import { order } from "./order.js";\n\nexport const customer = () => order;\n',
    },
    right: {
      "src/index.js": 'export { order } from "./order.js";\nexport { customer } from "./customer.js";\n',
      "src/order.js": 'import { format } from "./format.js";\n\nexport const order = () => format;\n',
      "src/customer.js": 'import { format } from "./format.js";\n\nexport const customer = () => format;\n',
      "src/format.js": "export const format = String;\n",
    },
  },
  "type-import-cycle": {
    what: "Modules import each other in a circle, by types only.",
    why: "Nothing breaks at run time, but no module of the circle can be understood alone. Move the shared types into a module of their own.",
    wrong: {
      "src/index.ts": 'export type { Order } from "./order.ts";\n',
      "src/order.ts":
        'import type { Customer } from "./customer.ts";\n\nexport interface Order {\n  by: Customer;\n}\n',
      "src/customer.ts":
        'import type { Order } from "./order.ts";\n\nexport interface Customer {\n  orders: Order[];\n}\n',
    },
    right: {
      "src/index.ts": 'export type { Customer, Order } from "./shop.ts";\n',
      "src/shop.ts":
        "export interface Order {\n  by: Customer;\n}\n\nexport interface Customer {\n  orders: Order[];\n}\n",
    },
  },
  "unresolved-import": {
    what: "An import names a file that does not exist.",
    why: "The module cannot be loaded. Fix the path, or commit the missing file.",
    wrong: { "src/index.js": 'import { price } from "./prices.js";\n\nexport const total = price;\n' },
    right: {
      "src/index.js": 'import { price } from "./price.js";\n\nexport const total = price;\n',
      "src/price.js": "export const price = 1;\n",
    },
  },
  "undeclared-dependency": {
    what: "An imported package is in no package.json.",
    why: "Another package happens to install it, and its next version may not. Declare it in the package.json of the module.",
    wrong: {
      "package.json": '{ "name": "shop", "type": "module" }\n',
      "src/index.js": 'import chalk from "chalk";\n\nexport const red = chalk.red;\n',
    },
    right: {
      "package.json": '{ "name": "shop", "type": "module", "dependencies": { "chalk": "^5.0.0" } }\n',
      "src/index.js": 'import chalk from "chalk";\n\nexport const red = chalk.red;\n',
    },
  },
  "orphan-module": {
    what: "Nothing imports, names or starts a module.",
    why: "It looks alive to readers and is changed with the rest, but it has no effect. Delete it, or use it.",
    wrong: {
      "package.json": '{ "name": "shop", "main": "src/index.js" }\n',
      "src/index.js": 'export { price } from "./price.js";\n',
      "src/price.js": "export const price = 1;\n",
      "src/discount.js": 'import { price } from "./price.js";\n\nexport const discount = price / 2;\n',
    },
    right: {
      "package.json": '{ "name": "shop", "main": "src/index.js" }\n',
      "src/index.js": 'export { price } from "./price.js";\nexport { discount } from "./discount.js";\n',
      "src/price.js": "export const price = 1;\n",
      "src/discount.js": 'import { price } from "./price.js";\n\nexport const discount = price / 2;\n',
    },
  },
  "hub-module": {
    what: "Many modules use a module that itself uses many: at least 15 in each direction.",
    why: "Most changes pass through it, and it loads nearly everything. Split it by its users.",
    wrong: hub(15),
    right: hub(3),
  },
};
