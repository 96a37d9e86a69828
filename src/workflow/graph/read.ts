// Reads a definition from a YAML or JSON text, and tells each fault with file, line and column.
import { type Json, SwarmError } from "../../protocol/index.ts";
import type { WorkflowDefinition } from "../define/define.ts";
import type { Place } from "../expressions/index.ts";
import { checkGraph, type Surroundings } from "./check.ts";
import { FILE_LIMITS, type Graph, type GraphFault } from "./graph.ts";
import { parseGraph } from "./parse.ts";
import { definitionOf } from "./run.ts";

/** The largest definition, in UTF-16 units. */
export const MAX_DEFINITION_LENGTH = 1024 * 1024;
/** The most aliases (`*name`) of a file. Each stands for a copy, and copies of copies grow without bound. */
const MAX_ALIASES = 100;

/** The syntax faults that are told: after the first ones, a parser often sees faults that are none. */
const MAX_SYNTAX_FAULTS = 5;

/** A fault with its place in the file. Lines and columns count from 1. */
export interface TextFault {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** A definition that was read from a text. */
export interface ReadDefinition {
  readonly graph: Graph;
  readonly definition: WorkflowDefinition;
}

/** Reads and checks a definition; all faults are told, in the order of the file. */
export async function readDefinition(
  text: string,
  surroundings: Surroundings = {},
): Promise<{ ok: true; read: ReadDefinition } | { ok: false; faults: TextFault[] }> {
  if (text.length > MAX_DEFINITION_LENGTH) {
    const message = `the definition has ${text.length} characters; at most ${MAX_DEFINITION_LENGTH} are read`;
    return { ok: false, faults: [{ line: 1, column: 1, message }] };
  }
  const { LineCounter, parseDocument } = await import("yaml"); // loaded only where a definition is read
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    const [first] = document.errors;
    if (first?.message.startsWith("Maximum call stack")) {
      // The parser calls itself for each level.
      return {
        ok: false,
        faults: [{ line: 1, column: 1, message: "the file is nested too deeply to be read" }],
      };
    }
    const faults = document.errors.map(({ pos, message }) => ({ ...at(pos[0]), message: wordOf(message) }));
    return { ok: false, faults: faults.slice(0, MAX_SYNTAX_FAULTS) };
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    return { ok: false, faults: [{ line: 1, column: 1, message: (error as Error).message }] };
  }
  const { graph, faults: parsed } = parseGraph(value, FILE_LIMITS);
  const faults = graph === null || parsed.length > 0 ? parsed : checkGraph(graph, surroundings);
  if (graph !== null && faults.length === 0)
    return { ok: true, read: { graph, definition: definitionOf(graph, plainData(value)) } };
  const told = faults.map((fault) => ({ ...at(offsetOf(document, text, fault)), message: fault.message }));
  return { ok: false, faults: told.sort((a, b) => a.line - b.line || a.column - b.column) };
}

/** The definition that the log of a run keeps; null for data that this version cannot read. It was checked before the start. */
export function readSource(source: Json): ReadDefinition | null {
  const { graph, faults } = parseGraph(source, FILE_LIMITS);
  return graph === null || faults.length > 0 ? null : { graph, definition: definitionOf(graph, source) };
}

/** The data of a file as JSON: YAML also has values that JSON has not, and a definition means none of them. */
function plainData(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** As {@link readDefinition}. @throws SwarmError `invalid_input` with all faults, one in a line. */
export async function loadDefinition(
  text: string,
  file: string,
  surroundings?: Surroundings,
): Promise<ReadDefinition> {
  const result = await readDefinition(text, surroundings);
  if (result.ok) return result.read;
  const lines = result.faults.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`);
  throw new SwarmError("invalid_input", lines.join("\n"), { field: "definition" });
}

/** The first line of a message of the YAML parser, without the place, which stands before it anyway. */
function wordOf(message: string): string {
  return message.split("\n")[0]!.replace(/ at line \d+, column \d+:$/, "");
}

/** A parsed YAML file, as far as places are looked up in it. */
interface Located {
  getIn(path: Iterable<unknown>, keepScalar: true): unknown;
}

/** The offset of a fault in the file: of the place, or of the nearest one around it that the file has. */
function offsetOf(document: Located, text: string, { place, at }: GraphFault): number {
  for (let length = place.length; length >= 0; length--) {
    const node = length === 0 ? document : document.getIn(place.slice(0, length) as Place, true);
    const range = (node as { range?: [number, number, number] | null } | undefined)?.range;
    if (range == null) continue;
    const start = range[0];
    if (at === undefined || length < place.length) return start;
    const isQuoted = text[start] === '"' || text[start] === "'";
    const isBlock = text[start] === "|" || text[start] === ">";
    return isBlock ? start : Math.min(start + at + (isQuoted ? 1 : 0), range[1]);
  }
  return 0;
}
