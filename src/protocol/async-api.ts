// The AsyncAPI 3.0 document of the subjects, made from the table of subjects and the schemas of the bodies.
// `tools/build/generate.ts` writes it to docs/asyncapi.json; a test fails if it is stale.
import { jsonSchemaOf, SCHEMA_NAMES, type SchemaName } from "./json-schema.ts";
import { SUBJECT_FACTS, type SubjectName } from "./wire/subject-facts.ts";
import { PRIORITIES } from "./wire/subjects.ts";

/** The part of a program beside the swarm: it sends to Murmur, it hears from Murmur, or the subject is between Murmur's own processes. */
type Part = "sends" | "hears" | "internal";

/** The bodies of one subject. Null: the body is empty, or is any value. */
interface Traffic {
  readonly part: Part;
  readonly body: SchemaName | null;
  /** The body of the reply to a request. */
  readonly reply?: SchemaName | null;
}

const TRAFFIC: Readonly<Record<SubjectName, Traffic>> = {
  submit: { part: "sends", body: "task", reply: "submit-reply" },
  operate: { part: "sends", body: null, reply: null },
  operateReceipt: { part: "sends", body: "operate-receipt" },
  task: { part: "sends", body: "task" },
  later: { part: "sends", body: "task" },
  due: { part: "internal", body: "task" },
  placed: { part: "internal", body: "task" },
  where: { part: "sends", body: null, reply: "where-reply" },
  cancel: { part: "internal", body: null },
  cancelScope: { part: "internal", body: null },
  journal: { part: "internal", body: "journal-record" },
  result: { part: "internal", body: "result" },
  doneOf: { part: "hears", body: "result" },
  dead: { part: "hears", body: "dead-letter" },
  ask: { part: "sends", body: null, reply: null },
  agent: { part: "sends", body: null, reply: "agent-status" },
  everyAgent: { part: "sends", body: null, reply: null },
  topic: { part: "hears", body: null },
  heartbeat: { part: "hears", body: "heartbeat" },
  engine: { part: "internal", body: null },
  engines: { part: "internal", body: null, reply: null },
  workflow: { part: "internal", body: null },
  flow: { part: "internal", body: null },
  wake: { part: "internal", body: null },
  shared: { part: "internal", body: null },
  gone: { part: "internal", body: null },
  event: { part: "hears", body: null },
  office: { part: "sends", body: null, reply: null },
  stale: { part: "sends", body: null, reply: null },
  coordinators: { part: "sends", body: null, reply: null },
  election: { part: "internal", body: null },
  officeLog: { part: "internal", body: null },
  audit: { part: "hears", body: "audit-entry" },
};

/** The name of the message with any body, or none. */
const ANY = "any";

/** Makes the document for a prefix. */
export function describeSubjects(prefix: string): Record<string, unknown> {
  const names = Object.keys(SUBJECT_FACTS) as SubjectName[];
  const messages = [
    ANY,
    ...SCHEMA_NAMES.filter((name) => names.some((subject) => uses(subject).includes(name))),
  ];
  return {
    asyncapi: "3.0.0",
    info: {
      title: "Murmur",
      version: "1",
      description:
        "The NATS subjects of a swarm with the prefix `murmur`, as Murmur receives and sends on them. docs/contract.md has the rules, headers and streams.",
      license: { name: "Apache-2.0", url: "https://www.apache.org/licenses/LICENSE-2.0" },
    },
    defaultContentType: "application/json",
    servers: { nats: { host: "127.0.0.1:4222", protocol: "nats" } },
    channels: Object.fromEntries(names.map((name) => [name, describeChannel(prefix, name)])),
    operations: Object.fromEntries(names.map((name) => [name, describeOperation(name)])),
    components: {
      messages: Object.fromEntries(messages.map((name) => [name, describeMessage(name)])),
      schemas: Object.fromEntries(
        messages.filter((name) => name !== ANY).map((name) => [name, embeddedSchemaOf(name as SchemaName)]),
      ),
    },
  };
}

/** The messages of a subject: the body, and the reply. */
function uses(subject: SubjectName): string[] {
  const { body, reply } = TRAFFIC[subject];
  return [body ?? ANY, ...(reply === undefined ? [] : [reply ?? ANY])];
}

function describeChannel(prefix: string, subject: SubjectName): Record<string, unknown> {
  const { form, kind, about } = SUBJECT_FACTS[subject];
  const variables = [...form.matchAll(/<(\w+)>/g)].map(([, name]) => name ?? "");
  const parameters = variables.map((name) => [
    name,
    name === "priority"
      ? { enum: PRIORITIES }
      : { description: name === "topic" ? "one or more tokens" : "one token" },
  ]);
  return {
    address: `${prefix}.${form.replaceAll(/<(\w+)>/g, "{$1}")}`,
    description: about,
    messages: Object.fromEntries(
      [...new Set(uses(subject))].map((name) => [name, { $ref: `#/components/messages/${name}` }]),
    ),
    ...(parameters.length === 0 ? {} : { parameters: Object.fromEntries(parameters) }),
    "x-murmur-kind": kind,
  };
}

function describeOperation(subject: SubjectName): Record<string, unknown> {
  const { part, body, reply } = TRAFFIC[subject];
  const channel = `#/channels/${subject}`;
  const message = (name: string) => ({ $ref: `${channel}/messages/${name}` });
  return {
    action: part === "hears" ? "send" : "receive",
    channel: { $ref: channel },
    messages: [message(body ?? ANY)],
    ...(reply === undefined ? {} : { reply: { messages: [message(reply ?? ANY)] } }),
    ...(part === "internal" ? { "x-murmur-internal": true } : {}),
  };
}

function describeMessage(name: string): Record<string, unknown> {
  if (name === ANY) return { name, summary: "Any body, or none." };
  return { name, payload: { $ref: `#/components/schemas/${name}` } };
}

/** The schema of a body, with its references at its place in the document. */
function embeddedSchemaOf(name: SchemaName): unknown {
  const text = JSON.stringify(jsonSchemaOf(name));
  return JSON.parse(text.replaceAll('"#/$defs/', `"#/components/schemas/${name}/$defs/`));
}
