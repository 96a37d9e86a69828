// The lines of permissions that several roles have, and the reasons of lines that allow more than their use. Pure.
import { ANY_INBOX, discoverySubjects, jetStreamApi } from "../../transport/index.ts";
import type { Permissions } from "./file.ts";
import type { GrantList } from "./grants.ts";
import type { Names } from "./names.ts";
import type { Role } from "./role.ts";

const api = jetStreamApi;

export interface Table {
  readonly file: Permissions;
  readonly names: Names;
  readonly role: Role;
  readonly list: GrantList;
}

/** The rights of every process of the swarm: it answers requests and discovery, and writes its audit log. */
export function grantProcess({ names, list }: Table, announcedAs: string): void {
  list.publish("answer requests", ANY_INBOX);
  list.subscribe("answer discovery", discoverySubjects(announcedAs));
  list.publish("write its audit log", names.subject("audit"), WIDE.audit);
  list.publish(
    "settle an audit entry whose fate is unknown",
    names.reads("audit", [names.subject("audit")]),
    WIDE.audit,
  );
  list.publish("tell that another process died", names.subject("gone"), WIDE.gone);
}

/** The rights of a process that serves the whole swarm: it looks tasks up, moves them and purges them. */
export function grantSteward({ names, list }: Table): void {
  list.publish("wait for the streams, and read the servers' time", api.streamInfo("*"), WIDE.streamInfo);
  list.publish(
    "settle an audit entry after a foreign message",
    api.directGet(names.stream("audit")),
    WIDE.bareRead,
  );
}

/** The reasons of lines that allow more than their use. Each goes when the code needs less. */
export const WIDE = {
  audit:
    "the subject names role and process, not the user: the hash chain tells a forged entry, NATS does not refuse it",
  bareRead: "the body names the message, so the user may read any message of the stream",
  streamInfo: "also shows the subjects that a stream holds",
  gone: "a supervisor lets any living process tell the death; the office asks the host before it believes it",
  account: "also tells the limits and the use of the whole account",
  create: "the creator of a consumer may choose the subject of its deliveries",
  placed: "the office may choose an agent of any class",
  later:
    "nats-server allows roll-ups in a stream with schedules, so one message may remove all delayed tasks",
  marks: "a mark holds the time of the cancel, and the reader must know the scope",
  blobs: "blobs are named by their hash, not by capability",
  flow: "nats-server allows roll-ups in a stream with schedules, so one message may remove all commands and wake-ups",
  logs: "a log ends in a roll-up, and NATS allows roll-ups for a whole stream, so one message may remove the logs of all workflows",
  entries: "object stores need roll-ups, so one message may remove all large entries",
} as const;

/** Bodies over 512 KiB. A reader must know the hash: no line lets it list the names. */
export function grantBlobs({ names, list }: Table): void {
  const subjects = names.objects("blobs");
  list.publish("store large bodies", subjects, WIDE.blobs);
  list.publish(
    "read large bodies",
    subjects.map((subject) => api.directGetOf(names.storeOf("blobs"), subject)),
    WIDE.blobs,
  );
}

/** The reads of any key of a bucket. */
export const readsOfKeys = (names: Names, bucket: "cancelled") =>
  api.directGetOf(names.storeOf(bucket), names.keys(bucket));

/** A stream that the role reads without a bound on its subjects. */
export function grantWholeStream(
  { names, list }: Table,
  key: Parameters<Names["stream"]>[0],
  uses: readonly ("read" | "follow" | "purge" | "delete")[],
): void {
  const stream = names.stream(key);
  for (const use of uses) {
    if (use === "read") {
      list.publish(`read ${key}`, [
        api.messageGet(stream),
        api.directGet(stream),
        `${api.directGet(stream)}.>`,
      ]);
    }
    if (use === "follow") {
      list.publish(`follow ${key}`, [
        api.consumerCreate(stream, "*", ">"),
        api.consumerDelete(stream, "*"),
        api.flow(stream),
      ]);
    }
    if (use === "purge")
      list.publish(`remove messages of ${key}`, [api.purge(stream), api.messageDelete(stream)]);
  }
}
