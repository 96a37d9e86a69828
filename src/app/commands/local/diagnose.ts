// The judgement of `doctor`: facts in, findings with next steps out. The command gathers the facts (doctor.ts).
// Pure: no connection, no clock.
import { z } from "zod";
import {
  type AgentStatus,
  describeServerRisk,
  isServerSupported,
  OLDEST_SERVER,
} from "../../../protocol/index.ts";
import { SKEW_WARNING_MS } from "../../../transport/index.ts";
import type { CapabilityView } from "../../office/capabilities.ts";
import type { ProblemName } from "../../problems/catalogue.ts";
import type { Problem } from "../../problems/find.ts";

export const findingSchema = z.object({
  name: z.string(),
  verdict: z.enum(["ok", "warning", "failed"]),
  detail: z.string(),
  /** The next step; null when there is nothing to do. */
  next: z.string().nullable(),
});

/** The problem that tells the same fault, of these capabilities where it tells it of each. */
interface Double {
  readonly problem: ProblemName;
  readonly capabilities?: readonly string[];
}

/** The result of one check. `double`: the answer does not show it. */
export type Finding = z.output<typeof findingSchema> & { readonly double?: Double };

/** The findings that no problem of the report tells: `doctor` shows a fault once. */
export function withoutDoubles(
  findings: readonly Finding[],
  problems: readonly Pick<Problem, "name" | "hit">[],
): Finding[] {
  return findings.filter(({ double }) => {
    if (double === undefined) return true;
    const same = problems.filter(({ name }) => name === double.problem);
    const hit = new Set(same.flatMap(({ hit: { capabilities } }) => capabilities));
    const isTold = double.capabilities?.every((capability) => hit.has(capability)) ?? true;
    return same.length === 0 || !isTold;
  });
}

/** True when no check failed. */
export const isHealthy = (checks: readonly Finding[]) => checks.every(({ verdict }) => verdict !== "failed");

export const ok = (name: string, detail: string): Finding => ({ name, verdict: "ok", detail, next: null });
export const warning = (name: string, detail: string, next: string): Finding => ({
  name,
  verdict: "warning",
  detail,
  next,
});
export const failed = (name: string, detail: string, next: string): Finding => ({
  name,
  verdict: "failed",
  detail,
  next,
});

/** Judges the server by its INFO line; `problem`: there was none. */
export function judgeServer(
  server: string,
  seen: { version: string; jetstream: boolean } | { problem: string },
): Finding {
  if ("problem" in seen) {
    return failed(
      "server",
      `${server}: ${seen.problem}`,
      "start one (murmur up, or nats-server -js), or name another with --server, NATS_URL or --context",
    );
  }
  const [major = 0, minor = 0] = seen.version.split(".").map(Number);
  if (!isServerSupported(major, minor)) {
    return failed(
      "server",
      `${server} is nats-server ${seen.version}`,
      `upgrade it to ${OLDEST_SERVER} or newer`,
    );
  }
  if (!seen.jetstream) {
    return failed(
      "server",
      `${server} runs without JetStream`,
      "start it with -js or with jetstream { store_dir: … }",
    );
  }
  const risk = describeServerRisk(seen.version);
  if (risk !== null) return warning("server", `${server}: ${risk}`, "upgrade nats-server");
  return ok("server", `${server}: nats-server ${seen.version} with JetStream`);
}

/** Judges the streams and buckets that `Transport.inspect` found. */
export function judgeStreams(
  streams: readonly { name: string; problem: string | null; advice?: readonly string[] }[],
): Finding {
  const wrong = streams.filter(({ problem }) => problem !== null);
  const advised = Map.groupBy(
    streams.flatMap(({ name, advice = [] }) => advice.map((clause) => ({ name, clause }))),
    ({ clause }) => clause,
  );
  if (wrong.length === 0 && advised.size > 0) {
    return warning(
      "streams",
      [...advised].map(([clause, at]) => `${at.map(({ name }) => name).join(", ")}: ${clause}`).join("; "),
      "when all processes of the swarm run this version: murmur init --apply",
    );
  }
  if (wrong.length === 0) return ok("streams", `${streams.length} streams and buckets are as they must be`);
  const missing = wrong.every(({ problem }) => problem?.startsWith("does not exist"));
  return failed(
    "streams",
    wrong
      .map(({ name, problem }) => (problem?.includes(name) === true ? problem : `${name} ${problem}`))
      .join("; "),
    missing ? "run murmur init" : "correct the named settings with nats stream edit",
  );
}

