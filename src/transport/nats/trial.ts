// Tries permissions of a connection without an effect. nats-server checks the subject of a published message first, and then rejects a
// message whose reply subject begins with `_R_.`, which it keeps for itself (server/client.go: processInboundClientMsg,
// isReservedReply). So it judges such a message, and delivers it to no subscriber, stream or API. A subscription ends in the same
// write that begins it.
import { SwarmError } from "../../protocol/index.ts";
import type { PermissionTrial, Trial } from "../ports.ts";
import type { Link } from "./link.ts";
import { readViolation } from "./violations.ts";

/** The start of the reply subjects of attempts. The server rejects each, and names it. */
const RESERVED_REPLY = "_R_.murmur-trial.";
/** The longest wait for the answers, in ms. A live server answers some hundred attempts within a few ms. */
const ANSWERS_TIMEOUT_MS = 5_000;

/**
 * Tries every operation on this connection, see `Transport.tryPermissions`.
 * @throws SwarmError `unavailable`: the connection was lost.
 */
export async function tryPermissions(
  link: Link,
  control: string,
  attempts: readonly Trial[],
): Promise<PermissionTrial[]> {
  const isGuarded = (await judge(link, control, [])) === "allowed";
  const tried = attempts.filter(({ operation }) => isGuarded || operation === "subscribe");
  const answers = new Map<Trial, PermissionTrial>();
  const last = await judge(link, control, tried, answers);
  return attempts.map((attempt) => (last === "untried" ? "untried" : (answers.get(attempt) ?? "untried")));
}

/**
 * Sends the attempts, and after them one to publish to `control`. The server answers in their order, so the answer to the last one
 * tells that all others are judged. Resolves to the outcome of `control`: `untried` means that the server did not answer it.
 */
function judge(
  link: Link,
  control: string,
  attempts: readonly Trial[],
  answers = new Map<Trial, PermissionTrial>(),
): Promise<PermissionTrial> {
  const { nc } = link;
  const allowed = new Set<string>();
  const refused = new Set<string>();
  const lastReply = `${RESERVED_REPLY}${attempts.length}`;
  return new Promise((resolve, reject) => {
    const finish = (outcome: PermissionTrial) => {
      close();
      for (const [index, attempt] of attempts.entries()) {
        if (refused.has(`${attempt.operation} ${attempt.subject}`)) answers.set(attempt, "refused");
        else if (attempt.operation === "subscribe" || allowed.has(`${RESERVED_REPLY}${index}`)) {
          answers.set(attempt, "allowed");
        }
      }
      resolve(outcome);
    };
    const timer = setTimeout(() => finish("untried"), ANSWERS_TIMEOUT_MS);
    const errors = link.onServerError((error) => {
      const violation = readViolation(error);
      if (violation !== null) {
        refused.add(`${violation.operation} ${violation.subject}`);
        if (violation.operation === "publish" && violation.subject === control) finish("refused");
        return;
      }
      const reply = /Publish with Reply of "([^"]+)"/.exec(error.message)?.[1];
      if (reply === undefined) return;
      allowed.add(reply);
      if (reply === lastReply) finish("allowed");
    });
    const states = link.onState((state) => {
      if (state === "connected") return;
      close();
      reject(new SwarmError("unavailable", "the connection to NATS was lost while permissions were tried"));
    });
    const close = () => {
      clearTimeout(timer);
      errors.close();
      states.close();
    };
    const publish = (subject: string, index: number) =>
      nc.publish(subject, "", { reply: `${RESERVED_REPLY}${index}` });
    for (const [index, { operation, subject }] of attempts.entries()) {
      if (operation === "publish") publish(subject, index);
      else nc.subscribe(subject, { callback: () => undefined }).unsubscribe();
    }
    publish(control, attempts.length);
  });
}
