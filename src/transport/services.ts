// Services discovery (NATS ADR-32) over the bus: every process answers `$SRV.PING`, `$SRV.INFO` and `$SRV.STATS`, so
// that `nats micro ls` and every other micro client can see the swarm. Owns the description and the counts of
// endpoints; other rooms subscribe the endpoints themselves.

import { z } from "zod";
import { utf8Bytes } from "../base/index.ts";
import { parse, tokenSchema } from "../protocol/index.ts";
import type { Bus, Subscription } from "./ports.ts";

/** The counts of one endpoint since the service started. */
export interface EndpointStats {
  requests: number;
  errors: number;
  /** The text of the last error; empty without an error. */
  lastError: string;
  /** The time that the handler has taken for all requests together, in ms. */
  processingMs: number;
  /** Further facts to show; they must survive JSON. */
  data?: unknown;
}

/** A process as it describes itself. */
export interface ServiceDescription {
  /** The kind of process, for example `murmur-agent`; shared by all its instances. */
  name: string;
  /** The id of this instance; one token. */
  id: string;
  /** A semantic version. */
  version: string;
  description: string;
  /** Facts of this instance, for example its host. */
  metadata: Record<string, string>;
  /** The subjects that it answers. Without `queueGroup`, every instance gets every request. */
  endpoints: readonly {
    name: string;
    subject: string;
    queueGroup?: string;
    metadata?: Record<string, string>;
  }[];
}

/** The regular expression that semver.org suggests; ADR-32 requires it. */
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
 * Answers discovery requests until the returned subscription is closed.
 * @param options.service the description of this process; it cannot change later.
 * @param options.liveMetadata further facts, read for each request.
 * @param options.stats returns the counts of the endpoint with that name; called for each `$SRV.STATS` request.
 * @param options.startedAt the start time of the service, ISO 8601 UTC; default now.
 * @throws SwarmError `invalid_input` with the name of the field that ADR-32 does not allow.
 */
export function startService(
  bus: Bus,
  options: {
    service: ServiceDescription;
    liveMetadata?: (() => Record<string, string>) | undefined;
    stats: (endpoint: string) => EndpointStats;
    startedAt?: string;
  },
): Subscription {
  const service = parse(descriptionSchema, options.service, "service");
  const started = options.startedAt ?? new Date().toISOString();
  const { name, id, version, metadata, description } = service;
  const identity = () => ({ name, id, version, metadata: { ...metadata, ...options.liveMetadata?.() } });
  const endpoints = service.endpoints.map((endpoint) => ({
    name: endpoint.name,
    subject: endpoint.subject,
    queue_group: endpoint.queueGroup ?? "",
    metadata: endpoint.metadata ?? {},
  }));

  const replies = {
    PING: () => ({ type: "io.nats.micro.v1.ping_response", ...identity() }),
    INFO: () => ({ type: "io.nats.micro.v1.info_response", ...identity(), description, endpoints }),
    STATS: () => ({
      type: "io.nats.micro.v1.stats_response",
      ...identity(),
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
    data: data ?? null, // optional in the ADR, but nats-py cannot read a reply without it
  };
}
