// Answers the requests to an agent's mailbox, `<p>.agent.<agentId>.<verb>`: ping, status, pause, resume and drain.
// Leaves the verb `ask` to ask-desk.ts. host.ts subscribes to the mailbox and calls `answerVerb`.
import type { Clock } from "../../base/index.ts";
import { lastToken, SwarmError, showValue, toSwarmError } from "../../protocol/index.ts";
import type { IncomingRequest } from "../../transport/index.ts";
import type { Agent } from "../agent.ts";
import { respond, respondError } from "../wire/ask.ts";
import type { AskDesk } from "./ask-desk.ts";

/** The verbs of an agent's mailbox. */
export const AGENT_VERBS = ["ping", "status", "pause", "resume", "drain", "ask"] as const;

/** Answers one request; an error becomes an error reply. For the verb `ask`, the ask desk replies later. */
export function answerVerb(
  agent: Agent,
  request: IncomingRequest,
  parts: { desk: AskDesk; clock: Clock },
): void {
  const verb = lastToken(request.subject);
  try {
    if (verb === "ask") parts.desk.receiveFor(agent, request);
    else if (verb === "ping") {
      respond(request, { id: agent.id, at: new Date(parts.clock.now()).toISOString() }, "json");
    } else {
      applyVerb(agent, verb);
      respond(request, agent.status(), "json");
    }
  } catch (error) {
    respondError(request, toSwarmError(error));
  }
}

function applyVerb(agent: Agent, verb: string): void {
  switch (verb) {
    case "status":
      return;
    case "pause":
      agent.pause();
      return;
    case "resume":
      agent.resume();
      return;
    case "drain":
      agent.drain();
      return;
    default:
      throw new SwarmError(
        "invalid_input",
        `the mailbox verb must be one of ${AGENT_VERBS.join(", ")}, got ${showValue(verb)}`,
        { field: "verb" },
      );
  }
}
