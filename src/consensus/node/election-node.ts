// The election node: one member of the election that reads JSON lines and writes JSON lines, so that a test harness in
// another process can act as network, clock and log. Pure: one line in, one line out. The command `murmur debug
// election-node` (app/commands/debug-election-node.ts) reads the lines and calls it.
//
//   const node = createElectionNode();
//   node.handleLine('{"id":1,"op":"init","node":"1","peers":["1"], …}') // → '{"id":1,"ok":true,"send":[], …}'
//
// N1  Equal lines give byte-identical replies. The node reads no clock, and the seed is its only source of chance.
// N2  A refused line gives one reply with an error and leaves the state unchanged.

import { isJsonObject, type Json, type JsonObject } from "../../protocol/index.ts";
import { stepElection } from "../election/election.ts";
import type { ElectionConfig } from "../election/state.ts";
import type { CommandSet } from "../log/fold.ts";
import {
  createMember,
  haltedError,
  loadLog,
  type Member,
  type MemberEffects,
  type MemberInput,
  type MemberParts,
  stepMember,
  viewMember,
} from "../office/member.ts";
import { type RegisterCommand, type Registers, registers } from "./registers.ts";

/** The longest accepted line, in bytes without the line feed. */
export const MAX_LINE_BYTES = 1_024 * 1_024;

/** The most ticks in one line. It bounds the work for one line and the size of its reply. */
export const MAX_TICKS = 1_000_000;

/** The longest idempotency key, node id or swarm name, in UTF-16 code units. */
export const MAX_TOKEN_LENGTH = 1_024;

/** The most members of a swarm. This is a plausibility bound, not a limit of the algorithm. */
export const MAX_CLUSTER_SIZE = 99;

/** One node. */
export interface ElectionNode {
  /** Takes one line (without the line feed) and returns one line. */
  handleLine(line: string): string;
  /** The reply to a line that could not be read as text. Its id is null, because the line's id is unknown. */
  refuseLine(error: string): string;
}

type NodeMember = Member<Registers, RegisterCommand>;
type Effects = MemberEffects<RegisterCommand>;

/** The content of a well-formed line, without its id. */
type Request =
  | {
      readonly op: "init";
      readonly config: ElectionConfig;
      readonly seed: number;
      readonly log: readonly JsonObject[];
    }
  | { readonly op: "ticks"; readonly count: number }
  | { readonly op: "step"; readonly input: MemberInput<RegisterCommand> };

/** The reason why a line is refused. Its message names the expected value. */
class LineError extends Error {}

/** The parts of a node. Only tests replace them (see internal.ts). */
export interface NodeParts extends MemberParts {
  readonly registers: CommandSet<Registers, RegisterCommand>;
  /** Called with each new member, after it has read its log. */
  readonly onStart?: (member: NodeMember) => void;
}

/** The parts that production uses. */
export const productionParts: NodeParts = { stepElection, registers };

/** Creates a node that is not initialised yet. Only tests pass other parts. */
export function createElectionNode(parts: NodeParts = productionParts): ElectionNode {
  let member: NodeMember | null = null;

  return {
    handleLine(line) {
      let id: string | number | null = null;
      try {
        const value = parseLine(line);
        if (typeof value.id === "string" || typeof value.id === "number") id = value.id;
        if (id === null) throw new LineError("expected an id that is a string or a number");
        const request = readRequest(value);
        if (request.op === "init") {
          const started = createMember({ ...request, commandSet: parts.registers }, parts);
          const halted = loadLog(started, request.log);
          member = started;
          parts.onStart?.(started);
          return reply(id, member, { ...NO_EFFECTS, ...(halted === undefined ? {} : { error: halted }) });
        }
        if (member === null) throw new LineError("node is not initialised; send init first");
        return reply(id, member, runRequest(member, request));
      } catch (error) {
        if (!(error instanceof LineError)) throw error;
        return reply(id, member, { ...NO_EFFECTS, error: error.message });
      }
    },
    refuseLine: (error) => reply(null, member, { ...NO_EFFECTS, error }),
  };
}

const NO_EFFECTS: Effects = {
  send: [],
  appends: [],
  answers: [],
  reads: [],
  checkpoint: null,
  snapshot: null,
};

function runRequest(member: NodeMember, request: Exclude<Request, { op: "init" }>): Effects {
  if (request.op === "step") return stepMember(member, request.input);
  const halted = haltedError(member);
  if (halted !== undefined) return { ...NO_EFFECTS, error: halted };
  const all = {
    send: [...NO_EFFECTS.send],
    appends: [...NO_EFFECTS.appends],
    answers: [...NO_EFFECTS.answers],
  };
  for (let count = 0; count < request.count; count++) {
    const effects = stepMember(member, { type: "tick" });
    all.send.push(...effects.send);
    all.appends.push(...effects.appends);
    all.answers.push(...effects.answers);
  }
  return { ...NO_EFFECTS, ...all };
}

function reply(id: string | number | null, member: NodeMember | null, effects: Effects): string {
  const { error, send, appends, answers } = effects;
  const outcome = error === undefined ? { id, ok: true } : { id, ok: false, error };
  if (member === null) return JSON.stringify(outcome);
  return JSON.stringify({ ...outcome, send, append: appends, answers, state: viewMember(member) });
}

