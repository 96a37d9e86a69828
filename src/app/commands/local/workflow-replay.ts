// `workflow replay`: makes the decisions of recorded logs again with the definitions of today.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { tryJson } from "../../../base/index.ts";
import { workflowIdSchema } from "../../../engine/index.ts";
import { isJsonObject, parse, SwarmError } from "../../../protocol/index.ts";
import { MAX_LOG_BYTES, replayLog } from "../../../workflow/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { printable } from "../../cli/terminal.ts";
import { exportWorkflow } from "../../operations/workflows.ts";
import { resolveOwnName } from "../../processes/agents.ts";
import { loadDefinitions } from "../../processes/definitions.ts";
import { resolveFrom } from "../../target.ts";
import { callOperation } from "../face.ts";

/** The ending of an exported log. */
const LOG_ENDING = ".jsonl";
/** The most logs of one call: a folder with more is probably another one. */
const MAX_LOGS = 10_000;
/** The largest file: a log and its chain hashes. */
const MAX_LOG_FILE_BYTES = 2 * MAX_LOG_BYTES;

/** A log with the place that it came from. */
interface Source {
  readonly from: string;
  readonly read: () => Promise<{ id: string; texts: readonly string[] }>;
}

const logSchema = z.object({
  /** The file, or the id of the run. */
  from: z.string(),
  id: z.string(),
  workflow: z.string().nullable(),
  version: z.int().nullable(),
  entries: z.int(),
  /** The entries that were taken as they are, because the run was blocked. */
  taken: z.int(),
  fault: z.string().nullable(),
  difference: z
    .object({ entry: z.int(), fact: z.int(), log: z.unknown().nullable(), code: z.unknown().nullable() })
    .nullable(),
});

export const replay = defineCommand({
  input: z.strictObject({
    logs: z
      .array(z.string().min(1))
      .min(1)
      .meta({
        positional: true,
        value: "RUN|FILE|DIR",
        description: `the id of a run, an exported log, or a folder of logs (${LOG_ENDING})`,
      }),
  }),
  output: z.object({
    isSame: z.boolean(),
    logs: z.array(logSchema),
    /** The logs after the first difference, which were not replayed. */
    left: z.int(),
  }),
  examples: ["workflow replay order-81", "workflow replay logs"],
  details:
    "Makes each recorded decision again from its triggers, with the definitions in workflows/ (setting workflowsDir), and compares the\nfacts. Stops at the first difference, and shows both sides: exit code 1, for CI. A file or a folder needs no server:\nmurmur workflow export order-81 > logs/order-81.jsonl writes one. Wake-ups are not\ncompared, and entries of a blocked run are taken as they are.",
  async run(ports, { logs }) {
    const sources = await findSources(ports, logs);
    resolveOwnName();
    const definitions = await loadDefinitions(resolveFrom(ports.directory, ports.config.workflowsDir));
    const done: z.output<typeof logSchema>[] = [];
    for (const { from, read } of sources) {
      const { id, texts } = await read();
      const result = replayLog(id, texts, (name, version) => definitions.find(name, version));
      done.push({ from, ...result });
      if (isDifferent(result)) break;
    }
    return {
      isSame: !done.some(isDifferent),
      logs: done,
      left: sources.length - done.length,
    };
  },
  exitCode: ({ isSame }) => (isSame ? 0 : 1),
  render: ({ logs, left }) =>
    [
      ...logs.flatMap(renderLog),
      ...(left > 0 ? [`${left} further logs were not replayed after the first difference`] : []),
    ].join("\n"),
});

const isDifferent = ({ fault, difference }: { fault: string | null; difference: unknown }) =>
  fault !== null || difference !== null;

function renderLog(log: z.output<typeof logSchema>): string[] {
  const { from, workflow, version, entries, taken, fault, difference } = log;
  if (fault !== null) return [`${from}: not replayed: ${printable(fault)}`];
  const blocked = taken === 0 ? "" : `, ${taken} of them taken as they are`;
  if (difference === null)
    return [`${from}: ${workflow} v${version}, ${entries} entries are the same${blocked}`];
  const show = (fact: unknown) => (fact === null ? "nothing" : printable(JSON.stringify(fact)));
  return [
    `${from}: ${workflow} v${version} differs in fact ${difference.fact} of entry ${difference.entry}`,
    `  the log:  ${show(difference.log)}`,
    `  the code: ${show(difference.code)}`,
  ];
}

/** @throws SwarmError `invalid_input` for a folder without logs, and for too many. */
async function findSources(ports: Ports, given: readonly string[]): Promise<Source[]> {
  const sources: Source[] = [];
  for (const text of given) {
    const path = resolveFrom(ports.directory, text);
    const found = await stat(path).catch(() => null);
    if (found === null) sources.push(runSource(ports, text));
    else if (!found.isDirectory()) sources.push(fileSource(path, text));
    else {
      const names = (await readdir(path)).filter((name) => name.endsWith(LOG_ENDING)).sort();
      if (names.length === 0)
        throw new SwarmError(
          "invalid_input",
          `${text} has no log: expected files that end with ${LOG_ENDING}`,
          {
            field: "logs",
          },
        );
      sources.push(...names.map((name) => fileSource(join(path, name), join(text, name))));
    }
  }
  if (sources.length <= MAX_LOGS) return sources;
  throw new SwarmError("invalid_input", `expected at most ${MAX_LOGS} logs, got ${sources.length}`, {
    field: "logs",
  });
}

function runSource(ports: Ports, id: string): Source {
  const runId = parse(workflowIdSchema, id, `${id} is no file, and as the id of a run`, "logs");
  return {
    from: runId,
    read: async () => {
      const { entries } = await callOperation(ports, exportWorkflow, { id: runId });
      return { id: runId, texts: entries };
    },
  };
}

function fileSource(path: string, from: string): Source {
  const refuse = (problem: string): never => {
    throw new SwarmError("invalid_input", `${from}: ${problem}`, { field: "logs" });
  };
  return {
    from,
    async read() {
      const { size } = await stat(path);
      if (size > MAX_LOG_FILE_BYTES) refuse(`has ${size} bytes; a log has at most ${MAX_LOG_FILE_BYTES}`);
      const texts = (await readFile(path, "utf8")).split("\n").filter((line) => line !== "");
      const first = tryJson(texts[0] ?? "");
      if (!isJsonObject(first) || typeof first.id !== "string")
        return refuse("is no log: expected one entry in a line, as murmur workflow export writes it");
      return { id: first.id, texts };
    },
  };
}
