// What one folder of this room adds to the office: its commands, its state, and how the one changes the other. Owns the
// shape, and how several become the one command set that the office folds. Pure.
//
// R1  Every command belongs to exactly one reducer: the one that lists its type.
// R2  A reducer decides from its state, the command and log time alone, and changes nothing but its state.
// R3  What `toJson` gives is never changed by a later decision: it is written out bit by bit while the state goes on.
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

/** A command as it stands in the log. Fields that are not there are absent, never undefined. */
export type LogCommand = { readonly type: string };

/** A decision not to do what was asked. It is stored with the command, and repeated to whoever repeats the key. */
export interface Refusal extends JsonObject {
  readonly error: { readonly code: RefusalCode; readonly message: string; readonly field?: string };
}

/** The codes of refusals: none that asking again with the same key could change. */
export type RefusalCode = Extract<ErrorCode, "conflict" | "not_found" | "budget_exceeded">;

/** One part of the office's state. */
export interface Reducer<S, C extends LogCommand> {
  /** The commands by type. Version 1 of entries knows exactly these; a reader that meets another one halts. */
  readonly commands: Readonly<Record<C["type"], z.ZodType<C>>>;
  empty(): S;
  /** Decides one command at log time `at` (ticks of {@link LOG_TICK_MS}), changing `state` in place. */
  decide(state: S, command: C, at: number): Json;
  /** The state as JSON: everything that decides later answers, in an order that depends on nothing else (R3). */
  toJson(state: S): Json;
  /** What stands for the state in its hash; by default its JSON. For a part that is too large to be hashed anew each time. */
  digest?(state: S): Json;
  /** The state that {@link Reducer.toJson} made this JSON of. Its hash was checked before. */
  fromJson(json: Json): S;
  /**
   * Moves every counter whose values outsiders keep (fencing tokens, revisions) on by `count`, in place: the log lost
   * entries, and what they gave away must not be given again. Left out where there is no such counter.
   */
  skipAhead?(state: S, count: number): void;
}

/** Makes a refusal. */
export function refuse(code: RefusalCode, message: string, field?: string): Refusal {
  return { error: field === undefined ? { code, message } : { code, message, field } };
}

/** Any reducer, its own types forgotten; `combine` gives each only its own commands and state. */
type AnyReducer = Reducer<unknown, LogCommand>;

type StateOf<R> = R extends Reducer<infer S, infer _C> ? S : never;
type CommandOf<R> = R extends Reducer<infer _S, infer C> ? C : never;

/** A command set that says of a command that is none what is wrong with which field. */
export interface Combined<S, C> extends CommandSet<S, C> {
  /** @throws SwarmError `invalid_input` naming the field. */
  read(value: unknown): C;
}

/** Several reducers as one command set. Reads are no commands here: they wait for a barrier and look at the state. */
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
      // A newer writer's: to go on without it would be to forget it.
      if (unknown.length > 0) throw new Error(`its state has parts that are unknown: ${unknown.join(", ")}`);
      // A part that the snapshot's writer did not know yet begins empty, as it does in a log without its commands.
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
