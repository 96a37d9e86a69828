// Operations that the NATS server did not permit this connection. Fails the requests that wait for an answer, which will not come,
// and reports each violation. The server names the operation and the subject, and nothing of the message.
import { PermissionViolationError } from "@nats-io/nats-core";
import { SwarmError } from "../../protocol/index.ts";
import type { Subscription, Violation } from "../ports.ts";

/** The violation that an error of the connection tells; null for any other error. */
export function readViolation(error: unknown): Violation | null {
  if (!(error instanceof PermissionViolationError) || error.subject === "") return null;
  return { operation: error.operation === "publish" ? "publish" : "subscribe", subject: error.subject };
}

/** The error of an action that needs what the server does not permit. */
export function notPermitted(
  { operation, subject, advice }: Violation,
  doing: string,
  user: string,
): SwarmError {
  const verb = operation === "publish" ? "publish to" : "subscribe to";
  return new SwarmError(
    "not_permitted",
    `${doing}: NATS does not permit ${user} to ${verb} ${subject}: ${advice ?? "give the user this permission, or connect as another one"}`,
    { field: "subject" },
  );
}

/** Reports violations to their listeners. */
export class Violations {
  readonly #listeners = new Set<(violation: Violation) => void>();

  onViolation(listener: (violation: Violation) => void): Subscription {
    this.#listeners.add(listener);
    return { close: () => this.#listeners.delete(listener) };
  }

  report(violation: Violation): void {
    for (const listener of this.#listeners) listener(violation);
  }
}
