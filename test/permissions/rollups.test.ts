// The part of the table of attempts about roll-ups: a message with `Nats-Rollup: all` removes every other message of its stream, and
// `sub` those of its subject. Each role tries both on each stream that it may publish to, on a real server with the streams of a swarm.
import { headers } from "@nats-io/nats-core";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { findGrant, permissionsOf, rolesOf } from "../../src/app/permissions/index.ts";
import { createNames } from "../../src/app/permissions/names.ts";
import { startGuarded } from "./support.ts";

const FILE = `version: 1
publishers: [{ name: web, capabilities: [echo] }]
classes: [{ name: default, capabilities: [echo] }]
coordinators: [c1]
operators: [{ name: anna, access: admin }]
`;

/**
 * The streams that take roll-ups, by the roles that may write to them, with the reason. NATS allows or refuses them for a whole stream,
 * not by subject and not `sub` alone, so `explain` marks these lines.
 */
const ALLOWED: Readonly<Record<string, { roles: string; why: string }>> = {
  MURMUR_LATER: {
    roles: "coordinator/c1 api",
    why: "nats-server requires it of a stream with schedules",
  },
  MURMUR_WORKFLOWS: { roles: "engine", why: "the last entry of a run replaces the entries before it" },
  MURMUR_FLOW: {
    roles: "coordinator/c1 api engine",
    why: "nats-server requires it of a stream with schedules",
  },
  OBJ_MURMUR_ENTRIES: { roles: "engine", why: "as blobs" },
  OBJ_MURMUR_SNAPSHOTS: {
    roles: "coordinator/c1",
    why: "the format of object stores (ADR-20) replaces a description by a roll-up; coordinators may purge them as well",
  },
};

/** The code of JetStream for a roll-up that the stream does not allow. */
const ROLLUP_FORBIDDEN = 10_111;

test("no role rolls up a stream, but for the listed ones with their reasons, which explain marks", async () => {
  const guarded = await startGuarded(FILE);
  onTestFinished(() => guarded.stop());
  const init = await guarded.connect("init");
  await init.init({ classes: ["default"], hasPermissions: true });
  await init.close();
  const names = createNames("murmur", ["default"]);
  const concrete = (pattern: string) => pattern.replaceAll(/[*>]/g, "x");
  /** Each stream with one of its subjects. */
  const subjects: Record<string, string> = {
    MURMUR_TASKS: names.subject("task", { capability: "echo", priority: "high" }),
    MURMUR_LATER: names.subject("later"),
    MURMUR_RESULTS: names.subject("result", { capability: "echo" }),
    MURMUR_JOURNAL: names.subject("journal", { capability: "echo" }),
    MURMUR_DEAD: names.subject("dead", { capability: "echo" }),
    MURMUR_OFFICE_LOG: names.subject("officeLog"),
    MURMUR_AUDIT: names.subject("audit"),
    "MURMUR_PLACED-DEFAULT": names.subject("placed", { class: "default" }),
    MURMUR_WORKFLOWS: names.subject("workflow"),
    MURMUR_FLOW: names.subject("flow"),
    MURMUR_SHARED: names.subject("shared"),
    OBJ_MURMUR_ENTRIES: names.objects("entries")[0]!,
    KV_MURMUR_LIMITS: names.key("limits", "task.echo"),
    KV_MURMUR_CANCELLED: names.key("cancelled", "s"),
    OBJ_MURMUR_BLOBS: names.objects("blobs")[0]!,
    OBJ_MURMUR_SNAPSHOTS: names.objects("snapshots")[0]!,
  };
  expect(Object.keys(subjects).sort(), "every stream is tried").toEqual([...names.allStreams].sort());

  const allowed: Record<string, Set<string>> = {};
  const unmarked: string[] = [];
  let attempts = 0;
  for (const role of rolesOf(guarded.file).filter(({ kind }) => kind !== "system")) {
    const permissions = permissionsOf(role, guarded.file);
    const nc = await connect({
      servers: guarded.server.url,
      authenticator: nkeyAuthenticator(new TextEncoder().encode(guarded.seed(role.user))),
      inboxPrefix: `_INBOX.${role.user}`,
    });
    for (const [stream, pattern] of Object.entries(subjects)) {
      const subject = concrete(pattern);
      const grant = findGrant(permissions, "publish", subject);
      for (const kind of ["sub", "all"]) {
        attempts++;
        const own = headers();
        own.set("Nats-Rollup", kind);
        const answer = await nc.request(subject, "x", { headers: own, timeout: 10_000 }).then(
          (reply) => reply.json<{ seq?: number; error?: { err_code: number } }>(),
          (error: Error) => error,
        );
        const label = `${role.title}: ${kind} on ${stream}`;
        if (grant === null) expect(answer, label).toBeInstanceOf(Error);
        else if (answer instanceof Error) throw answer;
        else if (answer.error !== undefined) expect(answer.error.err_code, label).toBe(ROLLUP_FORBIDDEN);
        else {
          allowed[stream] = (allowed[stream] ?? new Set()).add(role.title);
          if (role.kind === "agent" && grant.wide?.includes("roll-up") !== true) unmarked.push(label);
        }
      }
    }
    await nc.close();
  }
  expect(attempts).toBeGreaterThan(100);
  expect(
    Object.fromEntries(Object.entries(allowed).map(([stream, titles]) => [stream, [...titles].join(" ")])),
  ).toEqual(Object.fromEntries(Object.entries(ALLOWED).map(([stream, { roles }]) => [stream, roles])));
  expect(unmarked, "explain tells the danger").toEqual([]);
}, 60_000);