// Reading a line

function parseLine(line: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new LineError("line is not JSON");
  }
  if (!isJsonObject(value)) throw new LineError("line is not a JSON object");
  return value;
}

function readRequest(line: JsonObject): Request {
  switch (line.op) {
    case "init":
      return readInit(line);
    case "tick":
      return { op: "ticks", count: readCount(line, "n", 0, MAX_TICKS) };
    case "campaign":
    case "restart":
      return { op: "step", input: { type: line.op } };
    case "transfer":
      return { op: "step", input: { type: "transfer", to: readString(line, "to") } };
    case "receive":
      return {
        op: "step",
        input: { type: "receive", from: readString(line, "from"), message: readObject(line, "message") },
      };
    case "command":
      return {
        op: "step",
        input: { type: "command", key: readToken(line, "key"), command: readCommand(line) },
      };
    case "log":
      return { op: "step", input: readLogEvent(line) };
    default:
      throw new LineError(
        "op is unknown; known: init, tick, campaign, transfer, receive, restart, command, log",
      );
  }
}

function readInit(line: JsonObject): Request {
  const node = readToken(line, "node");
  const members = readMembers(line, node);
  const electionTicks = readCount(line, "electionTicks", 2, MAX_TICKS);
  return {
    op: "init",
    config: {
      node,
      members,
      swarm: readToken(line, "swarm"),
      electionTicks,
      heartbeatTicks: readCount(line, "heartbeatTicks", 1, electionTicks - 1),
      preVote: readFlag(line, "preVote"),
      checkQuorum: readFlag(line, "checkQuorum"),
    },
    seed: readSeed(line),
    log: readLog(line.log ?? []),
  };
}

function readMembers(line: JsonObject, node: string): string[] {
  const peers = line.peers;
  if (!Array.isArray(peers) || peers.length > MAX_CLUSTER_SIZE || !peers.every(isToken)) {
    throw new LineError(`expected peers to be a list of at most ${MAX_CLUSTER_SIZE} ids`);
  }
  if (new Set(peers).size !== peers.length) throw new LineError("expected every peer to be listed once");
  if (!peers.includes(node)) throw new LineError("expected peers to list the node itself");
  return peers;
}

function readLog(log: Json): JsonObject[] {
  if (!Array.isArray(log)) throw new LineError("expected log to be a list of {seq, entry}");
  return log.map((item: Json, index) => {
    if (!isJsonObject(item)) throw new LineError("expected log to be a list of {seq, entry}");
    const seq = readCount(item, "seq", 1, Number.MAX_SAFE_INTEGER);
    if (seq !== index + 1)
      throw new LineError(`gap: expected log to continue with seq ${index + 1}, got ${seq}`);
    return readObject(item, "entry");
  });
}

function readLogEvent(line: JsonObject): MemberInput<RegisterCommand> {
  const event = line.event;
  if (event === "stored") {
    return { type: event, seq: readCount(line, "seq", 1), entry: readObject(line, "entry") };
  }
  if (event === "accepted")
    return { type: event, request: readCount(line, "request"), seq: readCount(line, "seq", 1) };
  if (event === "refused") {
    return { type: event, request: readCount(line, "request"), lastSeq: readCount(line, "lastSeq") };
  }
  if (event === "unknown") return { type: event, request: readCount(line, "request") };
  throw new LineError("event is unknown; known: stored, accepted, refused, unknown");
}

function readCommand(line: JsonObject): RegisterCommand {
  const parsed = registers.parse(line.command);
  if (!parsed.ok) throw new LineError(`command is malformed: ${parsed.error}`);
  return parsed.command;
}

// Reading a field

function readString(line: JsonObject, name: string): string {
  const value = line[name];
  if (typeof value !== "string") throw new LineError(`expected ${name} to be a string`);
  return value;
}

function readToken(line: JsonObject, name: string): string {
  const value = line[name];
  if (!isToken(value))
    throw new LineError(`expected ${name} to be a string of 1 to ${MAX_TOKEN_LENGTH} characters`);
  return value;
}

function readObject(line: JsonObject, name: string): JsonObject {
  const value = line[name];
  if (!isJsonObject(value)) throw new LineError(`expected ${name} to be an object`);
  return value;
}

/** Reads a switch. Default: true. */
function readFlag(line: JsonObject, name: string): boolean {
  const value = line[name];
  if (value === undefined) return true;
  if (typeof value !== "boolean") throw new LineError(`expected ${name} to be true or false`);
  return value;
}

function readSeed(line: JsonObject): number {
  const seed = line.seed;
  if (!Number.isSafeInteger(seed)) throw new LineError("expected seed to be an integer");
  return seed as number;
}

function readCount(line: JsonObject, name: string, low = 0, high = Number.MAX_SAFE_INTEGER): number {
  const value = line[name];
  if (!Number.isSafeInteger(value) || (value as number) < low || (value as number) > high) {
    throw new LineError(`expected ${name} to be an integer from ${low} to ${high}`);
  }
  return value as number;
}

function isToken(value: unknown): value is string {
  return typeof value === "string" && value.length > 0 && value.length <= MAX_TOKEN_LENGTH;
}
