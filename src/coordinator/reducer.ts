// A reducer is the part that one folder of this room adds to the office: its commands, its state, and the decisions that
// change the state. Owns the type of a reducer, and combines several reducers into one command set (state.ts). Pure.
//
// R1  Every command belongs to exactly one reducer: the reducer that lists its type.
// R2  A reducer decides from its state, the command and log time alone, and changes only its own state.
// R3  A later decision never changes a value that `toJson` returned: a snapshot writes that value in slices while the
//     state changes.
// R4  Results are part of the state that all coordinators hash, with the text of a refusal. Two versions of the program
//     must give the same result for the same command, so never edit the text of a refusal.
import type { z } from "zod";
import type { CommandSet } from "../consensus/index.ts";
import {
  canonicalJson,
  type ErrorCode,
  type Json,
  type JsonObject,
  parse,
  SwarmError,
  sha256,
} from "../protocol/index.ts";

/** A command as the log holds it. An optional field without a value is absent, never undefined. */
export type LogCommand = { readonly type: string };

/** A decision against a request. The fold keeps it under the command's key, so a repeat with this key gets it again. */
export interface Refusal extends JsonObject {
  readonly error: { readonly code: RefusalCode; readonly message: string; readonly field?: string };
}

/** The error codes that a refusal may have. */
export type RefusalCode = Extract<ErrorCode, "conflict" | "not_found" | "budget_exceeded">;

/** One part of the office's state. */
export interface Reducer<S, C extends LogCommand> {
  /** The schemas of the commands by type. A coordinator that reads a command of another type halts. */
  readonly commands: Readonly<Record<C["type"], z.ZodType<C>>>;
  empty(): S;
  /** Decides one command at log time `at` (ticks of {@link LOG_TICK_MS}), changing `state` in place. */
  decide(state: S, command: C, at: number): Json;
  /** The state as JSON: everything that later decisions depend on, in an order that depends on the state alone (R3). */
  toJson(state: S): Json;
  /**
   * A short value that represents the state in the hash of the whole state. Default: the JSON of the state. A part needs
   * its own digest when it is too large to hash its JSON each time.
   */
  digest?(state: S): Json;
  /** Restores the state from the JSON of {@link Reducer.toJson}. The caller has verified the hash of that JSON. */
  fromJson(json: Json): S;
  /**
   * Adds `count` to every counter whose values callers keep (fencing tokens, revisions), in place. A recovery needs this:
   * callers may have numbers from lost entries, and no caller may get such a number again. A reducer without such a
   * counter omits it.
   */
  skipAhead?(state: S, count: number): void;
}

/** Makes a refusal. */
export function refuse(code: RefusalCode, message: string, field?: string): Refusal {
  return { error: field === undefined ? { code, message } : { code, message, field } };
}

/** A reducer of unknown state and commands. `combine` passes each reducer only the reducer's own commands and state. */
type AnyReducer = Reducer<unknown, LogCommand>;

type StateOf<R> = R extends Reducer<infer S, infer _C> ? S : never;
type CommandOf<R> = R extends Reducer<infer _S, infer C> ? C : never;

/** A command set that also reports which field of an invalid command is wrong. */
export interface Combined<S, C> extends CommandSet<S, C> {
  /** @throws SwarmError `invalid_input` naming the field. */
  read(value: unknown): C;
}

/**
 * Combines reducers into one command set. Reads are not commands here: the office waits for a barrier and reads the
 * state.
 */
export function combine<P extends Readonly<Record<string, AnyReducer>>>(
  parts: P,
): Combined<{ readonly [K in keyof P]: StateOf<P[K]> }, CommandOf<P[keyof P]>> {
  type State = { readonly [K in keyof P]: StateOf<P[K]> };
  type Command = CommandOf<P[keyof P]>;
  const owners = new Map<string, { name: string; part: AnyReducer; schema: z.ZodType }>();
  for (const [name, part] of Object.entries(parts)) {
    for (const [type, schema] of Object.entries(part.commands)) {
      owners.set(type, { name, part, schema: schema as z.ZodType });
    }
  }
  const names = Object.keys(parts).sort();
  function read(value: unknown): Command {
    const type = (value as { type?: unknown } | null)?.type;
    const owner = typeof type === "string" ? owners.get(type) : undefined;
    if (owner === undefined) {
      throw new SwarmError("invalid_input", `command type ${JSON.stringify(type)} is unknown`, {
        field: "type",
      });
    }
    return parse(owner.schema, value, type as string) as Command;
  }
  return {
    empty: () => Object.fromEntries(names.map((name) => [name, parts[name]!.empty()])) as State,
    read,
    parse(value) {
      try {
        return { ok: true, command: read(value) };
      } catch (error) {
        if (error instanceof SwarmError) return { ok: false, error: error.message };
        throw error;
      }
    },
    isRead: () => false,
    decide(state, command, at) {
      const { name, part } = owners.get((command as LogCommand).type)!;
      return part.decide(state[name], command, at);
    },
    digest(state) {
      const digests = names.map((name) => {
        const part = parts[name]!;
        return part.digest?.(state[name]) ?? part.toJson(state[name]);
      });
      return sha256(canonicalJson(digests));
    },
    toJson: (state) => Object.fromEntries(names.map((name) => [name, parts[name]!.toJson(state[name])])),
    fromJson(json) {
      const unknown = Object.keys(json as JsonObject).filter((name) => !Object.hasOwn(parts, name));
      // A newer version wrote the snapshot. Without the unknown parts, this version would lose them.
      if (unknown.length > 0)
        throw new Error(`the state has parts that this version does not know: ${unknown.join(", ")}`);
      // If an older version wrote the snapshot, a part may be missing. It starts empty, as in a log without its
      // commands.
      return Object.fromEntries(
        names.map((name) => {
          const saved = (json as JsonObject)[name];
          const part = parts[name]!;
          return [name, saved === undefined ? part.empty() : part.fromJson(saved)];
        }),
      ) as State;
    },
    skipAhead(state, count) {
      for (const name of names) parts[name]!.skipAhead?.(state[name], count);
    },
  };
}
