// How a message travels: the ports, and their two implementations, NATS and in-memory.
//
//   const transport = await connectNats({ servers, name: "murmur-api", prefix: "murmur", log, meter });
//   await transport.init();
//   await transport.log("tasks").append(subject, body, { messageId });

export {
  ANY_INBOX,
  bucketSubject,
  DISCOVERY,
  discoverySubjects,
  inboxPrefixOf,
  jetStreamApi,
  objectSubjects,
  serverRequests,
} from "./api-subjects.ts";
export { engineBare } from "./bare-engine.ts";
export {
  askBare,
  type BareLoop,
  beatBare,
  decideBare,
  performBare,
  publishBare,
  respondBare,
  stepBare,
  voteBare,
} from "./bare-loop.ts";
export { refuseDifferences } from "./init-report.ts";
export { isRollupRefused, isStreamMissing, lastSeqOf } from "./jetstream-errors.ts";
export { MAX_ACK_PENDING } from "./limits.ts";
export { connectMemory, MemoryServer, type MemoryTransportOptions } from "./memory/index.ts";
export { objectStream } from "./nats/blobs.ts";
export { bucketStream } from "./nats/bucket.ts";
export {
  type ConnectNatsOptions,
  connectNats,
  type NatsCredentials,
  type NatsTarget,
} from "./nats/connect.ts";
export { readNatsContext } from "./nats/context.ts";
export { createUserSeed, publicKeyOf } from "./nats/nkeys.ts";
export { NoSubscriberError } from "./no-subscriber.ts";
export * from "./ports.ts";
export { type EndpointStats, type ServiceDescription, startService } from "./services.ts";
export { createSkewLog, describeSkew, SKEW_WARNING_MS, SwarmClock } from "./swarm-clock.ts";
