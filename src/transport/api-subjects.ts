// The subjects of NATS itself that a process uses, as patterns for permissions: JetStream's API (nats-server,
// server/jetstream_api.go), acknowledgements (ADR-15), key-value buckets (ADR-8), object stores (ADR-20), services discovery
// (ADR-32), inboxes. Names and subjects of ours come in as arguments. Pure.
import { INBOX } from "./reply-subjects.ts";

/** The requests of JetStream's API about one stream or one consumer. */
export const jetStreamApi = {
  /** The facts about the account; the start of a client and `doctor` ask for them. */
  account: "$JS.API.INFO",
  streamCreate: (stream: string) => `$JS.API.STREAM.CREATE.${stream}`,
  streamUpdate: (stream: string) => `$JS.API.STREAM.UPDATE.${stream}`,
  /** The counts and the configuration of a stream; its subjects, when the body asks for them. */
  streamInfo: (stream: string) => `$JS.API.STREAM.INFO.${stream}`,
  /** The names of all streams that take a subject. */
  streamNames: "$JS.API.STREAM.NAMES",
  /** Reads any message of a stream from its leader: the body names it, so a permission binds nothing. */
  messageGet: (stream: string) => `$JS.API.STREAM.MSG.GET.${stream}`,
  messageDelete: (stream: string) => `$JS.API.STREAM.MSG.DELETE.${stream}`,
  purge: (stream: string) => `$JS.API.STREAM.PURGE.${stream}`,
  /** Reads any message of a stream from a replica: the body names it. */
  directGet: (stream: string) => `$JS.API.DIRECT.GET.${stream}`,
  /** Reads the last message of one subject. */
  directGetOf: (stream: string, subject: string) => `$JS.API.DIRECT.GET.${stream}.${subject}`,
  consumerCreate: (stream: string, consumer: string, filter: string) =>
    `$JS.API.CONSUMER.CREATE.${stream}.${consumer}.${filter}`,
  consumerInfo: (stream: string, consumer: string) => `$JS.API.CONSUMER.INFO.${stream}.${consumer}`,
  consumerList: (stream: string) => `$JS.API.CONSUMER.LIST.${stream}`,
  consumerDelete: (stream: string, consumer: string) => `$JS.API.CONSUMER.DELETE.${stream}.${consumer}`,
  consumerPause: (stream: string, consumer: string) => `$JS.API.CONSUMER.PAUSE.${stream}.${consumer}`,
  /** Pulls messages. */
  next: (stream: string, consumer: string) => `$JS.API.CONSUMER.MSG.NEXT.${stream}.${consumer}`,
  /** Acks, naks and work reports of deliveries. */
  ack: (stream: string, consumer: string) => `$JS.ACK.${stream}.${consumer}.>`,
  /** The answers to flow control of a push consumer. */
  flow: (stream: string) => `$JS.FC.${stream}.>`,
} as const;

/** The subjects of a key-value bucket's keys: `key` may have wildcards. */
export function bucketSubject(name: string, key: string): string {
  return `$KV.${name}.${key}`;
}

/**
 * The subjects of an object store: descriptions, and chunks. Each chunk of a blob has a subject of its own, so that a reader can name
 * it; all chunks of another object share one, as other clients of NATS store them.
 */
export function objectSubjects(name: string): {
  readonly meta: string;
  readonly chunks: string;
  readonly sharedChunks: string;
} {
  return { meta: `$O.${name}.M.*`, chunks: `$O.${name}.C.*.*`, sharedChunks: `$O.${name}.C.*` };
}

/** The questions of services discovery to all processes. */
export const DISCOVERY = { ping: "$SRV.PING", info: "$SRV.INFO", stats: "$SRV.STATS" } as const;

/** The requests to the servers, in their system account (nats-server, server/events.go). */
export const serverRequests = {
  ping: "$SYS.REQ.SERVER.PING",
  reload: (id: string) => `$SYS.REQ.SERVER.${id}.RELOAD`,
  /** The facts about a server; the digest of its configuration is among them. */
  facts: (id: string) => `$SYS.REQ.SERVER.${id}.VARZ`,
} as const;

/** The subjects on which a process answers discovery: to all, to its name, and to itself. */
export function discoverySubjects(name: string): string[] {
  return Object.values(DISCOVERY).flatMap((verb) => [verb, `${verb}.${name}`, `${verb}.${name}.*`]);
}

/** The start of a user's inboxes. */
export function inboxPrefixOf(user: string): string {
  return `${INBOX}.${user}`;
}

/** The replies of a process go to the inbox of any asker. */
export const ANY_INBOX = `${INBOX}.>`;
