// Receives broadcasts: one subscription per topic for all agents of a host. Each broadcast is decoded once.
import type { Logger } from "../../base/index.ts";
import type { Subscription } from "../../transport/index.ts";
import type { Agent } from "../agent.ts";
import { type AskLink, readBody } from "../wire/ask.ts";

/** Subscribes to every topic that at least one of `agents` handles. */
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
        log.warn({ err: error, topic }, "broadcast not readable; dropped");
        return;
      }
      for (const agent of ofTopic) agent.receiveBroadcast({ topic, value });
    }),
  );
}
