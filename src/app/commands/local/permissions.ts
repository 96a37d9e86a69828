// `permissions …`: the rights of roles, the keys of users and the configuration of the servers, made from permissions.yaml.
import { resolve } from "node:path";
import { z } from "zod";
import { createSilentMeter } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { table } from "../../cli/terminal.ts";
import {
  findRole,
  makeApiToken,
  makeKeys,
  type Permissions,
  permissionsOf,
  readPermissions,
  readSeed,
  reloadServers,
  renderAccounts,
  renderSecrets,
  renderServer,
  replaceFile,
  requirePublicKeys,
  rightsOf,
  rolesOf,
  type ServerOptions,
  usersOf,
} from "../../permissions/index.ts";
import { dataFiles } from "../../supervisor/state.ts";
import { localUser, refuseDeadSwarm, resolveTarget } from "../../target.ts";
import { permissionsFlag, permissionsPath } from "./permissions-flag.ts";

/** The folder of the keys, when the flag names no other. */
const KEYS_FOLDER = "keys";

const keysFlag = z
  .string()
  .min(1)
  .default(KEYS_FOLDER)
  .meta({ value: "DIR", description: "the folder of the keys" });

const readFileOf = (ports: Ports, named: string | undefined): Promise<Permissions> =>
  readPermissions(permissionsPath(ports, named));

/** The permissions file of a command, its users, and the folder of their keys. */
async function openKeys(ports: Ports, input: { permissions?: string | undefined; keys: string }) {
  const file = await readFileOf(ports, input.permissions);
  return { file, folder: resolve(ports.directory, input.keys), users: usersOf(file) };
}

const grantSchema = z.object({
  subject: z.string(),
  why: z.string(),
  /** The reason why the line allows more than its use. */
  wide: z.string().optional(),
});

const roleSchema = z.object({
  role: z.string(),
  user: z.string(),
  /** The rights at the front door; null for a role without any. */
  frontDoor: z
    .object({ access: z.string().nullable(), capabilities: z.array(z.string()).nullable() })
    .nullable(),
  publish: z.array(grantSchema),
  subscribe: z.array(grantSchema),
});

export const explain = defineCommand({
  input: z.strictObject({
    role: z.string().optional().meta({
      positional: true,
      value: "ROLE",
      description:
        "publisher/NAME, agent/CLASS, coordinator/ID, operator/NAME, api, engine, init or system (default: lists the roles)",
    }),
    permissions: permissionsFlag,
  }),
  output: z.object({
    /** The roles of the file; one of them when a role was named. */
    roles: z.array(roleSchema),
    isOne: z.boolean(),
  }),
  examples: ["permissions explain", "permissions explain agent/default", "permissions explain api --json"],
  details:
    "Needs no server. Everything that the table does not list is refused by NATS. A line with a note allows more than its use, for\nthe reason of the note.",
  async run(ports, { role: title, permissions }) {
    const file = await readFileOf(ports, permissions);
    const roles = title === undefined ? rolesOf(file) : [findRole(title, file)];
    return {
      roles: roles.map((role) => {
        const { publish, subscribe } = permissionsOf(role, file);
        const rights = rightsOf(role.user, file);
        return {
          role: role.title,
          user: role.user,
          frontDoor:
            rights === null
              ? null
              : {
                  access: rights.access,
                  capabilities: rights.capabilities === null ? null : [...rights.capabilities],
                },
          publish: [...publish.allow],
          subscribe: [...subscribe.allow],
        };
      }),
      isOne: title !== undefined,
    };
  },
  render({ roles, isOne }) {
    if (!isOne) {
      return table(
        ["ROLE", "USER", "MAY PUBLISH", "MAY SUBSCRIBE", "WIDE"],
        roles.map(({ role, user, publish, subscribe }) => [
          role,
          user,
          `${publish.length} subjects`,
          `${subscribe.length} subjects`,
          String([...publish, ...subscribe].filter(({ wide }) => wide !== undefined).length),
        ]),
        "no roles",
      );
    }
    return roles.map(showRole).join("\n");
  },
});

function showRole({ role, user, frontDoor, publish, subscribe }: z.output<typeof roleSchema>): string {
  const rows = [
    ...publish.map((grant) => ({ verb: "publish", ...grant })),
    ...subscribe.map((grant) => ({ verb: "subscribe", ...grant })),
  ];
  const notes = new Map<string, string>();
  for (const { wide } of rows)
    if (wide !== undefined && !notes.has(wide)) notes.set(wide, `*${notes.size + 1}`);
  const door =
    frontDoor === null
      ? "none"
      : `${frontDoor.access ?? "only the journals of its tasks"}; ${frontDoor.capabilities === null ? "all capabilities" : frontDoor.capabilities.join(", ")}`;
  return [
    `role        ${role}`,
    `user        ${user}`,
    `front door  ${door}`,
    "",
    table(
      ["MAY", "SUBJECT", "TO", "NOTE"],
      rows.map(({ verb, subject, why, wide }) => [
        verb,
        subject,
        why,
        wide === undefined ? "" : (notes.get(wide) ?? ""),
      ]),
      "nothing",
    ),
    ...(notes.size === 0 ? [] : ["", "Lines that allow more than their use:"]),
    ...[...notes].map(([text, mark]) => `${mark}  ${text}`),
  ].join("\n");
}

