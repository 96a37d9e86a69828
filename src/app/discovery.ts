// NATS services discovery (ADR-32): answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, so that `nats micro ls` and every
// other NATS client find Murmur's processes. Counts the requests of the endpoints it announces by watching the bus.
import { createService, newId, type Service } from "../base/index.ts";
import { encode, HEADERS } from "../protocol/index.ts";
import type { Bus, IncomingRequest, Subscription } from "../transport/index.ts";

/** What a process announces. `name` and `version` follow ADR-32: a token, a semantic version. */
export interface Announcement {
  name: "murmur-agent" | "murmur-api";
  version: string;
  description: string;
  metadata: Readonly<Record<string, string>>;
}

interface EndpointStats {
  requests: number;
  errors: number;
  lastError: string;
  processingNanos: number;
}

interface Endpoint extends EndpointStats {
  subject: string;
  queue: string;
}

/** A bus that remembers what it serves to queue groups, and a service that tells of it. */
export function createDiscovery(bus: Bus, announcement: Announcement): { bus: Bus; service: Service } {
  const endpoints = new Map<string, Endpoint>();
  const startedAt = new Date().toISOString();
  const id = newId();
  const head = {
    name: announcement.name,
    id,
    version: announcement.version,
    metadata: announcement.metadata,
  };
  const shown = () =>
    [...endpoints.values()].map((endpoint) => ({
      name: endpoint.subject.split(".").slice(1).join("-"),
      subject: endpoint.subject,
      queue_group: endpoint.queue,
      metadata: {},
    }));
  const answers = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...head }),
    INFO: () => ({
      type: "io.nats.micro.v1.info_response",
      ...head,
      description: announcement.description,
      endpoints: shown(),
    }),
    STATS: () => ({
      type: "io.nats.micro.v1.stats_response",
      ...head,
      started: startedAt,
      endpoints: [...endpoints.values()].map((endpoint, index) => ({
        ...shown()[index],
        num_requests: endpoint.requests,
        num_errors: endpoint.errors,
        last_error: endpoint.lastError,
        processing_time: endpoint.processingNanos,
        average_processing_time:
          endpoint.requests === 0 ? 0 : Math.round(endpoint.processingNanos / endpoint.requests),
      })),
    }),
  };
  const subscriptions: Subscription[] = [];
  return {
    bus: {
      ...delegate(bus),
      subscribe(subject, onMessage, options) {
        const queue = options?.queue;
        if (queue === undefined) return bus.subscribe(subject, onMessage, options);
        const endpoint = endpoints.get(subject) ?? {
          subject,
          queue,
          requests: 0,
          errors: 0,
          lastError: "",
          processingNanos: 0,
        };
        endpoints.set(subject, endpoint);
        const opened = bus.subscribe(subject, (message) => onMessage(counted(message, endpoint)), options);
        return {
          close: () => {
            endpoints.delete(subject);
            opened.close();
          },
        };
      },
    },
    service: createService({
      name: "discovery",
      start: () => {
        for (const verb of ["PING", "INFO", "STATS"] as const) {
          for (const subject of [
            verb,
            `${verb}.${announcement.name}`,
            `${verb}.${announcement.name}.${id}`,
          ]) {
            subscriptions.push(
              bus.subscribe(`$SRV.${subject}`, (request) => request.respond(encode(answers[verb]()))),
            );
          }
        }
      },
      stop: () => {
        for (const subscription of subscriptions) subscription.close();
      },
    }),
  };
}

/** A bus's own methods, bound: a spread alone would lose those of a class. */
function delegate(bus: Bus): Bus {
  return {
    publish: bus.publish.bind(bus),
    subscribe: bus.subscribe.bind(bus),
    request: bus.request.bind(bus),
    scatter: bus.scatter.bind(bus),
    flush: bus.flush.bind(bus),
  };
}

function counted(message: IncomingRequest, stats: EndpointStats): IncomingRequest {
  const startedMs = performance.now();
  stats.requests++;
  return {
    subject: message.subject,
    data: message.data,
    wantsReply: message.wantsReply,
    header: (name) => message.header(name),
    respond(data, headers) {
      stats.processingNanos += Math.round((performance.now() - startedMs) * 1_000_000);
      const error = headers?.[HEADERS.serviceError];
      if (error !== undefined) {
        stats.errors++;
        stats.lastError = error;
      }
      message.respond(data, headers);
    },
  };
}
