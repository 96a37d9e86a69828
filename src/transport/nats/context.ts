// Reads context files of the `nats` command line. A context has a name and holds servers and credentials.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { z } from "zod";
import { parse, SwarmError } from "../../protocol/index.ts";
import type { NatsCredentials, NatsTarget } from "./connect.ts";

const text = z.string().optional();

/** The fields of a context file (natscli `context` package). Fields that Murmur does not support must be empty. */
const contextSchema = z.looseObject({
  url: text,
  token: text,
  user: text,
  password: text,
  creds: text,
  nkey: text,
  cert: text,
  key: text,
  ca: text,
  tls_first: z.boolean().optional(),
  inbox_prefix: text,
});

/** Fields that change the user or the place of JetStream. Ignoring one of them would silently connect to something else. */
const UNSUPPORTED = [
  "nsc",
  "user_jwt",
  "user_seed",
  "socks_proxy",
  "jetstream_domain",
  "jetstream_api_prefix",
];

/**
 * Reads `<configuration>/nats/context/<name>.json`, where `<configuration>` is `XDG_CONFIG_HOME` or `~/.config`.
 * @throws SwarmError `not_found` when there is no such file; `invalid_input` with the field that cannot be used.
 */
export function readNatsContext(name: string, environment: NodeJS.ProcessEnv = process.env): NatsTarget {
  if (!/^[\w.-]+$/.test(name) || name.startsWith(".")) {
    throw new SwarmError(
      "invalid_input",
      `context must be a name such as "prod", got ${JSON.stringify(name)}`,
      {
        field: "context",
      },
    );
  }
  const file = join(configurationFolder(environment), "nats", "context", `${name}.json`);
  const context = parse(contextSchema, readJson(file, name), `context ${name}`);
  for (const field of UNSUPPORTED) {
    const value = context[field];
    if (value === undefined || value === "") continue;
    throw new SwarmError("invalid_input", `context ${name}: ${field} is not supported; leave it out`, {
      field,
    });
  }
  const tls = tlsOf(context);
  return {
    servers: context.url === undefined || context.url === "" ? "nats://127.0.0.1:4222" : context.url,
    credentials: credentialsOf(context),
    ...(tls === undefined ? {} : { tls }),
    ...(context.inbox_prefix ? { inboxPrefix: context.inbox_prefix } : {}),
  };
}

type Context = z.output<typeof contextSchema>;

function credentialsOf(context: Context): NatsCredentials | undefined {
  if (context.creds) return { file: expandHome(context.creds) };
  if (context.nkey) return { nkeyFile: expandHome(context.nkey) };
  if (context.token) return { token: context.token };
  if (context.user) return { user: context.user, password: context.password ?? "" };
  return undefined;
}

function tlsOf(context: Context): NatsTarget["tls"] {
  const files = {
    ...(context.cert ? { certFile: expandHome(context.cert) } : {}),
    ...(context.key ? { keyFile: expandHome(context.key) } : {}),
    ...(context.ca ? { caFile: expandHome(context.ca) } : {}),
    ...(context.tls_first === true ? { handshakeFirst: true } : {}),
  };
  return Object.keys(files).length === 0 ? undefined : files;
}

function readJson(file: string, name: string): unknown {
  let contents: string;
  try {
    contents = readFileSync(file, "utf8");
  } catch (cause) {
    throw new SwarmError(
      "not_found",
      `there is no NATS context ${name} (${file}); \`nats context ls\` lists all contexts`,
      { field: "context", cause },
    );
  }
  try {
    return JSON.parse(contents);
  } catch (cause) {
    throw new SwarmError("invalid_input", `context ${name}: ${file} is not JSON`, {
      field: "context",
      cause,
    });
  }
}

function configurationFolder(environment: NodeJS.ProcessEnv): string {
  const named = environment.XDG_CONFIG_HOME;
  return named !== undefined && isAbsolute(named) ? named : join(environment.HOME ?? homedir(), ".config");
}

function expandHome(file: string): string {
  return file.startsWith("~/") ? join(homedir(), file.slice(2)) : file;
}
