// `new project` and `new agent`: the files that a user's own swarm needs. Owns the disk; the texts are in scaffold/.
// I1: a file that is there is never changed, except that a project's package.json gets the keys that it lacks. All files are
//     checked before the first one is written.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { z } from "zod";
import { SwarmError } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { IS_CHECKOUT, ownSource, PACKAGE_ROOT, readOwnManifest } from "../../own-package.ts";
import {
  AGENT_NAME,
  agentFiles,
  type NewFile,
  packageName,
  projectFiles,
  projectManifest,
} from "../../scaffold/templates.ts";

/** The name of the agent of a new project. */
const FIRST_AGENT = "greet";

const answerSchema = z.strictObject({
  directory: z.string(),
  /** Paths below the directory. */
  created: z.array(z.string()),
  /** Paths below the directory of files that were there and got the keys that they lacked. */
  completed: z.array(z.string()),
  /** The next commands to type, in order. */
  next: z.array(z.string()),
});
type Answer = z.output<typeof answerSchema>;

export const agent = defineCommand({
  input: z.strictObject({
    name: z
      .string()
      .regex(
        AGENT_NAME,
        "must be lower-case letters, digits and single hyphens, beginning with a letter, 1–64 characters",
      )
      .meta({ positional: true, value: "NAME", description: "the agent's name, folder and capability" }),
  }),
  output: answerSchema,
  examples: ["new agent summarise", "new agent summarise --json"],
  details:
    "Writes agents/NAME/agent.ts (in the folder of the setting agentsDir) and test/NAME.test.ts below the current directory.\nFiles that are there are never changed.",
  async run({ directory, config }, { name }): Promise<Answer> {
    const folder = relative(directory, resolve(directory, config.agentsDir)).split(sep).join("/");
    if (folder === "" || folder.startsWith("..") || isAbsolute(folder)) {
      throw new SwarmError(
        "invalid_input",
        `agentsDir must be a folder below ${directory}, got ${config.agentsDir}: run this in the folder of the project`,
        { field: "agentsDir" },
      );
    }
    const created = writeAll(directory, agentFiles(name, folder));
    const isProject = existsSync(join(directory, "package.json"));
    const next = [
      ...(isProject ? [] : ["murmur new project"]),
      "npm test",
      `murmur up --detach --agents ${name}`,
      `murmur submit ${name} --input '{"name": "Ada"}' --wait`,
    ];
    return { directory, created, completed: [], next };
  },
  namesCommands: true,
  render: show,
});

export const project = defineCommand({
  input: z.strictObject({
    directory: z
      .string()
      .min(1)
      .default(".")
      .meta({ positional: true, value: "DIR", description: "the folder of the project; it may exist" }),
  }),
  output: answerSchema,
  examples: ["new project", "new project my-swarm --json"],
  details:
    "Writes package.json, tsconfig.json, .gitignore, an agent and its test. A package.json that is there gets the keys that it\nlacks; other files that are there are never changed.",
  async run(ports, input): Promise<Answer> {
    const directory = resolve(ports.directory, input.directory);
    const own = readOwnManifest();
    const source = ownSource(directory);
    const facts = {
      name: packageName(basename(directory)),
      node: own.engines.node,
      packages: { ...own.peerDependencies, ...(source === undefined ? {} : { [own.name]: source }) },
    };
    const file = join(directory, "package.json");
    const isThere = existsSync(file);
    const manifest = projectManifest(isThere ? readManifest(file) : {}, facts);
    if ("problem" in manifest)
      throw new SwarmError("conflict", String(manifest.problem), { field: "directory" });
    const dependencies = manifest.dependencies as Record<string, string>;
    const text = `${JSON.stringify(manifest, null, 2)}\n`;
    const others = [...projectFiles(), ...agentFiles(FIRST_AGENT, "agents")];
    // npm and git write a .gitignore of their own: the project keeps it.
    const files = others.filter(({ path }) => path !== ".gitignore" || !existsSync(join(directory, path)));
    const created = writeAll(directory, isThere ? files : [{ path: "package.json", text }, ...files]);
    if (isThere) {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    }
    const place = relative(ports.directory, directory);
    const next = [
      ...(place === "" ? [] : [`cd ${place}`]),
      ...(dependencies[own.name] === undefined ? installFromTarball(own.version) : ["npm install"]),
      "npm test",
      `murmur up --detach --agents ${FIRST_AGENT}`,
      `murmur submit ${FIRST_AGENT} --input '{"name": "Ada"}' --wait`,
    ];
    return { directory, created, completed: isThere ? ["package.json"] : [], next };
  },
  namesCommands: true,
  render: show,
});

/** Where no project names the source of the package: npm installs it from its tarball, which the checkout makes. */
function installFromTarball(version: string): string[] {
  const tarball = `murmur-swarm-${version}.tgz`;
  if (!IS_CHECKOUT) return [`npm install PATH/${tarball}`];
  return [`npm --prefix ${PACKAGE_ROOT} run package`, `npm install ${join(PACKAGE_ROOT, tarball)}`];
}

function readManifest(file: string): Record<string, unknown> {
  let manifest: unknown;
  try {
    manifest = JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new SwarmError("conflict", `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof manifest !== "object" || manifest === null || Array.isArray(manifest))
    throw new SwarmError("conflict", `${file} must be a JSON object`);
  return manifest as Record<string, unknown>;
}

/** Writes all files, or none when one is there (I1). Returns their paths. */
function writeAll(directory: string, files: readonly NewFile[]): string[] {
  const there = files.filter(({ path }) => existsSync(join(directory, path))).map(({ path }) => path);
  if (there.length > 0) {
    throw new SwarmError(
      "conflict",
      `${there.join(", ")} in ${directory} would be overwritten; nothing was written: remove or rename them, or choose another name`,
    );
  }
  for (const { path, text } of files) {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    // wx: another process may have written the file since the check.
    writeFileSync(file, text, { flag: "wx" });
  }
  return files.map(({ path }) => path);
}

function show({ directory, created, completed, next }: Answer): string {
  return [
    `in ${directory}:`,
    ...created.map((path) => `  created    ${path}`),
    ...completed.map((path) => `  completed  ${path}`),
    "next:",
    ...next.map((command) => `  ${command}`),
  ].join("\n");
}