/** Compares the capabilities of the queue with the living agents. Each capability whose tasks wait in vain is a finding. */
export function judgeQueue(input: {
  /** Waiting tasks by capability, for capabilities with consumers. */
  pending: ReadonlyMap<string, number>;
  agents: readonly AgentStatus[];
}): Finding[] {
  const { pending, agents } = input;
  const able = agents.filter((agent) => !["failed", "stopped", "draining"].includes(agent.state));
  const offered = new Set(able.flatMap((agent) => agent.capabilities));
  const waiting = [...pending].filter(([capability]) => !offered.has(capability));
  const inVain = waiting.filter(([, count]) => count > 0);
  const idle = waiting.filter(([, count]) => count === 0).map(([capability]) => capability);
  const findings: Finding[] = inVain.map(([capability, count]) => ({
    ...failed(
      "queue",
      `${count} tasks of ${capability} wait, and no living agent offers it`,
      `start an agent that offers ${capability} (murmur agent run ROLE), or cancel the tasks`,
    ),
    double: { problem: "MurmurCapabilityWithoutAgents", capabilities: [capability] },
  }));
  if (idle.length > 0) {
    findings.push(
      warning(
        "queue",
        `no living agent offers ${idle.join(", ")} (known from earlier; nothing waits)`,
        "nothing to do when that is meant; tasks for it would wait",
      ),
    );
  }
  const total = [...pending.values()].reduce((sum, count) => sum + count, 0);
  if (findings.length === 0)
    findings.push(ok("queue", `${total} tasks wait, each with agents that can take it`));
  const paused = agents.filter((agent) => agent.state === "paused").map((agent) => agent.id);
  if (paused.length > 0) {
    findings.push(
      warning("agents", `paused: ${paused.join(", ")}`, "murmur agent resume AGENT, when they should work"),
    );
  }
  const broken = agents.filter((agent) => agent.state === "failed").map((agent) => agent.id);
  if (broken.length > 0) {
    findings.push({
      ...failed("agents", `failed: ${broken.join(", ")}`, "see the log of their process, then restart it"),
      double: { problem: "MurmurAgentsGivenUp" },
    });
  } else findings.push(ok("agents", `${agents.length} agents live`));
  return findings;
}

/** Judges the stored tasks that no consumer will ever deliver, by their subjects. */
export function judgeStrays(subjects: readonly string[]): Finding {
  if (subjects.length === 0) return ok("strays", "every stored task has a consumer that will deliver it");
  const capabilities = new Set(subjects.map((subject) => subject.split(".")[2] ?? "?"));
  return failed(
    "strays",
    `${subjects.length} stored tasks have no consumer (capabilities: ${[...capabilities].slice(0, 10).join(", ")}; for example ${subjects[0]})`,
    "start an agent that offers the capability; for a misspelt one: murmur task ls --stray, then murmur task move TASK --capability NAME or murmur task cancel TASK",
  );
}

/** Judges the tasks that were placed on hosts that are gone, by their subjects. */
export function judgePlaced(subjects: readonly string[]): Finding {
  if (subjects.length === 0) return ok("placed", "every placed task is on a living host");
  return warning(
    "placed",
    `${subjects.length} tasks were placed on hosts that are gone (for example ${subjects[0]})`,
    "the coordinator in office returns them to their queue within 10 s: murmur office status; start a coordinator when there is none",
  );
}

/** The entries that a coordinator may be behind: a busy one lags some hundred for a moment; `/readyz` allows as many. */
const LAG_MAX = 1_000;

/** Judges the office by the answers of its coordinators, and by the leader that the control log confirmed (null: none). */
export function judgeOffice(office: {
  leader: string | null;
  term: number | null;
  members: readonly { id: string; role: string; lag: number | null }[];
}): Finding {
  const { leader, term, members } = office;
  const answering = members.filter(({ role }) => role !== "silent");
  if (answering.length === 0) {
    return {
      ...warning(
        "office",
        "no coordinator answers: tasks flow, but routes, ballots, locks, schedules, budgets and pauses wait",
        "start one when the swarm needs them: murmur up --coordinators 1, or murmur coordinator",
      ),
      double: { problem: "MurmurOfficeVacant" },
    };
  }
  if (leader === null) {
    return {
      ...failed(
        "office",
        `${answering.length} coordinators answer and none leads: routes, ballots, locks, schedules and budgets wait`,
        "wait a second for an election; if it lasts, start the missing coordinators and see murmur logs coordinator",
      ),
      double: { problem: "MurmurOfficeVacant" },
    };
  }
  const silent = members.filter(({ role }) => role === "silent").map(({ id }) => id);
  const late = members.filter(({ lag }) => (lag ?? 0) > LAG_MAX).map(({ id, lag }) => `${id} by ${lag}`);
  const detail = `${leader} leads in term ${term}, ${answering.length} of ${members.length} coordinators answer`;
  if (silent.length > 0) {
    return warning(
      "office",
      `${detail}; silent: ${silent.join(", ")}`,
      "start the silent coordinators again",
    );
  }
  if (late.length > 0) {
    return {
      ...warning(
        "office",
        `${detail}; behind the control log: ${late.join(", ")} entries`,
        "wait until they have read it; if it lasts, see murmur logs coordinator",
      ),
      double: { problem: "MurmurOfficeLogLag" },
    };
  }
  return ok("office", detail);
}

