// The permissions file of a process that runs: the contents of now. A change counts within seconds, so that adding or revoking a user
// restarts no process.
// I1: a file that cannot be used keeps the contents that stand; the reason is logged once for each state of the file, and
//     `problem` tells it until the file is good.
// I2: each change is told once, whether it is taken or refused.
import { createService, type Logger, type Service } from "../../base/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import {
  hashOfFile,
  type LocatedPermissions,
  type Permissions,
  parseLocated,
  readPermissionsText,
} from "./file.ts";
import { findIdle } from "./rights.ts";
import { usersOf } from "./role.ts";

/** The time between two looks at the file, in ms: as between two looks at the files of the connection. A change counts within 5 s. */
const PERMISSIONS_LOOK_MS = 2_000;

/** A change of the file: `outcome` is `done`, or the error code of a refused file. */
export interface PermissionsChange {
  readonly outcome: string;
  /** The SHA-256 of the contents that counted before, in hex. */
  readonly from: string;
  /** The SHA-256 of the new contents, in hex; null for a file that cannot be read. */
  readonly to: string | null;
  /** The numbers of users that the new file names and the old one did not, and the other way round; only of a file that is taken. */
  readonly added?: number;
  readonly removed?: number;
}

/** A permissions file, and its contents that count. */
export class FollowedPermissions {
  readonly #path: string;
  readonly #log: Logger;
  #located: LocatedPermissions;
  /** The state of the file that was refused, and the reason (I1). */
  #refused: { readonly state: string; readonly problem: string } | null = null;

  private constructor(path: string, { log, located }: { log: Logger; located: LocatedPermissions }) {
    this.#path = path;
    this.#log = log;
    this.#located = located;
    this.#tellIdle();
  }

  /** Reads the file for the first time. @throws SwarmError `invalid_input`, as `readPermissions`. */
  static async read(path: string, { log }: { log: Logger }): Promise<FollowedPermissions> {
    const text = await readPermissionsText(path);
    return new FollowedPermissions(path, { log, located: await parseLocated(text, path) });
  }

  /** The contents that count. */
  get now(): Permissions {
    return this.#located.permissions;
  }

  /** The contents that count, with their lines. */
  get located(): LocatedPermissions {
    return this.#located;
  }

  /** The SHA-256 of the contents that count, in hex. */
  get hash(): string {
    return this.#located.hash;
  }

  /**
   * The reason why the file cannot be used now, while the earlier contents count (I1); else the capabilities that no user submits. Null
   * for a good file.
   */
  get problem(): string | null {
    if (this.#refused === null) return this.#idle;
    return `${this.#refused.problem}; the earlier contents count until the file is mended`;
  }

  get #idle(): string | null {
    const [first, ...more] = findIdle(this.now);
    if (first === undefined) return null;
    const others = more.length === 0 ? "" : ` and ${more.length} more`;
    return `${this.#path}: no publisher and no operator submits tasks of ${first.capability} (classes[${first.class}])${others}, so its agents wait in vain; add it to a publisher, or remove it from the class`;
  }

  #tellIdle(): void {
    const problem = this.#idle;
    if (problem !== null) this.#log.warn({ problem }, "permissions file has agents without work");
  }

  /** Looks at the file again and again while the service runs. */
  follow(onChange: (change: PermissionsChange) => void): Service {
    let timer: NodeJS.Timeout | undefined;
    let looking: Promise<void> | null = null;
    return createService({
      name: "permissions file",
      start: () => {
        timer = setInterval(() => {
          looking ??= this.look(onChange).finally(() => {
            looking = null;
          });
        }, PERMISSIONS_LOOK_MS);
        timer.unref();
      },
      stop: async () => {
        clearInterval(timer);
        await looking;
      },
    });
  }

  /** Looks once, takes a changed file that can be used, and tells the change (I2). Never rejects. */
  async look(onChange: (change: PermissionsChange) => void): Promise<void> {
    const from = this.hash;
    let to: string | null = null;
    try {
      const text = await readPermissionsText(this.#path);
      to = hashOfFile(text);
      if (to === from) {
        if (this.#refused !== null) this.#log.info({ file: this.#path }, "permissions file is as before");
        this.#refused = null;
        return;
      }
      if (this.#refused?.state === to) return;
      const next = await parseLocated(text, this.#path);
      this.#requireSameSwarm(next.permissions);
      const change = { outcome: "done", from, to, ...countUsers(this.now, next.permissions) };
      this.#located = next;
      this.#refused = null;
      this.#log.info(
        { file: this.#path, added: change.added, removed: change.removed },
        "permissions file changed; its rights count from now on",
      );
      this.#tellIdle();
      onChange(change);
    } catch (error) {
      const { code, message: problem } = toSwarmError(error);
      const state = to ?? problem;
      if (this.#refused?.state === state) return; // I1
      this.#refused = { state, problem };
      this.#log.warn(
        { file: this.#path, problem },
        "permissions file changed and cannot be used; the earlier rights count",
      );
      onChange({ outcome: code, from, to });
    }
  }

  /** The names of subjects and streams begin with the prefix, and the connection of this process has one account. */
  #requireSameSwarm({ prefix }: Permissions): void {
    if (prefix === this.now.prefix) return;
    throw new SwarmError(
      "invalid_input",
      `${this.#path}: prefix must stay ${this.now.prefix}, got ${prefix}; another swarm needs processes of its own`,
      { field: "prefix" },
    );
  }
}

function countUsers(before: Permissions, after: Permissions): { added: number; removed: number } {
  const [old, now] = [new Set(usersOf(before)), new Set(usersOf(after))];
  return {
    added: [...now].filter((user) => !old.has(user)).length,
    removed: [...old].filter((user) => !now.has(user)).length,
  };
}
