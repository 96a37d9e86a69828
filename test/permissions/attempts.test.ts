// The table of attempts: every role tries subjects of every family on a real server with the rendered configuration. The server must
// agree with permissionsOf, and with the expectations below, which are written by hand after the rules of docs/permissions.md. An
// attempt needs no stream: NATS refuses a subject before any stream sees the message.
import { connect, type Socket } from "node:net";
import { nkeys } from "@nats-io/nats-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  findGrant,
  findRole,
  type NatsOperation,
  permissionsOf,
  type RolePermissions,
} from "../../src/app/permissions/index.ts";
import { type SubjectName, subjectPattern } from "../../src/protocol/index.ts";
import { type GuardedServer, startGuarded } from "./support.ts";

const FILE = `version: 1
publishers: [{ name: web, capabilities: [echo] }]
classes:
  - { name: default, capabilities: [echo] }
  - { name: review, capabilities: [docs], asks: [echo] }
coordinators: [c1, c2, c3]
operators: [{ name: anna, access: admin }]
`;

/** The roles, by the letters of the table. */
const ROLES = {
  W: "publisher/web",
  D: "agent/default",
  R: "agent/review",
  C: "coordinator/c1",
  O: "operator/anna",
  A: "api",
  I: "init",
  S: "system",
} as const;
const LETTERS = Object.keys(ROLES) as (keyof typeof ROLES)[];

/** A subject of one family: each token that is not given is `x`. */
const at = (name: SubjectName, tokens: Record<string, string> = {}) =>
  subjectPattern("murmur", name, tokens).replaceAll(/[*>]/g, "x");

/**
 * One subject with the letters of the roles that may use it. `wide`: roles that may use it today although the rules do not want it;
 * the note of the line in `permissions explain` gives the reason.
 */
type Row = readonly [subject: string, may: string, wide?: string];

