// Services discovery (NATS ADR-32) over the bus: every process answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, so
// that `nats micro ls` and every other micro client can see the swarm. The endpoints themselves are subscribed
// elsewhere; here they are only described and counted.

import { z } from "zod";
import { utf8Bytes } from "../base/index.ts";
import { parse, tokenSchema } from "../protocol/index.ts";
import type { Bus, Subscription } from "./ports.ts";

/** The counts of one endpoint since the service started. */
export interface EndpointStats {
  requests: number;
  errors: number;
  /** The last error's text; empty when there was none. */
  lastError: string;
  /** Time spent in the handler, in ms, over all requests. */
  processingMs: number;
  /** Anything else worth showing; must survive JSON. */
  data?: unknown;
}

/** What a process tells about itself. */
export interface ServiceDescription {
  /** The kind of process, for example `murmur-agent`; shared by all its instances. */
  name: string;
  /** This instance; one token. */
  id: string;
  /** A semantic version. */
  version: string;
  description: string;
  /** Facts of this instance, for example its host. */
  metadata: Record<string, string>;
  /** What it answers. `queueGroup` absent: every instance gets every request. */
  endpoints: readonly {
    name: string;
    subject: string;
    queueGroup?: string;
    metadata?: Record<string, string>;
  }[];
}

/** semver.org's own expression, as ADR-32 asks for. */
const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$/;

const descriptionSchema = z.object({
  name: tokenSchema,
  id: tokenSchema,
  version: z.string().regex(SEMVER, "must be a semantic version such as 1.2.3"),
  description: z.string(),
  metadata: z.record(z.string(), z.string()),
  endpoints: z.array(
    z.object({
      name: z.string().min(1),
      subject: z.string().min(1),
      queueGroup: z.string().optional(),
      metadata: z.record(z.string(), z.string()).optional(),
    }),
  ),
});

const NANOS_PER_MS = 1_000_000;

/**
 * Answers discovery until it is closed.
 * @param options.service who this is; fixed from here on.
 * @param options.stats the counts of an endpoint, by its name; asked at each `$SRV.STATS`.
 * @param options.startedAt when the service started, ISO 8601 UTC; default now.
 * @throws SwarmError `invalid_input` naming the field that ADR-32 does not allow.
 */
export function startService(
  bus: Bus,
  options: {
    service: ServiceDescription;
    stats: (endpoint: string) => EndpointStats;
    startedAt?: string;
  },
): Subscription {
  const service = parse(descriptionSchema, options.service, "service");
  const started = options.startedAt ?? new Date().toISOString();
  const { name, id, version, metadata, description } = service;
  const identity = { name, id, version, metadata };
  const endpoints = service.endpoints.map((endpoint) => ({
    name: endpoint.name,
    subject: endpoint.subject,
    queue_group: endpoint.queueGroup ?? "",
    metadata: endpoint.metadata ?? {},
  }));

  const replies = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...identity }),
    INFO: () => ({ type: "io.nats.micro.v1.info_response", ...identity, description, endpoints }),
    STATS: () => ({
      type: "io.nats.micro.v1.stats_response",
      ...identity,
      started,
      endpoints: endpoints.map((endpoint) => ({
        name: endpoint.name,
        subject: endpoint.subject,
        queue_group: endpoint.queue_group,
        ...countsOnTheWire(options.stats(endpoint.name)),
      })),
    }),
  };
  const subscriptions = Object.entries(replies).flatMap(([verb, reply]) =>
    [`$SRV.${verb}`, `$SRV.${verb}.${name}`, `$SRV.${verb}.${name}.${id}`].map((subject) =>
      bus.subscribe(subject, (request) => request.respond(utf8Bytes(JSON.stringify(reply())))),
    ),
  );
  return {
    close: () => {
      for (const subscription of subscriptions) subscription.close();
    },
  };
}

function countsOnTheWire(stats: EndpointStats) {
  const { requests, errors, lastError, processingMs, data } = stats;
  const nanos = Math.round(processingMs * NANOS_PER_MS);
  return {
    num_requests: requests,
    num_errors: errors,
    last_error: lastError,
    processing_time: nanos,
    average_processing_time: requests === 0 ? 0 : Math.trunc(nanos / requests),
    data: data ?? null, // optional in the ADR, but nats-py cannot read an answer without it
  };
}
