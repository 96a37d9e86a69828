// Judges a command before it is stored: a start by its definition, every other command by the log, on a decider that is thrown away. So the
// caller learns of a refusal, and nothing is stored. Engines do it for callers, because they have the definitions.
import { type Json, SwarmError, sha256 } from "../../protocol/index.ts";
import {
  type Author,
  type Command,
  checkInput,
  Decider,
  emptyFold,
  foldLog,
  readSource,
  type WorkflowDefinition,
} from "../../workflow/index.ts";
import type { LogStore } from "../stores/log-store.ts";
import type { CommandStore } from "./command-store.ts";
import { commandSchema } from "./wire.ts";

/** The definitions that a process has loaded. */
export interface Definitions {
  /** The definition of a name and version; without a version, the newest one. */
  find(name: string, version?: number): WorkflowDefinition | undefined;
  /** The names with their versions, sorted. */
  list(): readonly { readonly name: string; readonly versions: readonly number[] }[];
}

/** The facts of a run that name its definition. */
export interface RunOrigin {
  readonly name: string;
  readonly version: number;
  /** The definition as data, where the log has it. */
  readonly definition?: Json;
}

/** The most definitions of logs that a process keeps ready. */
const MAX_READ_SOURCES = 100;

/** Finds the definitions of runs. A definition that is data comes from the log of the run, so a changed file changes no run. */
export class RunDefinitions {
  readonly #loaded: Definitions | null;
  /** By the hash of the data, in the order of their last use; null for data that this version cannot read. */
  readonly #read = new Map<string, WorkflowDefinition | null>();

  constructor(loaded: Definitions | null) {
    this.#loaded = loaded;
  }

  find({ name, version, definition: source }: RunOrigin): WorkflowDefinition | undefined {
    if (source === undefined) return this.#loaded?.find(name, version);
    const key = sha256(JSON.stringify(source));
    const known = this.#read.get(key);
    const definition = known === undefined ? (readSource(source)?.definition ?? null) : known;
    this.#read.delete(key);
    this.#read.set(key, definition);
    for (const oldest of this.#read.keys()) {
      if (this.#read.size <= MAX_READ_SOURCES) break;
      this.#read.delete(oldest);
    }
    return definition ?? undefined;
  }
}

/** The fields of a start that come from its definition. */
export function definitionFields({ source, keepMs }: Pick<WorkflowDefinition, "source" | "keepMs">) {
  return {
    ...(source === undefined ? {} : { definition: source }),
    ...(keepMs === undefined ? {} : { keepMs }),
  };
}

/** A start whose version may be left out. */
export type AskedCommand =
  | Exclude<Command, { type: "start" | "wake" }>
  | (Omit<Extract<Command, { type: "start" }>, "version"> & { readonly version?: number | undefined });

/**
 * Judges a command, and returns it complete: with the version of a start. `definitions` is null in a process that has none: then the
 * values of signals are not checked, and a start is refused.
 * @throws SwarmError with the reason of a refusal; `not_found`, `conflict`, `invalid_input`, `not_permitted`.
 */
export async function judgeCommand(
  parts: {
    logs: Pick<LogStore, "read">;
    /** A start that is stored and waits for its engine: the next commands may come before it is taken. */
    commands: Pick<CommandStore, "pendingStart">;
    definitions: Definitions | null;
    runs: RunDefinitions;
    nowMs: number;
  },
  { id, command, by }: { id: string; command: AskedCommand; by?: Author | undefined },
): Promise<Command> {
  const { logs, definitions, nowMs } = parts;
  if (command.type === "start") return judgeStart(command, definitions);
  const parsed = commandSchema.safeParse(command);
  if (!parsed.success)
    throw new SwarmError("invalid_input", `command: ${parsed.error.issues[0]?.message ?? "does not fit"}`, {
      field: parsed.error.issues[0]?.path.join(".") || "command",
    });
  const { texts } = await logs.read(id);
  const read = foldLog(id, texts);
  if (!read.ok)
    throw new SwarmError(
      "internal",
      `the log of workflow ${id} is broken at entry ${read.entry}: ${read.fault}`,
    );
  const fold = texts.length === 0 ? emptyFold(id) : read.fold;
  const waiting = fold.begun === null ? await parts.commands.pendingStart(id) : null;
  const begun = fold.begun ?? (waiting?.command.type === "start" ? waiting.command : null);
  const definition = begun === null ? null : (parts.runs.find(begun) ?? null);
  const whole = parsed.data as Command;
  const decider = new Decider(fold, definition);
  const trigger = { type: "command" as const, seq: Number.MAX_SAFE_INTEGER, command: whole };
  const { refusals } = decider.decide({
    triggers: [
      ...(waiting === null ? [] : [{ type: "command" as const, ...waiting }]),
      by === undefined ? trigger : { ...trigger, by },
    ],
    nowMs,
  });
  const refusal = refusals.find(
    (each) => each.trigger.type === "command" && each.trigger.seq === trigger.seq,
  );
  if (refusal !== undefined) throw new SwarmError(refusal.code, refusal.message);
  return whole;
}

function judgeStart(
  command: Extract<AskedCommand, { type: "start" }>,
  definitions: Definitions | null,
): Command {
  const { name, version } = command;
  const definition = definitions?.find(name, version);
  if (definition === undefined) {
    const known = definitions?.list().map((each) => `${each.name} v${each.versions.join(", v")}`) ?? [];
    const wanted = version === undefined ? name : `${name} v${version}`;
    throw new SwarmError(
      "not_found",
      `no engine has loaded the workflow ${wanted}; loaded: ${known.join("; ") || "none"}`,
      { field: "workflow" },
    );
  }
  checkInput(definition, command.input);
  for (const { name: signal, value } of command.signals ?? []) {
    const schema = definition.signals.get(signal);
    const known = [...definition.signals.keys()].join(", ") || "none";
    if (schema === undefined)
      throw new SwarmError(
        "invalid_input",
        `workflow ${name} declares no signal ${signal}; declared: ${known}`,
        {
          field: "signals",
        },
      );
    const issue = schema.safeParse(value).error?.issues[0];
    if (issue !== undefined)
      throw new SwarmError("invalid_input", `signal ${signal}: ${issue.message}`, { field: "signals" });
  }
  return { ...command, version: definition.version, ...definitionFields(definition) };
}
