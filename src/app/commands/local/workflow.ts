// `workflow …`: definitions of workflows written as data.
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { childrenOf, type ReadDefinition, readDefinition, type TextFault } from "../../../workflow/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { resolveFrom } from "../../target.ts";

const fileSchema = z.object({
  file: z.string(),
  /** The name and version; null when the file could not be read so far. */
  workflow: z.string().nullable(),
  version: z.number().nullable(),
  faults: z.array(z.object({ line: z.number(), column: z.number(), message: z.string() })),
});

export const check = defineCommand({
  input: z.strictObject({
    files: z.array(z.string().min(1)).min(1).meta({
      positional: true,
      value: "FILE",
      description: "a definition in YAML or JSON",
    }),
  }),
  output: z.object({ isRight: z.boolean(), files: z.array(fileSchema) }),
  examples: ["workflow check order.yaml", "workflow check workflows/*.yaml --json"],
  details:
    "Tells every fault with file, line and column: fields, expressions, names, references, types where schemas are given, signals, and\nworkflows that start themselves as children over the given files. Ends with exit code 1 when there is one. Needs no server, and\nso does not know which capabilities agents offer.",
  async run(ports, { files }) {
    const texts = await Promise.all(files.map((file) => readText(resolveFrom(ports.directory, file))));
    const first = await Promise.all(texts.map((text) => (text.ok ? readDefinition(text.text) : null)));
    const reads = first.flatMap((result) => (result?.ok === true ? [result.read] : []));
    const workflows = familyOf(reads);
    const checked = await Promise.all(
      texts.map(async (text, index) => {
        const file = files[index]!;
        if (!text.ok) return { file, workflow: null, version: null, faults: [text.fault] };
        const result = await readDefinition(text.text, { workflows });
        const { name = null, version = null } = result.ok ? result.read.graph : {};
        return { file, workflow: name, version, faults: result.ok ? [] : result.faults };
      }),
    );
    return { isRight: checked.every(({ faults }) => faults.length === 0), files: checked };
  },
  exitCode: ({ isRight }) => (isRight ? 0 : 1),
  render: ({ files }) =>
    files
      .flatMap(({ file, workflow, version, faults }) =>
        faults.length === 0
          ? [`${file}: ${workflow} v${version} is right`]
          : faults.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`),
      )
      .join("\n"),
});

async function readText(path: string): Promise<{ ok: true; text: string } | { ok: false; fault: TextFault }> {
  try {
    return { ok: true, text: await readFile(path, "utf8") };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return {
      ok: false,
      fault: { line: 1, column: 1, message: `the file cannot be read: ${code ?? message}` },
    };
  }
}

/** The workflows of all files with their children. A child in no file counts as a workflow without children: it may be elsewhere. */
function familyOf(reads: readonly ReadDefinition[]) {
  const family = new Map<string, { children: readonly string[] }>();
  for (const { graph } of reads) {
    const children = childrenOf(graph.steps);
    for (const child of children) if (!family.has(child)) family.set(child, { children: [] });
    family.set(graph.name, { children });
  }
  return family;
}
