// The lines of JSON between the simulator and a node, in the format of the election node. The member-node
// (member-node.ts), with the office's own commands, snapshots and reads, has a few more.

/** A node that answers lines as the election node does. */
export interface LineNode {
  handleLine(line: string): string;
}

/** A line from the simulator. */
export type Line = { readonly op: string } & Record<string, unknown>;

/** The visible state of a node. */
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

/** The fields of a reply that the simulator reads. */
export interface Reply {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: string;
  readonly send: readonly { to: string; message: { type: string; term: number; granted?: boolean } }[];
  readonly append: readonly { request: number; expectedLastSeq: number | null; entry: SealedEntry }[];
  readonly answers: readonly CommandAnswer[];
  readonly state: NodeState;
  /** This field and the next two come only from a member-node. */
  readonly reads?: readonly { ticket: string; ok: boolean; value?: string; error?: string }[];
  readonly checkpoint?: { seq: number; isOwn: boolean; text: string; hash: string } | null;
  readonly snapshot?: { seq: number; hash: string; object: string; entrySeq: number } | null;
}

/** A command in an entry. */
export type Command = { readonly type: string; readonly name: string } & Record<string, unknown>;

/** An entry as it is stored. */
export interface SealedEntry {
  readonly type: string;
  readonly term: number;
  readonly at: number;
  readonly chain: string;
  readonly leader?: string;
  readonly commands?: readonly { key: string; command: Command }[];
  /** This field and the next two belong to a snapshot entry. */
  readonly seq?: number;
  readonly hash?: string;
  readonly object?: string;
}
