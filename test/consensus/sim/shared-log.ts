// The shared log of the simulator: stores an entry when the expectation holds, as a JetStream stream does, and
// checks what may ever be stored. Owns the log only; delays and lost answers are the world's.

import { assert } from "../../../src/base/index.ts";
import { createModel, type StoredEntry } from "./model.ts";

/** An append on its way. */
export interface Append {
  readonly node: string;
  readonly incarnation: number;
  readonly request: number;
  /** null only from a broken node: then there is no fence. */
  readonly expectedLastSeq: number | null;
  readonly entry: StoredEntry & { readonly chain: string };
  /** Set when a client was told that this will never be stored. */
  denied: string | null;
  stored: boolean;
}

/** How the log answers a repeated append that it holds already: one replica refuses, three say "duplicate". */
export type LogKind = "refuses repeats" | "recognises repeats";

/** What the log made of an append. */
export type AppendOutcome = { readonly accepted: number } | { readonly refused: number };

/** An empty log. */
export function createSharedLog(kind: LogKind) {
  const entries: Append["entry"][] = [];
  const model = createModel();
  let term = 0;
  let holder: string | null = null;

  function check(append: Append, seq: number): void {
    const { entry, node } = append;
    assert(
      append.denied === null,
      `entry ${seq} holds ${append.denied}, of which ${node} had said it never will`,
    );
    if (entry.type === "office-taken") {
      assert(entry.term > term, `office-taken of term ${entry.term} is stored in term ${term}`);
      assert(entry.leader === node, `${node} takes the office for ${entry.leader}`);
      term = entry.term;
      holder = node;
      return;
    }
    assert(entry.term === term, `entry ${seq} of term ${entry.term} is stored in term ${term}`);
    assert(holder === node, `entry ${seq} of ${node} is stored while ${holder} holds the office`);
  }

  return {
    entries,
    model,
    append(append: Append): AppendOutcome {
      const { expectedLastSeq, entry } = append;
      if (expectedLastSeq !== null && expectedLastSeq !== entries.length) {
        const isRepeat = entries[expectedLastSeq]?.chain === entry.chain;
        if (isRepeat) append.stored = true;
        if (isRepeat && kind === "recognises repeats") return { accepted: expectedLastSeq + 1 };
        return { refused: entries.length };
      }
      const seq = entries.length + 1;
      check(append, seq);
      entries.push(entry);
      append.stored = true;
      model.apply(seq, entry);
      return { accepted: seq };
    },
  };
}