/** Judges the number of api processes that answer discovery. */
export function judgeApis(count: number, delayed: number): Finding {
  if (count > 0) return ok("api", `${count} api processes answer`);
  const problem = `no api process answers: submit requests fail${delayed > 0 ? ` and ${delayed} delayed tasks will not start` : ""}`;
  return failed("api", problem, "start one: murmur api");
}

/** Judges the dead letters, counted by capability. */
export function judgeDead(counts: ReadonlyMap<string, number>): Finding {
  const total = [...counts.values()].reduce((sum, count) => sum + count, 0);
  if (total === 0) return ok("dead letters", "none");
  const each = [...counts].map(([capability, count]) => `${capability} ${count}`).join(", ");
  return {
    ...warning("dead letters", `${total} (${each})`, "murmur dead ls, then dead replay or dead purge"),
    double: { problem: "MurmurDeadLettersGrowing", capabilities: [...counts.keys()] },
  };
}

/** Judges the clocks of processes against the time of the NATS server, by their skew in ms; null: not measured. */
export function judgeClocks(clocks: readonly { name: string; skewMs: number | null }[]): Finding {
  const wrong = clocks.filter(({ skewMs }) => skewMs !== null && Math.abs(skewMs) >= SKEW_WARNING_MS);
  const unknown = clocks.filter(({ skewMs }) => skewMs === null).map(({ name }) => name);
  const hidden = unknown.length === 0 ? "" : `; not measured: ${unknown.slice(0, 10).join(", ")}`;
  const limit = `${SKEW_WARNING_MS / 1_000} s`;
  if (wrong.length === 0) {
    const known = clocks.length - unknown.length;
    return ok("clocks", `${known} clocks are within ${limit} of the NATS server's${hidden}`);
  }
  const each = wrong.slice(0, 10).map(({ name, skewMs }) => {
    const seconds = (Math.abs(skewMs ?? 0) / 1_000).toFixed(1);
    return `${name} is ${seconds} s ${(skewMs ?? 0) > 0 ? "ahead" : "behind"}`;
  });
  const more = wrong.length > each.length ? ` and ${wrong.length - each.length} more` : "";
  return warning(
    "clocks",
    `${each.join(", ")}${more}${hidden}`,
    "synchronise the clocks of these machines and of the NATS servers (NTP); Murmur corrects its waits, and deadlines that others compute shift by the skew",
  );
}

/** Judges the processes of the local swarm by its state file. */
export function judgeProcesses(input: {
  isSupervisorAlive: boolean;
  processes: readonly {
    name: string;
    status: string;
    restarts: number;
    lastExit: string | null;
    isAlive: boolean;
  }[];
}): Finding[] {
  const { isSupervisorAlive, processes } = input;
  if (!isSupervisorAlive) {
    const left = processes.filter(({ isAlive }) => isAlive).map(({ name }) => name);
    return [
      failed(
        "processes",
        `the supervisor of this directory is gone${left.length > 0 ? `; it left ${left.join(", ")}` : ""}`,
        "murmur down cleans up, murmur up starts the swarm again",
      ),
    ];
  }
  const findings = processes.flatMap(({ name, status, restarts, lastExit }) => {
    if (status === "failed") {
      return [
        failed(
          "processes",
          `${name} died too often and is not restarted any more (${lastExit ?? "unknown"})`,
          `murmur logs ${name}, then murmur restart ${name}`,
        ),
      ];
    }
    return restarts > 0
      ? [
          warning(
            "processes",
            `${name} was restarted ${restarts} times (last: ${lastExit ?? "unknown"})`,
            `murmur logs ${name}`,
          ),
        ]
      : [];
  });
  return findings.length > 0 ? findings : [ok("processes", `${processes.length} run, none was restarted`)];
}

/** Tells each capability that takes no work because of a pause. */
export function judgePauses(capabilities: readonly CapabilityView[]): Finding[] {
  return capabilities
    .filter(({ state }) => state !== "open")
    .map(({ capability, state, since, by, waiting }) => {
      const name = `capability ${capability}`;
      const wait = `${waiting} tasks wait`;
      if (state === "held") {
        return warning(
          name,
          `another program paused its queue in NATS; ${wait}`,
          `nats consumer resume, for its consumers (${capability}-…), when it should work`,
        );
      }
      const begin =
        since === null ? "by an unknown operator (no coordinator answers)" : `since ${since} by ${by}`;
      const lag = state === "paused" ? "" : `, and NATS does not follow yet (${state})`;
      const resume = `murmur capability resume ${capability}, when it should work`;
      return state === "resuming"
        ? warning(
            name,
            `was resumed${lag}; ${wait}`,
            "start a coordinator: its holder of the office resumes the queues",
          )
        : warning(name, `paused ${begin}${lag}; ${wait}`, resume);
    });
}
