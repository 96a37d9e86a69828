// An API over a swarm in memory, with tokens of the test.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type ApiParts, apiRoutes } from "../../../src/app/http/api.ts";
import { listen } from "../../../src/app/http/listen.ts";
import { probeRoutes } from "../../../src/app/http/probes.ts";
import { Readiness } from "../../../src/app/http/readiness.ts";
import { FollowedTokens } from "../../../src/app/http/tokens/followed.ts";
import { hashOfToken, renderEntry } from "../../../src/app/http/tokens/tokens-file.ts";
import type { Access } from "../../../src/app/operations/operation.ts";
import { createMeter, type Logger, silentLogger } from "../../../src/base/index.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { connectMemory, type Transport } from "../../../src/transport/index.ts";
import { createTaskClient } from "../../../src/work/index.ts";

/** A token of a test: its secret, and its entry. */
export interface TestToken {
  secret: string;
  name: string;
  access: Access;
  capabilities?: string[];
  expires?: string;
  ratePerSecond?: number;
}

/** Writes a file of tokens, and reads it as the API does. */
export async function writeTokens(entries: readonly TestToken[], log: Logger = silentLogger) {
  const folder = mkdtempSync(join(tmpdir(), "murmur-tokens-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "tokens.yaml");
  const write = (now: readonly TestToken[]) =>
    writeFileSync(path, `tokens:\n${now.map(lineOf).join("\n")}${now.length === 0 ? "  []" : ""}\n`);
  write(entries);
  return { path, write, tokens: await FollowedTokens.read(path, { log }) };
}

const lineOf = ({ secret, ...entry }: TestToken) => renderEntry({ ...entry, sha256: hashOfToken(secret) });

/** A swarm in memory whose capabilities `echo` and `pay` are known, without agents. */
export async function setupApi(parts: Partial<ApiParts> = {}) {
  const transport: Transport = connectMemory({ prefix: "murmur" });
  await transport.init();
  for (const capability of ["echo", "pay"]) {
    const filter = createSubjects("murmur").filters.tasks(capability, "normal");
    await transport.queue("tasks").consumer({ name: `${capability}-normal`, filter });
  }
  const meter = createMeter();
  const tasks = createTaskClient({ transport, meter });
  onTestFinished(() => {
    tasks.close();
    return transport.close();
  });
  const app = apiRoutes({
    ...{ transport, tasks, meter, officeWaitMs: 100, log: silentLogger, host: "127.0.0.1" },
    token: () => undefined,
    probes: probeRoutes({ meter, readiness: new Readiness({ meter, isConnected: () => true }) }),
    ...parts,
  });
  /** Sends a request with a token and, for a POST or PUT, a JSON body. */
  const send = (request: string, { token, body, headers = {}, signal }: Sending = {}) => {
    const [method = "", path = ""] = request.split(" ");
    return app.request(`http://127.0.0.1${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    });
  };
  return { app, transport, tasks, meter, send };
}

/** A request of a test. */
interface Sending {
  token?: string;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** One event of a stream. */
export interface ReadEvent {
  event: string;
  id: string | undefined;
  data: unknown;
}

/** Reads a stream of server-sent events, without its comments, until it ends. */
export async function* readEvents(answer: Response): AsyncGenerator<ReadEvent, void> {
  let text = "";
  for await (const chunk of answer.body!.pipeThrough(
    new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>,
  )) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const block = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const field = (name: string) =>
        block.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const event = field("event");
      if (event !== undefined) yield { event, id: field("id"), data: JSON.parse(field("data") ?? "null") };
    }
  }
}

/** All events of a stream that ends by itself. */
export async function readAll(answer: Response): Promise<ReadEvent[]> {
  const events: ReadEvent[] = [];
  for await (const event of readEvents(answer)) events.push(event);
  return events;
}

/** Serves an API with these tokens on a port of loopback. */
export async function serveApi(entries: readonly TestToken[]) {
  const { tokens } = await writeTokens(entries);
  const api = await setupApi({ tokens });
  const listening = await listen(api.app, { host: "127.0.0.1", port: 0, what: "the API" });
  onTestFinished(() => listening.close());
  return { ...api, url: listening.url };
}
