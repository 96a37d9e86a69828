// Writes what is generated from the sources and kept in the repository: `node tools/generate.ts`. Tests compare, so a
// change of the protocol shows in the diff of its commit.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { VERSION } from "../src/app/version.ts";
import { jsonSchemaOf, SCHEMA_NAMES } from "../src/protocol/index.ts";
import { commandsPage, configurationPage } from "./pages.ts";

const root = dirname(import.meta.dirname);

const commands = await commandsPage(VERSION);

/** Generated files by their path in the repository. */
export function generatedFiles(): Map<string, string> {
  const schemas = SCHEMA_NAMES.map(
    (name) => [`docs/schemas/${name}.json`, `${JSON.stringify(jsonSchemaOf(name), null, 2)}\n`] as const,
  );
  return new Map([
    ...schemas,
    ["docs/configuration.md", configurationPage()],
    ["docs/commands.md", commands],
  ]);
}

if (import.meta.main) {
  for (const [path, contents] of generatedFiles()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), contents);
  }
}
