// `workflow …`: start, see and steer runs of workflows.
import { readFile } from "node:fs/promises";
import { z } from "zod";
import { SwarmError } from "../../../protocol/index.ts";
import { drawGraph, loadDefinition } from "../../../workflow/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { readJson } from "../../cli/json.ts";
import { printable } from "../../cli/terminal.ts";
import {
  approveWorkflow,
  cancelWorkflow,
  drawWorkflow,
  exportWorkflow,
  listWorkflows,
  pauseWorkflow,
  rejectWorkflow,
  resumeWorkflow,
  retryWorkflow,
  runWorkflow,
  showWorkflow,
  signalWorkflow,
  startWorkflow,
  verifyWorkflow,
  watchWorkflow,
} from "../../operations/workflows.ts";
import { resolveFrom } from "../../target.ts";
import { callOperation, defineFace } from "../face.ts";
import { renderRun, renderRuns } from "../views/workflow.ts";

const id = { positional: true, value: "RUN" } as const;
const approval = { positional: true, value: "APPROVAL" } as const;

/** The wait of `--wait` without `--timeout`, in ms: 20 days. A timer of Node.js takes at most 24. */
const WAIT_FOR_END_MS = 20 * 86_400_000;

/** The longest signal on the command line, in characters: a larger value comes over HTTP. */
const MAX_SIGNAL_TEXT = 65_536;

const shape = startWorkflow.input.shape;

export const start = defineCommand({
  input: z.strictObject({
    workflow: shape.workflow.meta({ ...shape.workflow.meta(), positional: true, value: "WORKFLOW" }),
    id: shape.id,
    version: shape.version.meta({ ...shape.version.meta(), value: "N" }),
    input: z.string().default("null").meta({ description: "the input as JSON", value: "JSON" }),
    label: z
      .array(z.string().max(321))
      .optional()
      .meta({ description: "a label; may be repeated", value: "NAME=VALUE" }),
    deadlineMs: shape.deadlineMs.meta({ ...shape.deadlineMs.meta(), value: "MS" }),
    signal: z
      .array(z.string().max(MAX_SIGNAL_TEXT))
      .optional()
      .meta({ description: "a signal that is there from the first; may be repeated", value: "NAME=JSON" }),
    wait: z.boolean().default(false).meta({ description: "wait for the end, and show the result" }),
  }),
  output: z.union([startWorkflow.output, runWorkflow.output]),
  examples: [
    `workflow start order --id order-81 --input '{"id":"81","items":["cup"],"total":20,"customer":"ada"}'`,
    "workflow start nightly --wait --timeout 60000",
    `workflow start order --input '…' --signal paid='{"amount":20}'`,
  ],
  details:
    "An engine checks the input first. The reply comes when the start is stored: it then survives any process. The same --id with the\nsame input is a repetition, not a second run. With --wait: exit code 0 when the run completed, else 1.",
  async run(ports, { input, label, signal: given, wait, ...rest }) {
    const labels = label === undefined ? {} : { labels: Object.fromEntries(label.map(splitLabel)) };
    const signals = given === undefined ? {} : { signals: given.map(splitSignal) };
    const request = { ...rest, ...labels, ...signals, input: readJson(input, "input") as never };
    if (!wait) return callOperation(ports, startWorkflow, request);
    return callOperation(ports, runWorkflow, request, {
      timeoutMs: ports.config.timeoutMs ?? WAIT_FOR_END_MS,
    });
  },
  render: (output) => {
    if ("duplicate" in output)
      return `${output.duplicate ? "was started before" : "started"}  ${output.id}  ${output.workflow} v${output.version}`;
    const { taskId, status, error } = output;
    const end =
      error === undefined
        ? JSON.stringify(output.output ?? null)
        : `${error.code}: ${printable(error.message)}`;
    return `${status}  ${taskId}\n${end}`;
  },
  exitCode: (output) => ("status" in output && output.status !== "completed" ? 1 : 0),
});

/** @throws SwarmError `invalid_input` for a value that is no JSON. */
function splitSignal(text: string): { name: string; value: never } {
  const [name, value] = splitLabel(text);
  return { name, value: readJson(value === "" ? "null" : value, "signal") as never };
}

function splitLabel(text: string): [string, string] {
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

export const ls = defineFace(listWorkflows, {
  fields: { limit: { value: "N" }, name: { value: "WORKFLOW" } },
  examples: ["workflow ls", "workflow ls --waiting human", "workflow ls --failing --since 24h --json"],
  details:
    "The newest last entry first. Reads the last entry of each log; the logs of ended runs are kept for 7 days.",
  render: ({ runs, more, seen, unreadable, isCut }) =>
    [
      renderRuns(runs, Date.now()),
      ...(more > 0 ? [`${more} more fit; --limit shows them`] : []),
      ...(unreadable > 0 ? [`${unreadable} logs have no summary that this version can read`] : []),
      ...(isCut ? [`looked at ${seen} logs; there are more`] : []),
    ].join("\n"),
});

export const show = defineFace(showWorkflow, {
  fields: { id },
  examples: ["workflow show order-81", "workflow show order-81 --json"],
  details: "Shows the run with its steps, the reason of its wait, and the command that lets it go on.",
  render: (report, terminal) => renderRun(report, terminal, Date.now()),
});

export const watch = defineFace(watchWorkflow, {
  fields: { id },
  examples: ["workflow watch order-81"],
  details: "Shows each change until the run has ended; then exit code 0 when it completed, else 1.",
  onEvent: (run, terminal) => terminal.say(describeListed(run)),
  render: describeListed,
  exitCode: ({ state }) => (state === "completed" ? 0 : 1),
});

export const graph = defineCommand({
  input: z.strictObject({
    of: z
      .string()
      .min(1)
      .meta({ positional: true, value: "RUN|FILE", description: "a run, or a definition in YAML or JSON" }),
  }),
  output: z.object({ of: z.string(), isWhole: z.boolean(), mermaid: z.string() }),
  examples: ["workflow graph order-81", "workflow graph workflows/order.yaml > order.mmd"],
  details:
    "Prints a Mermaid flowchart. The steps of a run have the colours of their states. A run whose definition is code is drawn from its\nsteps so far. A file needs no server.",
  async run(ports, { of }) {
    const path = resolveFrom(ports.directory, of);
    const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return null;
      throw new SwarmError("invalid_input", `${of} cannot be read: ${error.code}`, { field: "of" });
    });
    if (text !== null)
      return { of, isWhole: true, mermaid: drawGraph((await loadDefinition(text, of)).graph) };
    const { isWhole, mermaid } = await callOperation(ports, drawWorkflow, { id: of });
    return { of, isWhole, mermaid };
  },
  render: ({ mermaid }) => mermaid,
});

