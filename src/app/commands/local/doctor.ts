// `doctor`: checks everything that a swarm needs, and reports each problem with its next step. Changes nothing.
import { z } from "zod";
import { redactText, tryJson, utf8Text } from "../../../base/index.ts";
import { createOfficeClient } from "../../../coordinator/index.ts";
import { createSubjects, fitsFilter, SwarmError, toSwarmError } from "../../../protocol/index.ts";
import type { Log, Transport } from "../../../transport/index.ts";
import { allConsumers, capabilityOfConsumer, isQueueFilter, placedStreams } from "../../../work/index.ts";
import { callRoll, ROLL_CALL } from "../../agents/roll-call.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { READ_TIMEOUT_MS, reading } from "../../cli/session.ts";
import type { Terminal } from "../../cli/terminal.ts";
import { readCapabilities } from "../../office/capabilities.ts";
import { readOfficeStatus } from "../../office/status.ts";
import { problemReportSchema } from "../../operations/problems.ts";
import { ProblemWatch } from "../../problems/watch.ts";
import { CLOCK_SKEW_FACT } from "../../processes/discovery.ts";
import { isAlive } from "../../supervisor/identity.ts";
import { probeServer } from "../../supervisor/server-probe.ts";
import { readState } from "../../supervisor/state.ts";
import { resolveTarget } from "../../target.ts";
import { needsRole } from "../face.ts";
import { showProblems } from "../views/problems.ts";
import {
  type Finding,
  findingSchema,
  isHealthy,
  judgeApis,
  judgeClocks,
  judgeDead,
  judgeOffice,
  judgePauses,
  judgePlaced,
  judgeProcesses,
  judgeQueue,
  judgeServer,
  judgeStrays,
  judgeStreams,
  withoutDoubles,
} from "./diagnose.ts";
import { permissionsFlag } from "./permissions-flag.ts";
import { showTrial, trialSchema, tryRole } from "./role-trial.ts";

/** The most subjects that are searched for strays, when the counts show that there are some. */
const STRAY_SUBJECTS = 10_000;

/** How long the leader has to prove itself, in ms: an election takes about a second. */
const OFFICE_LOOK_MS = 2_000;

export const command = defineCommand({
  input: z.strictObject({
    role: z.string().optional().meta({
      value: "ROLE",
      description: "instead: try the permissions of this role, named as in permissions explain",
    }),
    permissions: permissionsFlag,
  }),
  output: z.object({
    healthy: z.boolean(),
    checks: z.array(findingSchema),
    /** The problems of the swarm, as `murmur problems` tells them; null when it was not reached. */
    problems: problemReportSchema.nullable(),
    /** The attempts of `--role`; null without it, and when the server cannot be reached. */
    trial: trialSchema.nullable(),
  }),
  examples: ["doctor", "doctor --json", "doctor --role agent/default --permissions permissions.yaml"],
  details:
    "Exit code 1 for a failed check, 0 for warnings alone.\n--role connects as the process does (in the data directory of up --permissions: as the role's user), and tries each line of the\nrole, which the server must allow, and lines of other roles, which it must refuse. No attempt has an effect: the server judges each\nmessage and delivers none. It logs a violation for each attempt to publish, also for an allowed one.",
  async run(ports, { role, permissions }) {
    if (role !== undefined) return { ...(await tryRole(ports, role, permissions)), problems: null };
    if (permissions !== undefined) {
      throw new SwarmError("invalid_input", "--permissions is given without --role; name the role", {
        field: "role",
      });
    }
    const swarm = await checkSwarm(ports).catch((error: unknown) => {
      const { operateAs } = ports.config;
      if (operateAs === undefined || toSwarmError(error).code !== "not_permitted") throw error;
      throw needsRole("doctor", "api", operateAs);
    });
    const checks = [...checkProcesses(ports), ...swarm.checks];
    const problems = swarm.problems?.problems ?? [];
    const isPaged = problems.some(({ severity }) => severity === "page");
    return {
      healthy: isHealthy(checks) && !isPaged,
      checks: withoutDoubles(checks, problems),
      problems: swarm.problems,
      trial: null,
    };
  },
  namesCommands: true,
  render: ({ checks, problems, trial }, terminal) =>
    [
      showChecks(checks, terminal),
      ...(problems === null ? [] : [showProblems(problems, terminal)]),
      ...(trial === null ? [] : [showTrial(trial, terminal)]),
    ].join("\n"),
  exitCode: ({ healthy }) => (healthy ? 0 : 1),
});

const showChecks = (checks: readonly Finding[], { colors }: Terminal) =>
  checks
    .map(({ name, verdict, detail, next }) => {
      const mark = {
        ok: colors.green("ok     "),
        warning: colors.yellow("warning"),
        failed: colors.red("FAILED "),
      };
      return `${mark[verdict]}  ${name}: ${detail}${next === null ? "" : `\n         → ${next}`}`;
    })
    .join("\n");

function checkProcesses(ports: Ports): Finding[] {
  const state = readState(ports.config.data);
  if (state === null) return [];
  return judgeProcesses({
    isSupervisorAlive: isAlive(state.supervisor),
    processes: state.processes.map((record) => ({ ...record, isAlive: record.pid > 0 && isAlive(record) })),
  });
}

/** The checks, and the problems; null when the swarm was not reached. */
interface SwarmLook {
  readonly checks: Finding[];
  readonly problems: z.output<typeof problemReportSchema> | null;
}

