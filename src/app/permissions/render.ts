// The configuration of nats-server for a swarm with permissions: the accounts, users and limits that follow from permissions.yaml,
// and on demand a whole server around them. The servers get public keys only. The same input gives the same bytes. Pure.
import type { Permissions } from "./file.ts";
import { UNLIMITED } from "./file.ts";
import type { Grants } from "./grants.ts";
import type { PublicKeys } from "./keys.ts";
import { permissionsOf } from "./permissions-of.ts";
import { type Role, rolesOf } from "./role.ts";

/** The account of the servers themselves. */
const SYSTEM_ACCOUNT = "SYS";

/** The accounts of the configuration. Without TLS, listeners or stores: those belong to the server. */
export function renderAccounts(file: Permissions, keys: PublicKeys): string {
  const roles = rolesOf(file);
  const own = roles.filter(({ kind }) => kind !== "system");
  const account = accountOf(file);
  return `${[
    "# Made from permissions.yaml by `murmur permissions render`; public keys only. Changes here are lost.",
    "accounts {",
    `  ${quote(account)} {`,
    ...renderLimits(file).map((line) => `    ${line}`),
    "    users = [",
    ...own.flatMap((role) => renderUser(role, file, keys)),
    "    ]",
    // The account position makes the server refuse the import of another account's advisories.
    `    imports = [ { stream: { account: ${SYSTEM_ACCOUNT}, subject: ${quote(`$SYS.ACCOUNT.${account}.DISCONNECT`)} } } ]`,
    "  }",
    `  ${SYSTEM_ACCOUNT} {`,
    "    users = [",
    ...roles.filter(({ kind }) => kind === "system").flatMap((role) => renderUser(role, file, keys)),
    "    ]",
    `    exports = [ { stream: ${quote("$SYS.ACCOUNT.*.DISCONNECT")}, account_token_position: 3 } ]`,
    "  }",
    "}",
    `system_account: ${SYSTEM_ACCOUNT}`,
  ].join("\n")}\n`;
}

/** The account of a swarm. */
export function accountOf({ account, prefix }: Pick<Permissions, "account" | "prefix">): string {
  return account ?? prefix.toUpperCase();
}

function renderLimits({ limits }: Permissions): string[] {
  const { connections, subscriptions, payloadBytes, storageBytes, ackPending } = limits;
  const bound = (name: string, value: number) => (value === UNLIMITED ? [] : [`${name}: ${value}`]);
  return [
    `jetstream { max_memory: -1, max_file: ${storageBytes}, max_ack_pending: ${ackPending} }`,
    `limits { ${[
      ...bound("max_connections", connections),
      ...bound("max_subscriptions", subscriptions),
      `max_payload: ${payloadBytes}`,
    ].join(", ")} }`,
  ];
}

function renderUser(role: Role, file: Permissions, keys: PublicKeys): string[] {
  const { publish, subscribe } = permissionsOf(role, file);
  return [
    `      # ${role.title}`,
    `      { nkey: ${keys[role.user] ?? ""}, permissions: {`,
    ...renderGrants("publish", publish),
    ...renderGrants("subscribe", subscribe),
    "      } }",
  ];
}

function renderGrants(name: string, { allow, deny }: Grants): string[] {
  const list = (grants: Grants["allow"]) => grants.map(({ subject }) => `            ${quote(subject)}`);
  return [
    `        ${name}: {`,
    // An absent list allows everything, so an empty one must name a refusal.
    ...(allow.length === 0
      ? ['          deny: [">"]']
      : ["          allow: [", ...list(allow), "          ]"]),
    ...(deny.length === 0 || allow.length === 0 ? [] : ["          deny: [", ...list(deny), "          ]"]),
    "        }",
  ];
}

/** The options of a whole server. Paths are those of the server's machine. */
export interface ServerOptions {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** The port of the monitoring pages; none without it. */
  readonly monitorPort?: number | undefined;
  readonly storeDir: string;
  /** `standard`: fsync every two minutes. `strict`: before each acknowledgement. */
  readonly profile: "standard" | "strict";
  /** The certificate, key and CA of TLS for clients and routes. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
  readonly cluster?:
    | { readonly name: string; readonly port: number; readonly routes: readonly string[] }
    | undefined;
}

/** The configuration of one whole server: listeners, TLS, JetStream and its accounts. */
export function renderServer(file: Permissions, keys: PublicKeys, options: ServerOptions): string {
  const { name, host, port, monitorPort, storeDir, profile, tls, cluster } = options;
  return `${[
    `server_name: ${quote(name)}`,
    `host: ${quote(host)}`,
    `port: ${port}`,
    ...(monitorPort === undefined ? [] : [`http_port: ${monitorPort}`]),
    `max_payload: ${file.limits.payloadBytes}`,
    "jetstream {",
    `  store_dir: ${quote(storeDir)}`,
    `  sync_interval: ${profile === "strict" ? "always" : quote("2m")}`,
    "}",
    ...(tls === undefined ? [] : ["tls {", ...renderTls(tls), '  min_version: "1.3"', "}"]),
    ...(cluster === undefined
      ? []
      : [
          "cluster {",
          `  name: ${quote(cluster.name)}`,
          `  port: ${cluster.port}`,
          `  routes: [${cluster.routes.map(quote).join(", ")}]`,
          ...(tls === undefined
            ? []
            : ["  tls {", ...renderTls(tls).map((line) => `  ${line}`), "    verify: true", "  }"]),
          "}",
        ]),
  ].join("\n")}\n${renderAccounts(file, keys)}`;
}

function renderTls({ cert, key, ca }: NonNullable<ServerOptions["tls"]>): string[] {
  return [`  cert_file: ${quote(cert)}`, `  key_file: ${quote(key)}`, `  ca_file: ${quote(ca)}`];
}

/** A text of nats-server's configuration. JSON's form is a part of its format, and keeps `$` from naming a variable. */
function quote(text: string): string {
  return JSON.stringify(text);
}