function describeListed(run: z.output<typeof watchWorkflow.output>): string {
  const { state, progress, waiting, note, entries } = run;
  const path = waiting?.path === undefined ? "" : `: ${waiting.path}`;
  const facts = [
    progress === undefined ? state : `${state} ${Math.round(progress * 100)} %`,
    ...(waiting === undefined ? [] : [`waits for ${waiting.reason}${path}`]),
    ...(note === undefined ? [] : [printable(note)]),
    `${entries} entries`,
  ];
  return facts.join(", ");
}

export const verify = defineFace(verifyWorkflow, {
  fields: { id },
  examples: ["workflow verify order-81"],
  details:
    "Reads the whole log, and checks the hash chain, the numbers, the times and the facts. Exit code 1 for a broken log.",
  render: ({ id: run, isValid, entries, chain, fault }) =>
    isValid
      ? `${run}: ${entries} entries, the chain holds (${chain})`
      : `${run}: broken at entry ${fault?.entry}: ${fault?.message}`,
  exitCode: ({ isValid }) => (isValid ? 0 : 1),
});

export const exportLog = defineFace(exportWorkflow, {
  fields: { id },
  examples: ["workflow export order-81 > order-81.jsonl"],
  details: "Each line is one entry as it is stored.",
  render: ({ entries }) => entries.join("\n"),
});

export const signal = defineCommand({
  input: z.strictObject({
    id: signalWorkflow.input.shape.id.meta({ ...signalWorkflow.input.shape.id.meta(), ...id }),
    name: signalWorkflow.input.shape.name.meta({
      ...signalWorkflow.input.shape.name.meta(),
      positional: true,
      value: "NAME",
    }),
    value: z.string().default("null").meta({ description: "its value as JSON", value: "JSON" }),
  }),
  output: signalWorkflow.output,
  examples: [`workflow signal order-81 paid --value '{"amount":20}'`],
  details:
    "The definition declares its signals, with a schema each. A value that comes early waits for the code.",
  run: (ports, { value, ...rest }) =>
    callOperation(ports, signalWorkflow, { ...rest, value: readJson(value, "value") as never }),
  render: renderSent,
});

export const approve = defineFace(approveWorkflow, {
  fields: { id, approval, note: { value: "TEXT" }, as: { value: "NAME" } },
  examples: [
    "workflow approve order-81 check",
    'workflow approve order-81 check --as ops --note "known customer"',
  ],
  details:
    "The approval names the users who may decide. Where permissions are on, NATS proves the name of the caller.",
  render: renderSent,
});

export const reject = defineFace(rejectWorkflow, {
  fields: { id, approval, note: { value: "TEXT" }, as: { value: "NAME" } },
  examples: ['workflow reject order-81 check --note "unknown address"'],
  details:
    "The step that asked fails with not_permitted. Without a catch around it, the run fails and undoes its steps.",
  render: renderSent,
});

export const pause = defineFace(pauseWorkflow, {
  fields: { id },
  examples: ["workflow pause order-81"],
  details: "Steps that run go on, and their results are recorded. Nothing new starts. Deadlines stay.",
  render: renderSent,
});

export const resume = defineFace(resumeWorkflow, {
  fields: { id, skip: { value: "STEP" }, note: { value: "TEXT" } },
  examples: ["workflow resume order-81", 'workflow resume order-81 --skip charge --note "refunded by hand"'],
  details:
    "After a failed compensation it is tried again, or left out with --skip and --note; after crashes the code is tried again.",
  render: renderSent,
});

export const cancel = defineCommand({
  input: z.strictObject({
    id: cancelWorkflow.input.shape.id.meta({ ...cancelWorkflow.input.shape.id.meta(), ...id }),
    noUndo: z.boolean().default(false).meta({ description: "do not undo the steps" }),
  }),
  output: cancelWorkflow.output,
  examples: ["workflow cancel order-81", "workflow cancel order-81 --no-undo"],
  details: "Cancels what runs, waits for its end, and then undoes each step that may have had its effect.",
  run: (ports, { id: run, noUndo }) => callOperation(ports, cancelWorkflow, { id: run, undo: !noUndo }),
  render: renderSent,
});

export const retry = defineFace(retryWorkflow, {
  fields: { id, from: { value: "STEP" } },
  examples: ["workflow retry order-81", "workflow retry order-81 --from charge"],
  details:
    "For a run in the state failed: it goes on in the same log. Its result is removed until it ends again.",
  render: renderSent,
});

function renderSent({ id: run, command }: z.output<typeof pauseWorkflow.output>): string {
  return `${command} is stored for ${run}; murmur workflow show ${run} tells its state`;
}