const API = "$JS.API";
const PUBLISH: readonly Row[] = [
  [at("task", { capability: "echo" }), "WCA"],
  [at("task", { capability: "docs" }), "CA"],
  [at("result", { capability: "echo" }), "DCA"],
  [at("result", { capability: "docs" }), "RCA"],
  [at("doneOf", { capability: "echo" }), ""],
  [at("journal", { capability: "echo" }), "DCA"],
  [at("journal", { capability: "docs" }), "RCA"],
  [at("dead", { capability: "echo" }), "DCA"],
  [at("later"), "CA"],
  [at("due", { capability: "echo" }), ""],
  [at("placed"), "DRC"],
  [at("submit"), ""],
  [at("where"), "CA"],
  [at("cancel"), "CA"],
  [at("ask", { capability: "echo" }), "R"],
  [at("ask", { capability: "docs" }), ""],
  [at("agent", { verb: "ask" }), "RA"],
  [at("agent", { verb: "ping" }), "CA"],
  [at("agent", { verb: "pause" }), "A"],
  [at("everyAgent"), "CA"],
  [at("topic"), "DR"],
  [at("heartbeat", { class: "default" }), "D"],
  [at("heartbeat", { class: "review" }), "R"],
  [at("gone"), "CA", "DR"],
  [at("event", { kind: "task" }), "DRCA"],
  [at("event", { kind: "ballot" }), "C"],
  [at("event", { kind: "office" }), "C"],
  [at("office", { command: "place" }), "DR"],
  [at("office", { command: "lock-acquire" }), "DRA"],
  [at("office", { command: "config-set" }), "A"],
  [at("office", { command: "tenure" }), "CA"],
  [at("office", { command: "transfer" }), "A"],
  [at("stale", { read: "ballots" }), "A"],
  [at("coordinators"), "CA"],
  ["murmur.election.c2.c1", "C"],
  ["murmur.election.c1.c2", ""],
  [at("officeLog"), "CI"],
  [at("audit"), "DRCAI"],
  ["murmur.operate.web.task-list", "W"],
  ["murmur.operate.anna.task-list", "O"],
  ["murmur.operate.web.-.r1", "W"],
  ["murmur.operate.api.task-list", ""],
  [`${API}.STREAM.CREATE.MURMUR_TASKS`, "I"],
  [`${API}.STREAM.UPDATE.MURMUR_TASKS`, "I"],
  [`${API}.STREAM.DELETE.MURMUR_TASKS`, ""],
  [`${API}.STREAM.PURGE.MURMUR_TASKS`, "CA"],
  [`${API}.STREAM.PURGE.MURMUR_AUDIT`, ""],
  [`${API}.STREAM.MSG.DELETE.MURMUR_AUDIT`, ""],
  [`${API}.STREAM.MSG.GET.MURMUR_RESULTS`, "CA"],
  [`${API}.STREAM.MSG.GET.MURMUR_OFFICE_LOG`, "C"],
  [`${API}.DIRECT.GET.MURMUR_RESULTS`, "CA"],
  [`${API}.DIRECT.GET.MURMUR_RESULTS.murmur.result.echo.-.t`, "DCA"],
  [`${API}.DIRECT.GET.MURMUR_RESULTS.murmur.result.docs.-.t`, "RCA"],
  [`${API}.CONSUMER.CREATE.MURMUR_TASKS.echo-low.murmur.task.echo.low.>`, "CI"],
  [`${API}.CONSUMER.CREATE.MURMUR_RESULTS.spy.>`, ""],
  [`${API}.CONSUMER.DURABLE.CREATE.MURMUR_TASKS.echo-low`, ""],
  [`${API}.CONSUMER.MSG.NEXT.MURMUR_TASKS.echo-low`, "D"],
  [`${API}.CONSUMER.MSG.NEXT.MURMUR_TASKS.docs-low`, "R"],
  ["$JS.ACK.MURMUR_TASKS.echo-low.1.1.1.1.0", "D"],
  [`${API}.INFO`, "", "I"],
  [`${API}.STREAM.NAMES`, "CAI"],
  [`${API}.CONSUMER.MSG.NEXT.MURMUR_PLACED-DEFAULT.host`, "D"],
  [`${API}.CONSUMER.MSG.NEXT.MURMUR_PLACED-REVIEW.host`, "R"],
  ["$JS.ACK.MURMUR_PLACED-DEFAULT.host.1.1.1.1.0", "D"],
  ["$JS.ACK.MURMUR_PLACED-REVIEW.host.1.1.1.1.0", "R"],
  [`${API}.CONSUMER.CREATE.MURMUR_PLACED-DEFAULT.host.murmur.placed.default.host.>`, "C"],
  [`${API}.CONSUMER.LIST.MURMUR_TASKS`, "CAI"],
  [`${API}.CONSUMER.PAUSE.MURMUR_TASKS.echo-low`, "C"],
  ["$KV.MURMUR_LIMITS.task.echo", "D"],
  ["$KV.MURMUR_LIMITS.task.docs", "R"],
  ["$KV.MURMUR_CANCELLED.s", "A"],
  ["$O.MURMUR_SNAPSHOTS.M.x", "C"],
  ["$O.MURMUR_BLOBS.M.x", "DRCA"],
  ["_INBOX.web.x", "DRCA"],
  ["$SRV.PING", "A"],
  ["$SYS.REQ.SERVER.PING", "S"],
  ["$SYS.REQ.SERVER.x.RELOAD", "S"],
  ["$SYS.REQ.SERVER.x.KICK", ""],
  ["$SYS.REQ.ACCOUNT.PING.CONNZ", ""],
];
const SUBSCRIBE: readonly Row[] = [
  [">", ""],
  ["murmur.>", ""],
  ["_INBOX.>", ""],
  ["_INBOX.web.>", "W"],
  ["_INBOX.api.x", "A"],
  ["_INBOX.agent-default.x", "D"],
  ["murmur.done.echo.*.*", "WCA"],
  ["murmur.done.docs.*.*", "CA"],
  ["murmur.done.>", ""],
  ["murmur.task.>", ""],
  ["murmur.journal.>", ""],
  ["murmur.placed.>", ""],
  ["murmur.result.*.w00.*", "C"],
  ["murmur.ask.echo", "D"],
  ["murmur.ask.docs", "R"],
  ["murmur.where.*", "DRC"],
  ["murmur.cancel.>", "DRC"],
  ["murmur.office.*", "C"],
  ["murmur.stale.*", "C"],
  ["murmur.coordinators", "C"],
  ["murmur.submit", ""],
  ["murmur.operate.*.*", "A"],
  ["murmur.election.c1.*", "C"],
  ["murmur.election.c2.*", ""],
  ["murmur.gone.*", "C"],
  ["murmur.event.task.*.*", "A"],
  ["murmur.audit.*.*", ""],
  ["murmur.log.office", ""],
  ["$JS.API.>", ""],
  ["$JS.EVENT.>", ""],
  ["$SYS.ACCOUNT.*.DISCONNECT", "C"],
  ["$SYS.>", ""],
  ["$SRV.PING", "DRCA"],
];

