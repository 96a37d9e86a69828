// `doctor --role`: tries the permissions of one role against the connected server, without an effect.
import { z } from "zod";
import { createSilentMeter, silentLogger } from "../../../base/index.ts";
import { toSwarmError } from "../../../protocol/index.ts";
import { connectNats, inboxPrefixOf, type PermissionTrial } from "../../../transport/index.ts";
import type { Ports } from "../../cli/command.ts";
import { reading } from "../../cli/session.ts";
import { type Terminal, table } from "../../cli/terminal.ts";
import { type Attempt, entryOf, findRole, planTrial, readLocated } from "../../permissions/index.ts";
import { localUser, refuseDeadSwarm, resolveTarget } from "../../target.ts";
import { type Finding, failed, isHealthy, ok, warning } from "./diagnose.ts";
import { permissionsPath } from "./permissions-flag.ts";

export const trialSchema = z.object({
  role: z.string(),
  user: z.string(),
  /** The line of the permissions file that the role's rights come from. */
  line: z.string(),
  attempts: z.array(
    z.object({
      operation: z.enum(["publish", "subscribe"]),
      subject: z.string(),
      why: z.string(),
      expected: z.enum(["allowed", "refused"]),
      found: z.enum(["allowed", "refused"]),
      verdict: z.enum(["ok", "fault"]),
    }),
  ),
  notTried: z.array(z.object({ count: z.int(), reason: z.string() })),
});

type RoleTrial = z.output<typeof trialSchema>;

/** The answer of `doctor --role`. @throws SwarmError `invalid_input` for the file; `not_found` for the role. */
export async function tryRole(
  ports: Ports,
  title: string,
  named: string | undefined,
): Promise<{ healthy: boolean; checks: Finding[]; trial: RoleTrial | null }> {
  const target = await resolveTarget(ports.config, ports.sources, ports.environment);
  refuseDeadSwarm(target, ports.config.data);
  const local = target.swarm?.permissions ?? null;
  const path = permissionsPath(ports, named ?? local?.file);
  const { permissions: file, lineOf } = await readLocated(path);
  const role = findRole(title, file);
  const at = entryOf(role, file);
  const number = lineOf(at);
  const line = `${number === undefined ? path : `${path}:${number}`} (${at.join(".")})`;
  const nats = { ...target.nats, ...(local === null ? {} : localUser(local.keys, role.user)) };
  const checks = [
    checkPrefix(target.prefix, file.prefix, path),
    checkInbox(nats.inboxPrefix, inboxPrefixOf(role.user)),
  ];
  const answer = (more: Finding[], trial: RoleTrial | null) => {
    const all = [...checks, ...more];
    return { healthy: isHealthy(all), checks: all, trial };
  };
  const { signal } = ports;
  const log = silentLogger; // each attempt to publish is a violation, and the answer has them all
  let transport: Awaited<ReturnType<typeof connectNats>>;
  try {
    const meter = createSilentMeter();
    transport = await connectNats({ ...nats, name: "murmur-cli", prefix: target.prefix, log, meter, signal });
  } catch (error) {
    const { code, message } = toSwarmError(error);
    const next =
      code === "not_permitted"
        ? `the servers must know the key of ${role.user}, which ${line} names: murmur permissions render, then murmur permissions reload`
        : "check the server, the certificates and the key file";
    return answer([failed("login", message, next)], null);
  }
  try {
    const { serverRisk } = transport;
    const server =
      serverRisk === null
        ? ok("server", "keeps deny lists of queue subscriptions")
        : warning("server", serverRisk, "upgrade nats-server");
    const plan = planTrial(role, file);
    const tried = plan.control === null ? plan.attempts.filter(isSubscription) : plan.attempts;
    const found = await reading(ports, transport.tryPermissions(plan.control ?? "", tried));
    const trial = judgeTrial({ role: role.title, user: role.user, line }, plan, tried, found);
    return answer([server, summarise(trial)], trial);
  } finally {
    await transport.close();
  }
}

const isSubscription = ({ operation }: Attempt) => operation === "subscribe";

function checkPrefix(used: string, expected: string, path: string): Finding {
  if (used === expected) return ok("prefix", used);
  const next = "name the swarm of the file with --prefix or MURMUR_PREFIX, or name another file";
  return failed("prefix", `this process uses ${used}, and ${path} is for ${expected}`, next);
}

function checkInbox(used: string | undefined, expected: string): Finding {
  if (used === expected) return ok("inbox", expected);
  const told = used === undefined ? "no inbox prefix is set" : `the inbox prefix is ${used}`;
  return failed(
    "inbox",
    `${told}, and the user may hear ${expected} alone`,
    `set MURMUR_INBOX_PREFIX=${expected}`,
  );
}

function judgeTrial(
  facts: Pick<RoleTrial, "role" | "user" | "line">,
  plan: { attempts: readonly Attempt[]; dropped: number },
  tried: readonly Attempt[],
  found: readonly PermissionTrial[],
): RoleTrial {
  const attempts = tried.flatMap(({ operation, subject, why, isNeeded }, index) => {
    const outcome = found[index]!;
    if (outcome === "untried") return [];
    const expected = isNeeded ? ("allowed" as const) : ("refused" as const);
    const verdict = outcome === expected ? ("ok" as const) : ("fault" as const);
    return [{ operation, subject, why, expected, found: outcome, verdict }];
  });
  const unjudged = plan.attempts.length - attempts.length;
  const notTried = [
    {
      count: unjudged,
      reason:
        "the server did not show with a harmless message that it judges without delivering, so no message was sent",
    },
    { count: plan.dropped, reason: "lines of other roles beyond the limit of attempts that must be refused" },
  ].filter(({ count }) => count > 0);
  return { ...facts, attempts, notTried };
}

function summarise({ attempts, notTried, line, user }: RoleTrial): Finding {
  const faults = attempts.filter(({ verdict }) => verdict === "fault").length;
  const skipped = notTried.reduce((sum, { count }) => sum + count, 0);
  const detail = `${attempts.length - faults} of ${attempts.length} attempts as the file says, ${skipped} not tried`;
  if (faults > 0) {
    const next = `the server and ${line} differ: check that this is the key of ${user}, then murmur permissions render and murmur permissions reload`;
    return failed("permissions", detail, next);
  }
  const needed = attempts.filter(
    ({ operation, expected }) => operation === "publish" && expected === "allowed",
  );
  if (needed.length === 0) {
    const next = `${line} gives the user its rights: check that this is the key of ${user}`;
    return failed("permissions", `${detail}: no line to publish could be tried`, next);
  }
  return ok("permissions", detail);
}

/** Shows every attempt, faults first. */
export function showTrial({ attempts, notTried, line }: RoleTrial, { colors }: Terminal): string {
  const faults = attempts.filter(({ verdict }) => verdict === "fault");
  const rest = attempts.filter(({ verdict }) => verdict === "ok");
  return [
    "",
    table(
      ["RESULT", "TRIED", "SUBJECT", "SERVER", "TO"],
      [...faults, ...rest].map(({ verdict, operation, subject, found, why }) => [
        verdict === "ok" ? colors.green("ok") : colors.red("FAULT"),
        operation,
        subject,
        found,
        verdict === "ok" ? why : `${why} (${line})`,
      ]),
      "nothing",
    ),
    ...notTried.map(({ count, reason }) => `${count} not tried: ${reason}`),
  ].join("\n");
}