export const secrets = defineCommand({
  input: z.strictObject({
    permissions: permissionsFlag,
    keys: keysFlag,
    kubernetes: z.string().min(1).optional().meta({
      value: "FILE",
      description:
        "also write all seeds, the accounts of the servers and a token of the HTTP API as Kubernetes Secrets into this file",
    }),
    namespace: z
      .string()
      .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, "must be a name of a namespace")
      .optional()
      .meta({ value: "NAME", description: "the namespace of the Secrets (default: that of kubectl)" }),
    secretPrefix: z
      .string()
      .min(1)
      .default("murmur")
      .meta({ value: "NAME", description: "start of the Secrets' names, as auth.secretPrefix of the chart" }),
  }),
  output: z.object({
    folder: z.string(),
    created: z.array(z.string()),
    kept: z.array(z.string()),
    unknown: z.array(z.string()),
    secrets: z.string().nullable(),
  }),
  examples: [
    "permissions secrets",
    "permissions secrets --permissions deploy/permissions.yaml --keys /etc/murmur/keys",
    "permissions secrets --kubernetes secrets.yaml --namespace swarm",
  ],
  details:
    "Makes an NKEY seed for each user that has none: USER.seed in the folder, readable by its owner alone. Existing seeds are kept,\nso a new user changes no other. public-keys.json in the same folder is no secret: permissions render needs nothing else.\nSeeds are never printed. Each process gets its own: MURMUR_NKEY_FILE, with MURMUR_INBOX_PREFIX=_INBOX.USER.",
  async run(ports, input) {
    const { file, folder, users } = await openKeys(ports, input);
    const { created, kept, unknown } = makeKeys(folder, users);
    const target = input.kubernetes === undefined ? null : resolve(ports.directory, input.kubernetes);
    if (target !== null) {
      const seeds = new Map(users.map((user) => [user, readSeed(folder, user)]));
      const accounts = renderAccounts(file, requirePublicKeys(folder, users));
      const names = { prefix: input.secretPrefix, namespace: input.namespace };
      replaceFile(target, renderSecrets(seeds, { accounts, apiToken: makeApiToken(folder) }, names), 0o600);
    }
    return {
      folder,
      created: [...created],
      kept: [...kept],
      unknown: [...unknown],
      secrets: target,
    };
  },
  render: ({ folder, created, kept, unknown, secrets: file }) =>
    [
      `folder   ${folder}`,
      `created  ${created.join(", ") || "none"}`,
      `kept     ${kept.join(", ") || "none"}`,
      ...(unknown.length === 0
        ? []
        : [`unknown  ${unknown.join(", ")}: the permissions no longer name them; remove their files`]),
      ...(file === null ? [] : [`secrets  ${file} (kubectl apply -f, then remove it)`]),
    ].join("\n"),
});

const renderInput = z.strictObject({
  permissions: permissionsFlag,
  keys: keysFlag,
  output: z
    .string()
    .min(1)
    .optional()
    .meta({ value: "FILE", description: "write into this file (default: print)" }),
  whole: z.boolean().default(false).meta({
    description: "a whole server: also its listeners, TLS, JetStream and cluster",
  }),
  name: z.string().min(1).default("murmur").meta({ value: "NAME", description: "the server's name" }),
  host: z.string().min(1).default("0.0.0.0").meta({ value: "HOST", description: "the address to listen on" }),
  port: z.int().min(1).max(65_535).default(4222).meta({ value: "PORT", description: "the port for clients" }),
  monitorPort: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .meta({ value: "PORT", description: "the port of the monitoring pages (default: none)" }),
  storeDir: z
    .string()
    .min(1)
    .default("/data")
    .meta({ value: "DIR", description: "the folder of JetStream's store" }),
  profile: z
    .enum(["standard", "strict"])
    .default("standard")
    .meta({ description: "strict: fsync before each acknowledgement" }),
  tls: z.string().min(1).optional().meta({
    value: "DIR",
    description: "folder with tls.crt, tls.key and ca.crt: TLS 1.3 for clients, verified TLS between servers",
  }),
  cluster: z.string().min(1).optional().meta({ value: "NAME", description: "the name of the cluster" }),
  clusterPort: z
    .int()
    .min(1)
    .max(65_535)
    .default(6222)
    .meta({ value: "PORT", description: "the port for the other servers" }),
  routes: z
    .string()
    .min(1)
    .optional()
    .meta({ value: "LIST", description: "the URLs of the other servers, separated by commas" }),
});

