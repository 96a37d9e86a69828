// Broadcasts on their way in: one subscription per topic for all agents of a host, decoded once.
import type { Logger } from "../../base/index.ts";
import type { Subscription } from "../../transport/index.ts";
import type { Agent } from "../agent.ts";
import { type AskLink, readBody } from "../wire/ask.ts";

/** Listens on every topic that one of `agents` has a handler for. */
export function subscribeTopics(agents: Iterable<Agent>, link: AskLink, log: Logger): Subscription[] {
  const listeners = new Map<string, Agent[]>();
  for (const agent of agents) {
    for (const topic of agent.definition.on.keys()) {
      const ofTopic = listeners.get(topic) ?? [];
      ofTopic.push(agent);
      listeners.set(topic, ofTopic);
    }
  }
  return [...listeners].map(([topic, ofTopic]) =>
    link.bus.subscribe(link.subjects.topic(topic), (message) => {
      let value: unknown;
      try {
        value = readBody(message).value;
      } catch (error) {
        log.warn({ err: error, topic }, "a broadcast that cannot be read was dropped");
        return;
      }
      for (const agent of ofTopic) agent.hear({ topic, value });
    }),
  );
}
