import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { readProject } from "../../../agents/lib/review/graph/graph.ts";

/** Returns the files that a module of a small repository may load without an import. */
async function loadsOf(module: string, files: Record<string, string>): Promise<string[]> {
  const directory = mkdtempSync(join(tmpdir(), "graph-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true });
    writeFileSync(join(directory, file), text);
  }
  const input = { directory, files: Object.keys(files), trustRepoConfig: false };
  const tools = { progress: () => undefined, signal: new AbortController().signal };
  const { graph } = await readProject(input, tools);
  return [...(graph.get(module)?.loads ?? [])].sort();
}

test("a program that reads a folder of the build's output loads the folder's sources", async () => {
  const files = {
    "package.json": '{ "name": "bot" }',
    "src/start.ts":
      'import { readdirSync } from "node:fs";\nfor (const file of readdirSync("./dist/commands")) await import(process.cwd() + file);\n',
    "src/commands/play.ts": "export default {};\n",
    "src/commands/music/skip.ts": "export default {};\n",
    "src/other/unused.ts": "export default {};\n",
  };
  expect(await loadsOf("src/start.ts", files)).toEqual([
    "src/commands/music/skip.ts",
    "src/commands/play.ts",
  ]);
});

test.each(['__dirname + "/lib"', 'path.resolve(__dirname, "lib")', "'./lib'"])(
  "the entries of webpack are named from its context %s",
  async (context) => {
    const files = {
      "package.json": '{ "name": "app" }',
      "webpack.config.js": `const path = require("path");\nmodule.exports = { context: ${context}, entry: ["./boot"] };\n`,
      "lib/boot.ts": "console.log(1);\n",
      "lib/unused.ts": "console.log(2);\n",
    };
    expect(await loadsOf("webpack.config.js", files)).toEqual(["lib/boot.ts"]);
  },
);
