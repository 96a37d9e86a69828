// Explanations of the kinds about performance and size.
import { type KindText, repeat } from "./text.ts";

export const PERFORMANCE_TEXTS: Readonly<Record<string, KindText>> = {
  "large-file": {
    what: "A file has more than 1,000 lines.",
    why: "Such a file holds several thoughts, and changes to it collide. Split it where a name appears by itself.",
    wrong: repeat(1001, (at) => `export const value${at} = ${at};\n`),
    right: repeat(3, (at) => `export const value${at} = ${at};\n`),
  },
  "long-function": {
    what: "A function has more than 150 lines.",
    why: "A reader cannot keep it in mind as a whole. Give its steps names, as functions of their own.",
    wrong: `export function build(add) {\n${repeat(151, (at) => `  add(${at});\n`)}}\n`,
    right: "export function build(add) {\n  for (let at = 0; at < 151; at++) add(at);\n}\n",
  },
  "complex-function": {
    what: "A function has more than 25 paths (McCabe's cyclomatic complexity).",
    why: "Each path wants a test, and each change must keep all of them in mind. Use a table, or split the function.",
    wrong: `export function nameOf(code) {\n${repeat(26, (at) => `  if (code === ${at}) return "${at}";\n`)}  return "?";\n}\n`,
    right:
      'const NAMES = ["zero", "one", "two"];\n\nexport function nameOf(code) {\n  return NAMES[code] ?? "?";\n}\n',
  },
  "heavy-import": {
    what: "A large package is loaded for a task that the platform, or a small part of the package, does.",
    why: "It makes starts slower and bundles larger. Import only the part that is used, or use the platform.",
    wrong: 'import _ from "lodash";\n\nexport const unique = (list) => _.uniq(list);\n',
    right: "export const unique = (list) => [...new Set(list)];\n",
  },
  "sync-io-in-async": {
    what: "An async function calls a function that blocks the process.",
    why: "All other work of the process waits until it ends. Use the promise version.",
    wrong:
      'import { execFileSync } from "node:child_process";\n\nexport async function head() {\n  return execFileSync("git", ["rev-parse", "HEAD"]);\n}\n',
    right:
      'import { execFile } from "node:child_process";\nimport { promisify } from "node:util";\n\nexport async function head() {\n  return await promisify(execFile)("git", ["rev-parse", "HEAD"]);\n}\n',
  },
  "await-in-loop": {
    what: "A loop sends one request after the other.",
    why: "Their times add up. If they do not depend on each other, send them together, with a bound on their number.",
    wrong: "export async function warm(urls) {\n  for (const url of urls) {\n    await fetch(url);\n  }\n}\n",
    right: "export async function warm(urls) {\n  await Promise.all(urls.map((url) => fetch(url)));\n}\n",
  },
};
