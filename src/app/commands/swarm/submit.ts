// `submit`: submits one task, and with --wait waits for its result.
import { readFileSync } from "node:fs";
import { z } from "zod";
import {
  MAX_DELAY_MS,
  PRIORITIES,
  parse,
  SwarmError,
  taskSchema,
  timeSchema,
  tokenSchema,
} from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { readJson } from "../../cli/json.ts";
import type { Terminal } from "../../cli/terminal.ts";
import type { BallotNews } from "../../operations/ballot-news.ts";
import { runTask, submitTask } from "../../operations/tasks.ts";
import { resolveFrom } from "../../target.ts";
import { callOperation } from "../face.ts";
import { renderResult } from "../views/task.ts";
import { ballotFlags, readBallot } from "./ballot-flags.ts";

/** How long `--wait` waits without `--timeout`, in ms: a day, as long as one attempt may run. */
const WAIT_LIMIT_MS = 86_400_000;

export const command = defineCommand({
  input: z.strictObject({
    capability: tokenSchema.meta({
      positional: true,
      value: "CAPABILITY",
      description: "the capability that the task needs",
    }),
    input: z
      .string()
      .optional()
      .meta({ description: "the input: JSON, @file, or - for standard input", value: "JSON|@FILE|-" }),
    wait: z.boolean().default(false).meta({ description: "wait for the result (at most --timeout)" }),
    priority: z.enum(PRIORITIES).default("normal").meta({ description: "how urgent it is" }),
    route: z.string().optional().meta({
      description: "best: the agent that the office chooses; or an agent's id (else: any free agent)",
      value: "best|AGENT",
    }),
    id: tokenSchema.optional().meta({ description: "your own id: the same id twice is one task" }),
    scope: tokenSchema.optional().meta({ description: "a group that can be cancelled as a whole" }),
    label: z
      .array(z.string())
      .default([])
      .meta({ description: "a label KEY=VALUE; may be repeated", value: "KEY=VALUE" }),
    deadline: timeSchema
      .optional()
      .meta({ description: "ISO time: a task that has not finished by then has failed", value: "TIME" }),
    delayMs: z
      .number()
      .min(0)
      .max(MAX_DELAY_MS)
      .optional()
      .meta({ description: "do not start before this many ms have passed", value: "MS" }),
    attemptTimeoutMs: z.number().min(1).optional().meta({ description: "one attempt's limit", value: "MS" }),
    ...ballotFlags,
    retries: z.int().min(0).max(100).optional().meta({ description: "attempts after the first", value: "N" }),
  }),
  output: z.union([runTask.output, submitTask.output]),
  examples: [
    `submit echo --input '{"hello":"world"}' --wait`,
    "submit echo --input @task.json --priority high --json",
    "submit echo --input - --scope nightly < task.json",
    "submit code --input @story.json --route best --label expertise=backend",
    `submit classify --input '{"text":"wo ist der Bahnhof"}' --ballot 5 --strategy majority --pointer /label --wait`,
    `submit estimate --input @story.json --ballot 7 --strategy median --pointer /days --diversity model --wait`,
    "submit classify --input @mail.json --ballot 5 --strategy majority --on-disagreement human",
    `submit audit --input @diff.json --ballot 3 --strategy merge --ballot-options '{"key":["/file","/line"]}' --wait`,
  ],
  details:
    "With --wait, exit code 1 when the task failed or was cancelled, 3 when no result came in time. It says when no\nagent takes the task. A ballot that finds no agreement fails with tie or no_quorum. Its verdict lists the answer of\neach seat, now and later: murmur ballot show ID.",
  async run(ports, input) {
    const task = parse(
      taskSchema,
      {
        capability: input.capability,
        priority: input.priority,
        ...optional("input", await readTaskInput(ports, input.input)),
        ...optional("route", readRoute(input.route)),
        ...optional("ballot", readBallot(input)),
        ...optional("id", input.id),
        ...optional("scope", input.scope),
        ...optional("deadline", input.deadline),
        ...optional("notBefore", input.delayMs),
        ...optional("timeoutMs", input.attemptTimeoutMs),
        ...(input.retries === undefined ? {} : { retry: { max: input.retries } }),
        ...(input.label.length === 0 ? {} : { labels: readLabels(input.label) }),
      },
      "task",
    );
    if (!input.wait) return callOperation(ports, submitTask, task);
    ports.terminal.status(`waiting for ${input.capability}`);
    let absence = "";
    try {
      return await callOperation(ports, runTask, task, {
        timeoutMs: ports.config.timeoutMs ?? WAIT_LIMIT_MS,
        onEvent: (news) => {
          if (news.kind === "waits-for-agents" && news.reason !== undefined) absence = `; ${news.reason}`;
          showNews(news, ports.terminal);
        },
      });
    } catch (error) {
      if (error instanceof SwarmError && error.code === "timeout") {
        throw new SwarmError("unavailable", `${error.message}; the task continues${absence}`, {
          taskId: error.taskId,
          cause: error,
        });
      }
      throw error;
    }
  },
  render: (output, terminal) =>
    "attempt" in output
      ? renderResult(output, terminal)
      : `${output.taskId}${output.duplicate ? " (already submitted)" : ""}`,
  exitCode: (output) => ("attempt" in output && output.status !== "completed" ? 1 : 0),
});

/** Shows what a ballot does: its rounds on a terminal, and a line whenever a person may have to act. */
function showNews(news: BallotNews, terminal: Terminal): void {
  switch (news.kind) {
    case "opened":
      terminal.status(`waiting for ${news.seats ?? "all"} seats`);
      break;
    case "round":
      terminal.status(`round ${news.round ?? "?"}: waiting for ${news.asked ?? "all"} seats`);
      break;
    case "waits-for-agents":
      terminal.say(news.reason ?? "waiting for agents");
      break;
    case "waits-for-person":
      terminal.say(`the seats do not agree; a person must decide: murmur ballot show ${news.ballot}`);
      break;
    case "waits-for-office":
      terminal.say("no coordinator holds the office: ballots wait for one (murmur office status)");
      break;
    default:
      news satisfies never;
  }
}

/** `best` and `queue` are routes; any other text is an agent's id. */
function readRoute(given: string | undefined): unknown {
  return given === undefined || given === "best" || given === "queue" ? given : { agent: given };
}

function optional(key: string, value: unknown): Record<string, unknown> {
  return value === undefined ? {} : { [key]: value };
}

async function readTaskInput(ports: Ports, given: string | undefined): Promise<unknown> {
  if (given === undefined) return undefined;
  const text =
    given === "-" ? await ports.readInput() : given.startsWith("@") ? readFile(ports, given.slice(1)) : given;
  return readJson(text, "input");
}

function readFile(ports: Ports, name: string): string {
  try {
    return readFileSync(resolveFrom(ports.directory, name), "utf8");
  } catch (error) {
    throw new SwarmError("invalid_input", `--input @${name}: ${(error as Error).message}`, {
      field: "input",
    });
  }
}

function readLabels(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((label) => {
      const at = label.indexOf("=");
      if (at > 0) return [label.slice(0, at), label.slice(at + 1)];
      throw new SwarmError("invalid_input", `--label must be KEY=VALUE, got ${JSON.stringify(label)}`, {
        field: "label",
      });
    }),
  );
}
