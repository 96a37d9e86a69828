// The test repositories that git cannot hold well: encodings and line ends, odd names, thousands of files, one file with
// thousands of findings. Each maker writes its files and returns the expectations.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { scaled } from "../support/scale.ts";
import type { Expected, Maker } from "./repositories.ts";

/** The makers, by the name of the repository. */
export const ODD_REPOSITORIES: Readonly<Record<string, Maker>> = {
  "odd-names": oddNames,
  "many-files": manyFiles,
  "many-findings": manyFindings,
};

async function write(directory: string, files: Readonly<Record<string, string | Buffer>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

/** Names with blanks, quotes, brackets, percent signs, emoji, a leading hyphen, and names that globs would misread. */
async function oddNames(directory: string): Promise<Expected> {
  await write(directory, {
    "package.json": '{ "name": "odd-names", "main": "src/index.js" }\n',
    "src/index.js":
      'import "./with blank.js";\nimport "./[id].js";\nimport "./100%.js";\nimport "./naïve-😀.js";\n' +
      'import "./quote\'s.js";\nimport "./--fix.js";\nimport "./(group)/page.js";\nimport "./no such name.js";\n',
    "src/with blank.js": 'import "./[id].js";\ndebugger;\n',
    "src/[id].js": 'import "./100%.js";\n',
    "src/100%.js": 'import "./naïve-😀.js";\n',
    "src/naïve-😀.js": 'import "./quote\'s.js";\ndebugger;\n',
    "src/quote's.js": 'import "./--fix.js";\n',
    "src/--fix.js": 'import "./(group)/page.js";\n',
    "src/(group)/page.js": 'import "node:fs";\n',
    "src/{never} used.js": 'import "./100%.js";\nexport const never = 1;\n',
    "README.md":
      "# Odd\n\n[a](<src/with blank.js>) [b](src/with%20blank.js) [c](src/100%25.js) [d](src/[id].js) [e](src/none.js)\n",
  });
  return {
    about: "file names that break globs, shells and URLs",
    planted: [
      { kind: "unresolved-import", file: "src/index.js", line: 8 },
      { kind: "orphan-module", file: "src/{never} used.js", line: 1 },
      { kind: "debugger-statement", file: "src/with blank.js", line: 2 },
      { kind: "debugger-statement", file: "src/naïve-😀.js", line: 2 },
      { kind: "broken-link", file: "README.md", line: 3 },
      { kind: "untested-source", file: "package.json", line: 1 },
    ],
    innocent: [
      { kind: "orphan-module", file: "src/[id].js", why: "imported by its literal name" },
      { kind: "orphan-module", file: "src/(group)/page.js", why: "imported by its literal name" },
    ],
  };
}

/** A chain of modules, with one missing link at its end: each module is reached over all modules before it. */
async function manyFiles(directory: string): Promise<Expected> {
  const count = scaled(150, 5_000);
  await write(directory, { "package.json": '{ "name": "many-files", "main": "./src/0/module-0.js" }\n' });
  const pathOf = (index: number) => `src/${Math.floor(index / 100)}/module-${index}.js`;
  const stepTo = (index: number) => `../../${pathOf(index)}`;
  for (let folder = 0; folder * 100 < count; folder++) {
    await mkdir(join(directory, `src/${folder}`), { recursive: true });
  }
  for (let index = 0; index < count; index++) {
    const next = index === count - 1 ? "./missing.js" : stepTo(index + 1);
    await writeFile(join(directory, pathOf(index)), `import { next } from "${next}";\n\nexport { next };\n`);
  }
  return {
    about: "many files, in one chain of imports",
    planted: [{ kind: "unresolved-import", file: pathOf(count - 1), line: 1 }],
    innocent: [{ kind: "orphan-module", file: pathOf(count - 2), why: "the module before it imports it" }],
  };
}

/** One file with a finding on every line. */
async function manyFindings(directory: string): Promise<Expected> {
  const count = scaled(300, 12_000);
  const lines = Array.from({ length: count }, (_, index) => `if (value === NaN) call(${index});`);
  await write(directory, {
    "package.json": '{ "name": "many-findings", "main": "./src/index.js" }\n',
    "src/index.js": `/* global value, call */\n${lines.join("\n")}\n`,
  });
  return {
    about: "one file with thousands of findings",
    planted: [
      { kind: "nan-comparison", file: "src/index.js", line: 2 },
      { kind: "nan-comparison", file: "src/index.js", line: count + 1 },
      { kind: "untested-source", file: "package.json", line: 1 },
    ],
    innocent: [{ kind: "unused-variable", file: "src/index.js", why: "the comment declares globals" }],
  };
}
