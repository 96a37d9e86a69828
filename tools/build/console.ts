// Builds the script of the console from console/src with rolldown, for tools/build/generate.ts: one file, which is committed as the other
// generated files are, so that the API serves the same file from the sources, from the package and from the image.
// I1: the same sources make the same bytes; a test builds it and compares.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { rolldown } from "rolldown";

/** The path of the script in the repository. */
export const CONSOLE_SCRIPT = "console/page/console.js";

/** The line before the code of each module: it names the place of the packages, which may be a link (I1). */
const MODULE_MARK = /^\/\/(?:#region |#endregion| \S+\.m?[jt]s$).*\n/gm;

/** Makes the script. @throws Error for a source that cannot be parsed or found. */
export async function buildConsole(root: string): Promise<string> {
  const building = await rolldown({
    cwd: root,
    input: join(root, "console/src/main.ts"),
    platform: "browser",
    tsconfig: false,
    onLog: (level, log) => {
      if (level === "warn") throw new Error(log.message);
    },
  });
  try {
    const { output } = await building.generate({
      format: "esm",
      // The text stays readable, so that the diff of a commit shows the change; compression takes most of the difference.
      minify: false,
      comments: false,
    });
    const [script, ...more] = output;
    if (more.length > 0) throw new Error(`the console must be one file, got ${output.length}`);
    return `${banner(root)}${script.code.replace(MODULE_MARK, "")}`;
  } finally {
    await building.close();
  }
}

/** The licence of the one package in the script: a copy of its code must come with it. */
function banner(root: string): string {
  const folder = join(root, "node_modules/preact");
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  const licence = readFileSync(join(folder, "LICENSE"), "utf8").trim();
  return `/*! Generated from console/src by node tools/build/generate.ts. It contains preact ${version}:\n\n${licence}\n*/\n`;
}
