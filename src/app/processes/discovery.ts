// Announces a process to NATS services discovery: the endpoints that it serves to queue groups, and the counts of their
// requests, which it takes from the bus. The transport room owns the messages of discovery.
import { HEADERS } from "../../protocol/index.ts";
import {
  type Bus,
  type IncomingRequest,
  type ServiceDescription,
  type Subscription,
  startService,
} from "../../transport/index.ts";

/** The name of the clock's skew, in ms, in the metadata of a process. */
export const CLOCK_SKEW_FACT = "clockSkewMs";

interface Endpoint {
  subject: string;
  queueGroup: string;
  requests: number;
  errors: number;
  lastError: string;
  processingMs: number;
}

/** A bus that records its subscriptions of queue groups, and announces them when `announce` is called. */
export function createDiscovery(bus: Bus): {
  bus: Bus;
  announce(
    service: Omit<ServiceDescription, "endpoints"> & { liveMetadata?: () => Record<string, string> },
  ): Subscription;
} {
  const endpoints = new Map<string, Endpoint>();
  const nameOf = ({ subject }: Endpoint) =>
    subject
      .split(".")
      .slice(1)
      .filter((token) => token !== "*") // a name takes no wildcard (ADR-32)
      .join("-");
  return {
    bus: {
      publish: (subject, data, options) => bus.publish(subject, data, options),
      request: (subject, data, options) => bus.request(subject, data, options),
      converse: (subject, data, options) => bus.converse(subject, data, options),
      scatter: (subject, data, options) => bus.scatter(subject, data, options),
      flush: () => bus.flush(),
      subscribe(subject, onMessage, options) {
        const queueGroup = options?.queue;
        if (queueGroup === undefined) return bus.subscribe(subject, onMessage, options);
        const endpoint = endpoints.get(subject) ?? {
          subject,
          queueGroup,
          requests: 0,
          errors: 0,
          lastError: "",
          processingMs: 0,
        };
        endpoints.set(subject, endpoint);
        return bus.subscribe(subject, (message) => onMessage(counted(message, endpoint)), options);
      },
    },
    announce({ liveMetadata, ...service }) {
      const known = [...endpoints.values()];
      return startService(bus, {
        service: {
          ...service,
          endpoints: known.map((endpoint) => ({
            name: nameOf(endpoint),
            subject: endpoint.subject,
            queueGroup: endpoint.queueGroup,
          })),
        },
        liveMetadata,
        stats: (name) => known.find((endpoint) => nameOf(endpoint) === name)!,
      });
    },
  };
}

function counted(message: IncomingRequest, endpoint: Endpoint): IncomingRequest {
  let countedMs = performance.now();
  endpoint.requests++;
  return {
    subject: message.subject,
    data: message.data,
    wantsReply: message.wantsReply,
    header: (name) => message.header(name),
    respond(data, headers, options) {
      // A request may get several replies: each adds the time since the one before.
      endpoint.processingMs += performance.now() - countedMs;
      countedMs = performance.now();
      const error = headers?.[HEADERS.serviceError];
      if (error !== undefined) {
        endpoint.errors++;
        endpoint.lastError = error;
      }
      message.respond(data, headers, options);
    },
  };
}
