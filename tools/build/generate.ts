// Writes what is generated from the sources and kept in the repository: `node tools/build/generate.ts`. Tests compare, so a
// change of the protocol shows in the diff of its commit.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { jsonSchemaOf, SCHEMA_NAMES } from "../../src/protocol/index.ts";

const root = join(import.meta.dirname, "../..");

/** Generated files by their path in the repository. */
export function generatedFiles(): Map<string, string> {
  return new Map(
    SCHEMA_NAMES.map((name) => [
      `docs/schemas/${name}.json`,
      `${JSON.stringify(jsonSchemaOf(name), null, 2)}\n`,
    ]),
  );
}

if (import.meta.main) {
  for (const [path, contents] of generatedFiles()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), contents);
  }
}
