// The tokens of an API that runs: those of the file of now. A change counts within seconds, so that adding or revoking a token restarts
// no process.
// I1: a file that cannot be used keeps the tokens that stand; the reason is logged once for each state of the file, and `problem` tells
//     it until the file is good.
// I2: each change is told once, whether it is taken or refused.
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createService, type Logger, type Service } from "../../../base/index.ts";
import { SwarmError, toSwarmError } from "../../../protocol/index.ts";
import { hashOfToken, parseTokens, type TokenEntry } from "./tokens-file.ts";

/** The time between two looks at the file, in ms. A change counts within 5 s, as that of other files. */
const TOKENS_LOOK_MS = 2_000;

/** A change of the file: `outcome` is `done`, or the error code of a refused file. The hashes are those of the contents. */
export interface TokensChange {
  readonly outcome: string;
  readonly from: string;
  readonly to: string | null;
  /** The numbers of tokens that only the new and only the old contents have. */
  readonly added?: number;
  readonly removed?: number;
}

/** A file of tokens, and the tokens that count. */
export class FollowedTokens {
  readonly path: string;
  readonly #log: Logger;
  #text: string;
  #bySha256: ReadonlyMap<string, TokenEntry>;
  /** The state of the file that was refused, and the reason (I1). */
  #refused: { readonly state: string; readonly problem: string } | null = null;

  private constructor(path: string, { log, text }: { log: Logger; text: string }) {
    this.path = path;
    this.#log = log;
    this.#text = text;
    this.#bySha256 = tableOf(parseTokens(text, path));
  }

  /** Reads the file for the first time. @throws SwarmError `invalid_input`. */
  static async read(path: string, { log }: { log: Logger }): Promise<FollowedTokens> {
    return new FollowedTokens(path, { log, text: await readText(path) });
  }

  /** The entry of a token, which may have expired; undefined when the file has none, or has it no longer. */
  find(token: string): TokenEntry | undefined {
    return this.#bySha256.get(hashOfToken(token)); // a caller cannot choose the digest, so the time of the look-up tells nothing
  }

  /** True while the file has this very entry, with the same rights. */
  has(entry: TokenEntry): boolean {
    const now = this.#bySha256.get(entry.sha256);
    return now !== undefined && JSON.stringify(now) === JSON.stringify(entry);
  }

  /** The reason why the file cannot be used now; null for a good one. The earlier tokens count all the same (I1). */
  get problem(): string | null {
    if (this.#refused === null) return null;
    return `${this.#refused.problem}; the earlier tokens count until the file is mended`;
  }

  /** Looks at the file again and again while the service runs. */
  follow(onChange: (change: TokensChange) => void): Service {
    let timer: NodeJS.Timeout | undefined;
    let looking: Promise<void> | null = null;
    return createService({
      name: "API tokens",
      start: () => {
        timer = setInterval(() => {
          looking ??= this.look(onChange).finally(() => {
            looking = null;
          });
        }, TOKENS_LOOK_MS);
        timer.unref();
      },
      stop: async () => {
        clearInterval(timer);
        await looking;
      },
    });
  }

  /** Looks once, takes a changed file that can be used, and tells the change (I2). Never rejects. */
  async look(onChange: (change: TokensChange) => void): Promise<void> {
    const from = digestOf(this.#text);
    let to: string | null = null;
    try {
      const text = await readText(this.path);
      to = digestOf(text);
      if (to === from) {
        if (this.#refused !== null)
          this.#log.info({ file: this.path }, "file of the API's tokens is as before");
        this.#refused = null;
        return;
      }
      if (this.#refused?.state === to) return;
      const next = tableOf(parseTokens(text, this.path));
      const added = [...next.keys()].filter((sha256) => !this.#bySha256.has(sha256)).length;
      const removed = [...this.#bySha256.keys()].filter((sha256) => !next.has(sha256)).length;
      this.#text = text;
      this.#bySha256 = next;
      this.#refused = null;
      this.#log.info(
        { file: this.path, added, removed },
        "file of the API's tokens changed; it counts from now on",
      );
      onChange({ outcome: "done", from, to, added, removed });
    } catch (error) {
      const { code, message: problem } = toSwarmError(error);
      const state = to ?? problem;
      if (this.#refused?.state === state) return; // I1
      this.#refused = { state, problem };
      this.#log.warn(
        { file: this.path, problem },
        "file of the API's tokens changed and cannot be used; the earlier tokens count",
      );
      onChange({ outcome: code, from, to });
    }
  }
}

function tableOf(entries: readonly TokenEntry[]): ReadonlyMap<string, TokenEntry> {
  return new Map(entries.map((entry) => [entry.sha256, entry]));
}

const digestOf = (text: string) => createHash("sha256").update(text).digest("hex");

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? "unknown";
    throw new SwarmError(
      "invalid_input",
      `file ${path} of the API's tokens cannot be read (${why}); name it with MURMUR_API_TOKENS_FILE`,
      { field: "apiTokensFile", cause },
    );
  }
}
