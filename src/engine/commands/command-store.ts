// The stored commands of workflows: appends them, reads them in the order of the stream, and arranges wake-ups.
import { type Clock, toIsoTime } from "../../base/index.ts";
import { encode, HEADERS, PROTOCOL_VERSION, type Subjects, SwarmError } from "../../protocol/index.ts";
import type { Incoming, Stored, Transport } from "../../transport/index.ts";
import { bodyHeaders, isLarge, packLarge, unpackStored } from "../../work/index.ts";
import type { Command } from "../../workflow/index.ts";
import { encodeCommand, readCommand, type StoredCommand } from "./wire.ts";

/** A command with its place in the stream. */
export interface SequencedCommand extends StoredCommand {
  readonly seq: number;
}

/** A wake-up that is due within this time is a command at once, in ms: the server looks at schedules about as often. */
const NEAR_MS = 20;

/** The commands of one swarm. */
export class CommandStore {
  readonly #transport: Transport;
  readonly #subjects: Subjects;
  readonly #clock: Clock;

  constructor(parts: { transport: Transport; subjects: Subjects; clock: Clock }) {
    this.#transport = parts.transport;
    this.#subjects = parts.subjects;
    this.#clock = parts.clock;
  }

  /**
   * Stores a command, and resolves with its sequence. `isFirst`: only if no command of this type to this workflow is stored.
   * @throws SwarmError `conflict` for `isFirst`; `unavailable`: it may be stored or not.
   */
  async append(
    workflowId: string,
    stored: StoredCommand,
    options: { isFirst?: boolean } = {},
  ): Promise<number> {
    let data = encodeCommand(stored);
    if (isLarge(data)) data = await packLarge(data, "json", this.#transport.blobs);
    const { seq } = await this.#transport
      .log("flow")
      .append(this.#subjects.flow(workflowId, stored.command.type), data, {
        headers: bodyHeaders("json"),
        ...(options.isFirst === true ? { expectedLastSubjectSeq: 0 } : {}),
      });
    return seq;
  }

  /** Decodes a stored command. @throws SwarmError `invalid_input` for a body that is none; `unavailable`, `not_found` for its blob. */
  async read(message: Incoming, command: string): Promise<StoredCommand> {
    const { value } = await unpackStored(message, this.#transport.blobs);
    return readCommand(value, command);
  }

  /** The start command that is stored and not taken yet, or null. */
  async pendingStart(workflowId: string): Promise<SequencedCommand | null> {
    const stored = await this.#transport
      .log("flow")
      .last(this.#subjects.flow(workflowId, "start"), { fresh: true });
    return stored === null ? null : { seq: stored.seq, ...(await this.read(stored, "start")) };
  }

  /**
   * The stored commands of a workflow after `afterSeq` and up to `untilSeq`, in the order of the stream, read from its leader. A body
   * that is no command is left out: its delivery tells the fault.
   */
  async *between(workflowId: string, afterSeq: number, untilSeq: number): AsyncIterable<SequencedCommand> {
    const log = this.#transport.log("flow");
    const filter = this.#subjects.filters.commandsOf(workflowId);
    for (let from = afterSeq + 1; from <= untilSeq; ) {
      const stored: Stored | null = await log.next(filter, from);
      if (stored === null || stored.seq > untilSeq) return;
      from = stored.seq + 1;
      const command = await this.#readOrNull(stored);
      if (command !== null) yield { seq: stored.seq, ...command };
    }
  }

  async #readOrNull(stored: Stored): Promise<StoredCommand | null> {
    const address = this.#subjects.readFlow(stored.subject);
    if (address === null) return null;
    try {
      return await this.read(stored, address.command);
    } catch (error) {
      if (error instanceof SwarmError && error.code === "unavailable") throw error;
      return null;
    }
  }

  /** Arranges the wake-up `n`. Safe to repeat. @throws SwarmError `unavailable`. */
  async wake(workflowId: string, n: number, atMs: number): Promise<void> {
    const command: Command = { type: "wake", n };
    if (atMs <= this.#clock.now() + NEAR_MS) {
      await this.append(workflowId, { command });
      return;
    }
    try {
      await this.#transport
        .log("flow")
        .append(this.#subjects.wake(workflowId, String(n)), encode({ command }), {
          headers: {
            ...bodyHeaders("json"),
            [HEADERS.version]: PROTOCOL_VERSION,
            [HEADERS.schedule]: `@at ${toIsoTime(atMs)}`,
            [HEADERS.scheduleTarget]: this.#subjects.flow(workflowId, "wake"),
          },
          expectedLastSubjectSeq: 0, // A second schedule would move the time of the first one.
        });
    } catch (error) {
      if (!(error instanceof SwarmError) || error.code !== "conflict") throw error;
    }
  }
}
