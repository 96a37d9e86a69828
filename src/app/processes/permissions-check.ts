// The condition of readiness that NATS permits this process what it tries. Pure, apart from the listening.
import { type Clock, systemClock } from "../../base/index.ts";
import type { Transport, Violation } from "../../transport/index.ts";
import type { Check } from "../http/readiness.ts";

/**
 * How long a forbidden publish counts, in ms. A process that lacks a right of its role tries again within this time; a single
 * message of a task must not spoil the readiness of its process for ever.
 */
export const PUBLISH_COUNTS_MS = 60_000;
/** The most subjects in the problem. */
const MAX_NAMED = 3;
/** The most subjects that are remembered. Subjects may hold ids, so their number has no bound of its own. */
const MAX_REMEMBERED = 100;

/** A forbidden subscription is not asked for again, so it counts until the process connects anew; a forbidden publish for a minute. */
export function permissionsCheck(
  transport: Pick<Transport, "onViolation" | "onState">,
  clock: Pick<Clock, "now"> = systemClock,
): { check: Check; close(): void } {
  const seen = new Map<string, { violation: Violation; atMs: number }>();
  const violations = transport.onViolation((violation) => {
    const key = `${violation.operation} ${violation.subject}`;
    if (seen.size >= MAX_REMEMBERED && !seen.has(key)) return;
    seen.set(key, { violation, atMs: clock.now() });
  });
  const states = transport.onState((state) => {
    if (state === "connected") seen.clear();
  });
  const look = () => {
    for (const [key, { violation, atMs }] of seen) {
      if (violation.operation === "publish" && clock.now() - atMs >= PUBLISH_COUNTS_MS) seen.delete(key);
    }
    if (seen.size === 0) return null;
    const named = [...seen].slice(0, MAX_NAMED);
    const shown = named.map(([key]) => key).join(", ");
    const more = seen.size > MAX_NAMED ? ` and ${seen.size - MAX_NAMED} more` : "";
    const advice = new Set(named.flatMap(([, { violation }]) => violation.advice ?? []));
    const next =
      advice.size === 0 ? "give this user the permission, or take another user" : [...advice].join("; ");
    return `NATS does not permit: ${shown}${more}; ${next}`;
  };
  return {
    check: { name: "permissions", look },
    close: () => {
      violations.close();
      states.close();
    },
  };
}