const unreached = (checks: Finding[]): SwarmLook => ({ checks, problems: null });

async function checkSwarm(ports: Ports): Promise<SwarmLook> {
  const { nats, deadSwarm } = await resolveTarget(ports.config, ports.sources, ports.environment);
  if (deadSwarm !== null) return unreached([]); // its processes are judged already, and another server must not be taken for it
  const [first = ""] = [nats.servers].flat().flatMap((servers) => servers.split(","));
  const seen = await probeServer(first, ports.config.timeoutMs ?? READ_TIMEOUT_MS).catch((error: Error) => ({
    problem: error.message,
  }));
  const server = judgeServer(redactText(first), seen);
  if (server.verdict === "failed") return unreached([server]);
  let transport: Transport;
  try {
    transport = await ports.transport();
  } catch (error) {
    const detail = toSwarmError(error).message;
    const next = "check the user, token or credentials file";
    return unreached([server, { name: "login", verdict: "failed", detail, next }]);
  }
  const streams = judgeStreams(
    await reading(ports, transport.inspect({ classes: [ports.config.agentClass] })),
  );
  if (streams.verdict === "failed") return unreached([server, streams]);
  const watch = new ProblemWatch({ transport, office: createOfficeClient({ transport }) });
  const [work, report] = await reading(ports, Promise.all([checkWork(ports, transport), watch.look()]));
  return { checks: [server, streams, ...work], problems: problemReportSchema.parse(report) };
}

async function checkWork(ports: Ports, transport: Transport): Promise<Finding[]> {
  const { dead } = await ports.tasks();
  const office = createOfficeClient({ transport });
  const [agents, clocks, apis, consumers, stored, later, letters, { capabilities }, tenure] =
    await Promise.all([
      callRoll(transport),
      readClocks(transport),
      transport.bus.scatter("$SRV.PING.murmur-api", new Uint8Array(), ROLL_CALL),
      allConsumers(transport),
      countStored(transport),
      transport.log("later").info(),
      dead.counts(),
      readCapabilities({ transport, office }),
      readOfficeStatus(office, { timeoutMs: OFFICE_LOOK_MS }),
    ]);
  const pending = new Map<string, number>();
  for (const consumer of consumers.filter(({ filter }) => isQueueFilter(transport.prefix, filter))) {
    const capability = capabilityOfConsumer(consumer.name);
    pending.set(capability, (pending.get(capability) ?? 0) + consumer.pending);
  }
  const { readPlaced } = createSubjects(transport.prefix);
  const isPlaced = (subject: string) =>
    readPlaced(subject) !== null || subject.startsWith(`${transport.prefix}.placed.`);
  const reachable = consumers.reduce((sum, consumer) => sum + consumer.pending + consumer.ackPending, 0);
  const strays = stored > reachable ? await findStrays(transport, consumers) : [];
  return [
    ...judgeQueue({ pending, agents }),
    ...judgePauses(capabilities),
    judgeStrays(strays.filter((subject) => !isPlaced(subject))),
    judgePlaced(strays.filter(isPlaced)),
    judgeOffice(tenure),
    judgeApis(apis.length, later.messages),
    judgeDead(letters),
    judgeClocks(clocks),
  ];
}

/** The answers of processes to `$SRV.PING`, as far as `doctor` reads them. Other services of the account answer too. */
const pingSchema = z.object({
  name: z.string(),
  id: z.string(),
  metadata: z.record(z.string(), z.string()).optional(),
});

/** The skew of this command's clock, and of the clock of every process that answers discovery. */
async function readClocks(transport: Transport): Promise<{ name: string; skewMs: number | null }[]> {
  await transport.clock.sync();
  const own = { name: "this command", skewMs: transport.clock.skewMs };
  const replies = await transport.bus.scatter("$SRV.PING", new Uint8Array(), ROLL_CALL);
  const processes = replies.flatMap(({ data }) => {
    const ping = pingSchema.safeParse(tryJson(utf8Text(data)));
    if (!ping.success || !ping.data.name.startsWith("murmur-")) return [];
    const skew = ping.data.metadata?.[CLOCK_SKEW_FACT];
    return [{ name: ping.data.id, skewMs: skew === undefined ? null : Number(skew) }];
  });
  return [own, ...processes];
}

/** The subjects of stored tasks that fit no consumer's filter. */
async function findStrays(transport: Transport, consumers: readonly { filter: string }[]): Promise<string[]> {
  const found: string[] = [];
  for (const log of await taskLogs(transport)) {
    const stored = await log.subjects(`${transport.prefix}.>`, { max: STRAY_SUBJECTS });
    for (const subject of stored.keys())
      if (!consumers.some(({ filter }) => fitsFilter(filter, subject))) found.push(subject);
  }
  return found.slice(0, STRAY_SUBJECTS);
}

/** The messages in the streams of tasks and of placed tasks. */
async function countStored(transport: Transport): Promise<number> {
  const infos = await Promise.all((await taskLogs(transport)).map((log) => log.info()));
  return infos.reduce((sum, { messages }) => sum + messages, 0);
}

/** The stream of tasks, and the streams of placed tasks. */
async function taskLogs(transport: Transport): Promise<Log[]> {
  return [transport.log("tasks"), ...(await placedStreams(transport)).map(({ log }) => log)];
}
