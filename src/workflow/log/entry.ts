// One entry of a workflow's log: the facts of one decision, sealed by a hash chain. The field `chain` comes first; it is the SHA-256 over
// the chain of the entry before and the text of this entry as it is stored, without the field. So a reader notices a changed, foreign,
// missing or reordered entry. The text is never written anew, so it needs no canonical form. Pure.
import { tryJson } from "../../base/index.ts";
import { isJsonObject, type JsonObject, sha256 } from "../../protocol/index.ts";
import { ENTRY_UPCASTERS, FACT_TYPES, type Fact, WORKFLOW_ENTRY_VERSION } from "./facts.ts";

/** An entry without its seal. */
export interface EntryBody {
  readonly v: number;
  readonly id: string;
  /** The number of the entry in its generation, from 1. */
  readonly entry: number;
  /** The log time in ms since 1970. It never falls. */
  readonly atMs: number;
  readonly facts: readonly Fact[];
  /** The sequences of the commands that the decision took. */
  readonly took?: readonly number[];
}

/** An entry as it is stored. */
export interface Entry extends EntryBody {
  readonly chain: string;
}

/** A sealed entry and its text. */
export interface SealedEntry {
  readonly entry: Entry;
  /** The JSON text, as it is stored. */
  readonly text: string;
}

/** A valid entry, or its fault. */
export type ReadEntry = { ok: true; entry: Entry; bytes: number } | { ok: false; fault: string };

/** The chain before the first entry of a run. */
export function firstChain(id: string): string {
  return sha256(`workflow\n${id}`);
}

/** Seals an entry after the entry with `previousChain`. */
export function sealEntry(body: EntryBody, previousChain: string): SealedEntry {
  const text = JSON.stringify(body);
  const chain = chainOf(text, previousChain);
  return { entry: { ...body, chain }, text: `{"chain":"${chain}",${text.slice(1)}` };
}

/**
 * Reads a stored entry, and checks version, identity, chain and facts, in this order. `previousChain` is null for the first entry of a
 * rolled-up log, whose predecessor is gone: then the chain is taken as it is.
 */
export function readEntry(
  text: string,
  { id, previousChain }: { id: string; previousChain: string | null },
): ReadEntry {
  const value = tryJson(text);
  if (!isJsonObject(value)) return bad("entry is no JSON object");
  const raised = raise(value);
  if (!raised.ok) return raised;
  if (value.id !== id) return bad(`entry is of workflow ${JSON.stringify(value.id)}, expected "${id}"`);
  const { chain } = value;
  if (typeof chain !== "string") return bad("entry has no chain hash");
  if (previousChain !== null) {
    const expected = chainOf(bodyText(text, chain), previousChain);
    if (chain !== expected) return bad(`chain hash is ${chain.slice(0, 64)}, expected ${expected}`);
  }
  const entry = raised.value as unknown as Entry;
  if (!Number.isSafeInteger(entry.entry) || !Number.isSafeInteger(entry.atMs)) {
    return bad("entry has no proper number and time");
  }
  if (!Array.isArray(entry.facts)) return bad("entry has no list of facts");
  const unknown = entry.facts.find(
    (fact: unknown) => !isJsonObject(fact) || !FACT_TYPES.has(String(fact.type)),
  );
  if (unknown !== undefined) return bad(`entry has the unknown fact ${JSON.stringify(unknown).slice(0, 80)}`);
  return { ok: true, entry, bytes: Buffer.byteLength(text) };
}

function raise(value: JsonObject): { ok: true; value: JsonObject } | { ok: false; fault: string } {
  const { v } = value;
  if (v === WORKFLOW_ENTRY_VERSION) return { ok: true, value };
  if (typeof v !== "number" || !Object.hasOwn(ENTRY_UPCASTERS, v)) {
    return {
      ok: false,
      fault: `entry version ${JSON.stringify(v)} is unknown; known: up to ${WORKFLOW_ENTRY_VERSION}`,
    };
  }
  let current = value;
  for (let version = v; version < WORKFLOW_ENTRY_VERSION; version++) {
    current = { ...ENTRY_UPCASTERS[version]?.(current), v: version + 1 };
  }
  return { ok: true, value: current };
}

/** The text that was sealed; another text when the chain is not the first field. */
function bodyText(text: string, chain: string): string {
  const head = `{"chain":"${chain}",`;
  return text.startsWith(head) ? `{${text.slice(head.length)}` : text;
}

function chainOf(body: string, previousChain: string): string {
  return sha256(`${previousChain}\n${body}`);
}

function bad(fault: string): { ok: false; fault: string } {
  return { ok: false, fault };
}
