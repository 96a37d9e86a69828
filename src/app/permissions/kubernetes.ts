// The keys of a swarm as Kubernetes Secrets, in the shape that the chart expects: one Secret for each user, one with the accounts
// for the servers, and one with the token of the HTTP API. Pure: the seeds come in, and the text that goes out is a secret.
import { SwarmError } from "../../protocol/index.ts";

/** A name that Kubernetes takes for a Secret (RFC 1123 subdomain). */
const SECRET_NAME = /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/;
/** The keys inside the Secrets: values `auth.seedKey` and `nats.bundled.permissionsSecret.key` of the chart. */
const SEED_KEY = "seed";
const ACCOUNTS_KEY = "permissions.conf";
const TOKEN_KEY = "token";

/**
 * The Secrets as one YAML stream: `<prefix>-<user>` with the seed of each user, `<prefix>-nats` with the accounts, and
 * `<prefix>-api-token` with the token of the HTTP API.
 * @throws SwarmError `invalid_input` for a user whose name cannot be a part of a Secret's name.
 */
export function renderSecrets(
  seeds: ReadonlyMap<string, string>,
  { accounts, apiToken }: { accounts: string; apiToken: string },
  { prefix, namespace }: { prefix: string; namespace?: string | undefined },
): string {
  const secrets = [...seeds].map(([user, seed]) => ({
    name: `${prefix}-${user}`,
    key: SEED_KEY,
    value: `${seed}\n`,
  }));
  const all = [
    ...secrets,
    { name: `${prefix}-nats`, key: ACCOUNTS_KEY, value: accounts },
    { name: `${prefix}-api-token`, key: TOKEN_KEY, value: apiToken },
  ];
  const twice = all.find(({ name }, at) => all.findIndex((other) => other.name === name) !== at);
  if (twice !== undefined) {
    throw new SwarmError("invalid_input", `two Secrets would be named ${twice.name}; rename the user`, {
      field: "permissionsFile",
    });
  }
  return all
    .map(({ name, key, value }) => {
      if (!SECRET_NAME.test(name)) {
        throw new SwarmError(
          "invalid_input",
          `${name} cannot be the name of a Secret: give the user a name of a–z 0–9 and -`,
          { field: "permissionsFile" },
        );
      }
      return [
        "---",
        "apiVersion: v1",
        "kind: Secret",
        "metadata:",
        `  name: ${name}`,
        ...(namespace === undefined ? [] : [`  namespace: ${namespace}`]),
        "type: Opaque",
        "data:",
        `  ${key}: ${Buffer.from(value, "utf8").toString("base64")}`,
        "",
      ].join("\n");
    })
    .join("");
}
