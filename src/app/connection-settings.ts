// Turns the settings about NATS users, TLS and inboxes into the means to connect. Pure, apart from making paths absolute.
import { resolve } from "node:path";
import { SwarmError } from "../protocol/index.ts";
import type { NatsCredentials, NatsTarget } from "../transport/index.ts";
import { rankOfSource, type Sources } from "./config.ts";
import type { Config, SettingName } from "./settings.ts";

/** The settings that name a user at NATS. One user connects, so at most one of them counts. */
const USER_SETTINGS = ["creds", "nkeyFile", "user"] as const satisfies readonly SettingName[];

/** All settings about a connection beside its address. Processes that `up` starts get them with a server that was named. */
export const CONNECTION_SETTINGS = [
  ...USER_SETTINGS,
  "password",
  "passwordFile",
  "tlsCa",
  "tlsCert",
  "tlsKey",
  "tlsFirst",
  "inboxPrefix",
] as const satisfies readonly SettingName[];

/**
 * The parts of a target that settings give; parts that no setting gives are absent, so a context can give them.
 * @throws SwarmError `invalid_input` for two users of the same rank, half a password, or half a certificate.
 */
export function connectionOf(config: Config, sources: Sources): Omit<NatsTarget, "servers"> {
  const credentials = credentialsOf(config, sources);
  const tls = tlsOf(config);
  return {
    ...(credentials === undefined ? {} : { credentials }),
    ...(tls === undefined ? {} : { tls }),
    ...(config.inboxPrefix === undefined ? {} : { inboxPrefix: config.inboxPrefix }),
  };
}

function credentialsOf(config: Config, sources: Sources): NatsCredentials | undefined {
  const given = USER_SETTINGS.filter((name) => config[name] !== undefined);
  const highest = Math.max(...given.map((name) => rankOfSource(sources[name])));
  const [chosen, second] = given.filter((name) => rankOfSource(sources[name]) === highest);
  if (second !== undefined) {
    const both = [chosen!, second].map((name) => `${name} (${sources[name]})`).join(" and ");
    throw new SwarmError("invalid_input", `${both} name two users at NATS: leave one of them out`, {
      field: second,
    });
  }
  if (config.user === undefined && (config.password ?? config.passwordFile) !== undefined) {
    throw new SwarmError("invalid_input", "a password is given without a user: set MURMUR_USER", {
      field: "user",
    });
  }
  switch (chosen) {
    case "creds":
      return { file: resolve(config.creds!) };
    case "nkeyFile":
      return { nkeyFile: resolve(config.nkeyFile!) };
    case "user":
      return withPassword(config.user!, config);
    default:
      return undefined;
  }
}

function withPassword(user: string, { password, passwordFile }: Config): NatsCredentials {
  if (password !== undefined && passwordFile !== undefined) {
    throw new SwarmError("invalid_input", "password and passwordFile are both given: leave one of them out", {
      field: "passwordFile",
    });
  }
  if (passwordFile !== undefined) return { user, passwordFile: resolve(passwordFile) };
  if (password !== undefined) return { user, password };
  throw new SwarmError(
    "invalid_input",
    `user ${user} has no password: set MURMUR_PASSWORD_FILE or MURMUR_PASSWORD`,
    { field: "password" },
  );
}

function tlsOf({ tlsCa, tlsCert, tlsKey, tlsFirst }: Config): NatsTarget["tls"] {
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const [given, missing] = tlsCert === undefined ? ["tlsKey", "tlsCert"] : ["tlsCert", "tlsKey"];
    throw new SwarmError(
      "invalid_input",
      `${given} is given without ${missing}: a client certificate needs both`,
      {
        field: missing,
      },
    );
  }
  const options = {
    ...(tlsCa === undefined ? {} : { caFile: resolve(tlsCa) }),
    ...(tlsCert === undefined ? {} : { certFile: resolve(tlsCert) }),
    ...(tlsKey === undefined ? {} : { keyFile: resolve(tlsKey) }),
    ...(tlsFirst === true ? { handshakeFirst: true } : {}),
  };
  return Object.keys(options).length === 0 ? undefined : options;
}