export const render = defineCommand({
  input: renderInput,
  output: z.object({ text: z.string(), file: z.string().nullable(), users: z.int() }),
  examples: [
    "permissions render > accounts.conf",
    "permissions render --output /etc/nats/accounts.conf",
    "permissions render --whole --tls /etc/nats/tls --cluster swarm --routes nats://nats-1:6222,nats://nats-2:6222",
  ],
  details:
    "Without --whole: the accounts, users and limits alone, for an `include` of your own configuration. The account of the swarm\nhas one NKEY user for each role; the servers know public keys only (permissions secrets makes the keys). The same files give\nthe same bytes. permissions reload lets running servers read a new file.",
  async run(ports, input) {
    const { file, folder, users } = await openKeys(ports, input);
    const keys = requirePublicKeys(folder, users);
    const text = input.whole ? renderServer(file, keys, serverOf(input)) : renderAccounts(file, keys);
    const target = input.output === undefined ? null : resolve(ports.directory, input.output);
    if (target !== null) replaceFile(target, text, 0o644);
    return { text, file: target, users: users.length };
  },
  render: ({ text, file, users }) => (file === null ? text.trimEnd() : `wrote ${file}: ${users} users`),
});

function serverOf(input: z.output<typeof renderInput>): ServerOptions {
  const { name, host, port, monitorPort, storeDir, profile, tls, cluster, clusterPort, routes } = input;
  if (cluster === undefined && routes !== undefined) {
    throw new SwarmError("invalid_input", "--routes is given without --cluster; name the cluster", {
      field: "cluster",
    });
  }
  return {
    name,
    host,
    port,
    monitorPort,
    storeDir,
    profile,
    tls:
      tls === undefined ? undefined : { cert: `${tls}/tls.crt`, key: `${tls}/tls.key`, ca: `${tls}/ca.crt` },
    cluster:
      cluster === undefined
        ? undefined
        : {
            name: cluster,
            port: clusterPort,
            routes: (routes ?? "").split(",").filter((route) => route !== ""),
          },
  };
}

export const reload = defineCommand({
  input: z.strictObject({ permissions: permissionsFlag }),
  output: z.object({
    /** The accounts file that was written for the private server of `up`; null elsewhere. */
    wrote: z.string().nullable(),
    servers: z.array(
      z.object({ server: z.string(), problem: z.string().nullable(), isChanged: z.boolean() }),
    ),
  }),
  examples: ["permissions reload", "permissions reload --server nats://nats:4222"],
  details:
    "Adding or revoking a user restarts nothing: a revoked user loses its connections at once. In the data directory of a swarm that up\nstarted with --permissions it makes missing keys and writes the accounts anew first; elsewhere the servers must have their new\nfile already. Connects as the user system (MURMUR_NKEY_FILE, MURMUR_INBOX_PREFIX=_INBOX.system). Exit code 1 when a server keeps its\nearlier configuration. The servers also read their certificates and keys of TLS.",
  async run(ports, input) {
    const { connectNats } = await import("../../../transport/index.ts");
    const target = await resolveTarget(ports.config, ports.sources, ports.environment);
    refuseDeadSwarm(target, ports.config.data);
    const local = target.swarm?.permissions ?? null;
    if (local !== null) {
      const { writeAccounts } = await import("../../supervisor/permissions.ts");
      writeAccounts(await readFileOf(ports, input.permissions ?? local.file), ports.config.data);
    }
    const transport = await connectNats({
      ...target.nats,
      ...(local === null ? {} : localUser(local.keys, "system")),
      name: "murmur-cli",
      prefix: target.prefix,
      log: ports.log,
      meter: createSilentMeter(),
      signal: ports.signal,
    });
    try {
      const wrote = local === null ? null : dataFiles(ports.config.data).natsAccounts;
      return { wrote, servers: await reloadServers(transport.bus) };
    } finally {
      await transport.close();
    }
  },
  render: ({ wrote, servers }) =>
    [
      ...(wrote === null ? [] : [`wrote     ${wrote}`]),
      ...servers.map(({ server, problem, isChanged }) =>
        problem === null
          ? `reloaded  ${server}${isChanged ? "" : " (its users and settings are as before; it has read its certificates)"}`
          : `failed    ${server}: ${problem}`,
      ),
    ].join("\n"),
  exitCode: ({ servers }) => (servers.some(({ problem }) => problem !== null) ? 1 : 0),
});
