// The lists of one role's permissions on NATS, and the question whether they allow an operation. Pure.
import { fitsFilter } from "../../protocol/index.ts";

/** One line of a list: a subject with or without wildcards. */
export interface Grant {
  readonly subject: string;
  /** The use that the role makes of it. */
  readonly why: string;
  /** The reason why the line allows more than this use; absent for a line that fits. */
  readonly wide?: string;
}

/** The two lists of an operation. A denied subject wins over an allowed one. */
export interface Grants {
  readonly allow: readonly Grant[];
  readonly deny: readonly Grant[];
}

/** An operation that NATS permits or refuses. */
export type NatsOperation = "publish" | "subscribe";

/** Everything that a role may do on NATS. */
export interface RolePermissions {
  readonly publish: Grants;
  readonly subscribe: Grants;
}

/** Collects the lines of a role. A subject that is granted twice keeps its first reason. */
export class GrantList {
  readonly #lists = { publish: new Map<string, Grant>(), subscribe: new Map<string, Grant>() };

  publish(why: string, subjects: string | readonly string[], wide?: string): void {
    this.#add("publish", why, subjects, wide);
  }

  subscribe(why: string, subjects: string | readonly string[], wide?: string): void {
    this.#add("subscribe", why, subjects, wide);
  }

  #add(
    operation: NatsOperation,
    why: string,
    subjects: string | readonly string[],
    wide: string | undefined,
  ): void {
    const list = this.#lists[operation];
    for (const subject of [subjects].flat()) {
      if (!list.has(subject)) list.set(subject, { subject, why, ...(wide === undefined ? {} : { wide }) });
    }
  }

  /** The finished lists. No role needs a deny list: NATS refuses everything that no line allows. */
  get permissions(): RolePermissions {
    const { publish, subscribe } = this.#lists;
    return {
      publish: { allow: [...publish.values()], deny: [] },
      subscribe: { allow: [...subscribe.values()], deny: [] },
    };
  }
}

/** The line that allows an operation on a subject, which may have wildcards; null when NATS refuses it. */
export function findGrant(
  permissions: RolePermissions,
  operation: NatsOperation,
  subject: string,
): Grant | null {
  const { allow, deny } = permissions[operation];
  if (deny.some((grant) => covers(grant.subject, subject))) return null;
  return allow.find((grant) => covers(grant.subject, subject)) ?? null;
}

/** True if every subject that fits `pattern` also fits `filter`. */
function covers(filter: string, pattern: string): boolean {
  const isOpenEnded = pattern.endsWith(".>") || pattern === ">";
  if (isOpenEnded && !filter.endsWith(">")) return false;
  return fitsFilter(filter, pattern);
}
