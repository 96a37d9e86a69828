import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { hasAnalysers, type Unjudged } from "../../../agents/lib/review/index.ts";
import { eachSource, walk } from "../../../agents/lib/review/syntax.ts";
import { localTools } from "../local-swarm.ts";

const made: string[] = [];
afterEach(async () => {
  for (const directory of made.splice(0)) await rm(directory, { recursive: true });
});

/** The lines of `debugger` statements in each file that was parsed, and the files that were not. */
async function parse(
  contents: Record<string, string | Uint8Array>,
): Promise<{ parsed: Record<string, number[]>; unjudged: Unjudged[] }> {
  const directory = await mkdtemp(join(tmpdir(), "review-syntax-"));
  made.push(directory);
  for (const [file, text] of Object.entries(contents)) await writeFile(join(directory, file), text);
  const parsed: Record<string, number[]> = {};
  const input = { directory, files: Object.keys(contents), trustRepoConfig: false };
  const unjudged = await eachSource(input, localTools(), ({ file, program, lineAt }) => {
    const lines: number[] = [];
    walk(program, (node) => {
      if (node.type === "DebuggerStatement") lines.push(lineAt(node.start));
      return undefined;
    });
    parsed[file] = lines;
  });
  return { parsed, unjudged };
}

describe.skipIf(!hasAnalysers())("parsing a file", () => {
  test("each file is parsed as the program that runs it would", async () => {
    const { parsed, unjudged } = await parse({
      "jsx.js": "export const a = <p>{1}</p>;\ndebugger;\n",
      "return.js": 'if (require("os").EOL === "") return;\ndebugger;\nmodule.exports = 1;\n',
      "nest.ts":
        "export class A {\n  constructor(@Inject(B) private b: B) {}\n  get(@Query() q: string) { debugger; }\n}\n",
      "program.js": "\uFEFF#!/usr/bin/env node\ndebugger;\n",
      "windows.js": "\r\ndebugger;\r\n",
      "mac.js": "\rdebugger;\r",
      "latin1.js": Buffer.from("// caf\xe9\ndebugger;\n", "latin1"),
      "utf16.js": Buffer.from("\uFEFF// a\ndebugger;\n", "utf16le"),
      "page.astro": "---\nif (a) return b;\ndebugger;\n---\n<p/>\n<script>\ndebugger;\n</script>\n",
      "A.vue":
        '<template/>\n<script>\n</script>\n<script setup lang="ts">\nconst a: number = 1;\ndebugger;\n</script>\n',
    });
    expect(unjudged).toEqual([]);
    expect(parsed).toEqual({
      "jsx.js": [2],
      "return.js": [2],
      "nest.ts": [3],
      "program.js": [2],
      "windows.js": [2],
      "mac.js": [2],
      "latin1.js": [2],
      "utf16.js": [2],
      "page.astro": [3, 7],
      "A.vue": [6],
    });
  });

  test("a file that does not parse, and one with Flow's types, are told", async () => {
    const { parsed, unjudged } = await parse({
      "broken.ts": "const = 1;\n",
      "module.mjs": "return;\n",
      "flow.js": "// @flow\nexport type A = {| +a: ?string |};\n",
    });
    expect(parsed).toEqual({});
    expect(unjudged).toMatchObject([
      { file: "broken.ts", why: "parse-error" },
      { file: "module.mjs", why: "parse-error" },
      { file: "flow.js", why: "not-supported" },
    ]);
  });
});
