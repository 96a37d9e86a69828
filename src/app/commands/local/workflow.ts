// `workflow check`: checks definitions of workflows, in files of data and in modules, without a server.
import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import { z } from "zod";
import { SwarmError } from "../../../protocol/index.ts";
import { childrenOf, type ReadDefinition, readDefinition } from "../../../workflow/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { isModuleFile, listDefinitionFiles, loadDefinitionFile } from "../../processes/definitions.ts";
import { resolveFrom } from "../../target.ts";

const fileSchema = z.object({
  file: z.string(),
  /** The definitions of the file, as far as it could be read. A module may have several versions. */
  definitions: z.array(z.object({ name: z.string(), version: z.number() })),
  faults: z.array(
    z.object({
      /** The module that has the fault, where it is another one than the file. */
      module: z.string().optional(),
      line: z.number(),
      column: z.number(),
      message: z.string(),
    }),
  ),
  /** The modules that the file uses and that were not read, with the reason. */
  unread: z.array(z.object({ module: z.string(), reason: z.string() })),
});

type CheckedFile = z.output<typeof fileSchema>;

export const check = defineCommand({
  input: z.strictObject({
    files: z.array(z.string().min(1)).default([]).meta({
      positional: true,
      value: "FILE",
      description:
        "a definition in YAML, JSON, TypeScript or JavaScript (default: all of the folder workflows/)",
    }),
  }),
  output: z.object({ isRight: z.boolean(), files: z.array(fileSchema) }),
  examples: ["workflow check", "workflow check workflows/order.ts", "workflow check order.yaml --json"],
  details:
    "In YAML and JSON it tells every fault with file, line and column: fields, expressions, names, references, types where schemas are\ngiven, signals, and workflows that start themselves as children over the given files. In TypeScript and JavaScript it follows\nthe code of each workflow, also into other modules of the project, and finds clocks, chance, waits, the environment and the\nnetwork: a replay would find them changed. Then it loads the module. Packages are not read, and are named. Ends with exit code\n1 when there is a fault. Needs no server, and so does not know which capabilities agents offer.",
  async run(ports, { files }) {
    const given = files.length > 0 ? files : await ownFiles(ports);
    const pathOf = (file: string) => resolveFrom(ports.directory, file);
    const data = given.filter((file) => !isModuleFile(file));
    const texts = new Map(
      await Promise.all(data.map(async (file) => [file, await readText(pathOf(file))] as const)),
    );
    const first = await Promise.all(
      [...texts.values()].map((text) => (text.ok ? readDefinition(text.text) : null)),
    );
    const workflows = familyOf(first.flatMap((result) => (result?.ok === true ? [result.read] : [])));
    const checked: CheckedFile[] = [];
    for (const file of given) {
      const text = texts.get(file);
      if (text === undefined) checked.push(await checkModule(file, pathOf(file), ports.directory));
      else checked.push(await checkData(file, text, workflows));
    }
    return { isRight: checked.every(({ faults }) => faults.length === 0), files: checked };
  },
  exitCode: ({ isRight }) => (isRight ? 0 : 1),
  render: ({ files }) => files.flatMap(linesOf).join("\n"),
});

/** The definitions of the project. */
async function ownFiles({ directory, config }: Ports): Promise<string[]> {
  const files = await listDefinitionFiles(resolveFrom(directory, config.workflowsDir));
  if (files.length > 0) return files.map((file) => relative(directory, file));
  throw new SwarmError("invalid_input", `no definition in ${config.workflowsDir}; name the files to check`, {
    field: "files",
  });
}

function linesOf({ file, definitions, faults, unread }: CheckedFile): string[] {
  const names = definitions.map(({ name, version }) => `${name} v${version}`).join(", ");
  return [
    ...(faults.length === 0 ? [`${file}: ${names} ${definitions.length === 1 ? "is" : "are"} right`] : []),
    ...faults.map(({ module, line, column, message }) => `${module ?? file}:${line}:${column}: ${message}`),
    ...unread.map(({ module, reason }) => `${file}: ${module} was not read: ${reason}`),
  ];
}

/** Checks a module: its code first, then whether it loads. */
async function checkModule(file: string, path: string, directory: string): Promise<CheckedFile> {
  const [{ checkSource }, { resolveOwnName }] = await Promise.all([
    import("./workflow-source/index.ts"),
    import("../../processes/agents.ts"),
  ]);
  const source = await checkSource(path);
  const faults: CheckedFile["faults"] = source.faults.map(({ path: at, ...fault }) =>
    at === path ? fault : { module: relative(directory, at), ...fault },
  );
  const unread = source.unread.map(({ module, reason }) => ({
    module: module.startsWith("/") ? relative(directory, module) : module,
    reason,
  }));
  let definitions: CheckedFile["definitions"] = [];
  try {
    resolveOwnName();
    definitions = (await loadDefinitionFile(path)).map(({ name, version }) => ({ name, version }));
  } catch (error) {
    // A fault of the code with its place says more than the error of the load that it leads to.
    const message = (error as Error).message.replace(`${path}: `, "");
    if (faults.length === 0) faults.push({ line: 1, column: 1, message });
  }
  return { file, definitions, faults, unread };
}

type Text = { ok: true; text: string } | { ok: false; message: string };

/** Checks a definition that is data, among the workflows of all files. */
async function checkData(
  file: string,
  text: Text,
  workflows: ReturnType<typeof familyOf>,
): Promise<CheckedFile> {
  if (!text.ok)
    return { file, definitions: [], faults: [{ line: 1, column: 1, message: text.message }], unread: [] };
  const result = await readDefinition(text.text, { workflows });
  if (!result.ok) return { file, definitions: [], faults: [...result.faults], unread: [] };
  const { name, version } = result.read.graph;
  return { file, definitions: [{ name, version }], faults: [], unread: [] };
}

async function readText(path: string): Promise<Text> {
  try {
    return { ok: true, text: await readFile(path, "utf8") };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { ok: false, message: `the file cannot be read: ${code ?? message}` };
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