let guarded: GuardedServer;
beforeAll(async () => {
  guarded = await startGuarded(FILE);
});
afterAll(() => guarded.stop());

/** Tries all subjects over one raw connection, and returns the refused ones, as `publish <subject>`. */
async function attempt(user: string): Promise<Set<string>> {
  const socket = connect(guarded.server.port, "127.0.0.1").setEncoding("utf8");
  try {
    return await talk(socket, guarded.seed(user));
  } finally {
    socket.destroy();
  }
}

function talk(socket: Socket, seed: string): Promise<Set<string>> {
  return new Promise((resolve, reject) => {
    const refused = new Set<string>();
    let text = "";
    let pongs = 0;
    const onLine = (line: string) => {
      if (line.startsWith("INFO ") && pongs === 0) {
        const { nonce } = JSON.parse(line.slice(5)) as { nonce: string };
        const pair = nkeys.fromSeed(Buffer.from(seed));
        const sig = Buffer.from(pair.sign(Buffer.from(nonce))).toString("base64url");
        const facts = { verbose: false, pedantic: false, nkey: pair.getPublicKey(), sig, headers: true };
        socket.write(`CONNECT ${JSON.stringify(facts)}\r\nPING\r\n`);
      } else if (line.startsWith("PONG")) {
        pongs++;
        if (pongs === 2) return resolve(refused);
        socket.write(PUBLISH.map(([subject]) => `PUB ${subject} 0\r\n\r\n`).join(""));
        socket.write(SUBSCRIBE.map(([subject], sid) => `SUB ${subject} ${sid}\r\n`).join(""));
        socket.write("PING\r\n");
      } else if (line.startsWith("PING")) socket.write("PONG\r\n");
      else if (line.startsWith("-ERR")) {
        const [, kind, subject] =
          /Permissions Violation for (Publish|Subscription) to "([^"]+)"/i.exec(line) ?? [];
        if (subject === undefined) return reject(new Error(line));
        refused.add(`${kind?.toLowerCase() === "publish" ? "publish" : "subscribe"} ${subject}`);
      }
    };
    socket.on("data", (part: string) => {
      text += part;
      for (let end = text.indexOf("\r\n"); end >= 0; end = text.indexOf("\r\n")) {
        onLine(text.slice(0, end));
        text = text.slice(end + 2);
      }
    });
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("the server closed the connection")));
  });
}

const ATTEMPTS = [
  ...PUBLISH.map((row) => ({ operation: "publish" as NatsOperation, row })),
  ...SUBSCRIBE.map((row) => ({ operation: "subscribe" as NatsOperation, row })),
];

test(`${ATTEMPTS.length * LETTERS.length} attempts are allowed or refused as the rules and as permissionsOf say`, async () => {
  expect(ATTEMPTS.length * LETTERS.length).toBeGreaterThan(300);
  const byRule: string[] = [];
  const byTable: string[] = [];
  for (const letter of LETTERS) {
    const role = findRole(ROLES[letter], guarded.file);
    const permissions: RolePermissions = permissionsOf(role, guarded.file);
    const refused = await attempt(role.user);
    for (const { operation, row } of ATTEMPTS) {
      const [subject, may, wide = ""] = row;
      const isAllowed = !refused.has(`${operation} ${subject}`);
      const told = `${role.title}: ${operation} ${subject} is ${isAllowed ? "allowed" : "refused"}`;
      if (isAllowed !== (may + wide).includes(letter)) byRule.push(told);
      if (isAllowed !== (findGrant(permissions, operation, subject) !== null)) byTable.push(told);
    }
  }
  expect(byTable, "permissionsOf says otherwise").toEqual([]);
  expect(byRule, "the rules say otherwise").toEqual([]);
});
