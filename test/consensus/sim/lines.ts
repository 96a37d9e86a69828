// What the simulator says to a node and hears from it: lines of JSON, as the election node speaks them. A member with
// the office's own commands, snapshots and reads (member-node.ts) speaks a few more.

/** Anything that answers lines as the election node does. */
export interface LineNode {
  handleLine(line: string): string;
}

/** A line as the simulator writes it. */
export type Line = { readonly op: string } & Record<string, unknown>;

/** What a node shows of itself. */
export interface NodeState {
  readonly role: string;
  readonly inOffice: boolean;
  readonly term: number;
  readonly vote: string | null;
  readonly leader: string | null;
  readonly appliedSeq: number;
  readonly hash: string;
}

/** An answer to a command. */
export interface CommandAnswer {
  readonly key: string;
  readonly ok: boolean;
  readonly value?: unknown;
  readonly error?: string;
  readonly leader?: string;
}

/** A reply of the node, as far as the simulator reads it. */
export interface Reply {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: string;
  readonly send: readonly { to: string; message: { type: string; term: number; granted?: boolean } }[];
  readonly append: readonly { request: number; expectedLastSeq: number | null; entry: SealedEntry }[];
  readonly answers: readonly CommandAnswer[];
  readonly state: NodeState;
  /** Only from a member-node: */
  readonly reads?: readonly { ticket: string; ok: boolean; value?: string; error?: string }[];
  readonly checkpoint?: { seq: number; isOwn: boolean; text: string; hash: string } | null;
  readonly snapshot?: { seq: number; hash: string; object: string; entrySeq: number } | null;
}

/** A command as it stands in an entry. */
export type Command = { readonly type: string; readonly name: string } & Record<string, unknown>;

/** An entry as it is stored. */
export interface SealedEntry {
  readonly type: string;
  readonly term: number;
  readonly at: number;
  readonly chain: string;
  readonly leader?: string;
  readonly commands?: readonly { key: string; command: Command }[];
  /** Of a snapshot. */
  readonly seq?: number;
  readonly hash?: string;
  readonly object?: string;
}
