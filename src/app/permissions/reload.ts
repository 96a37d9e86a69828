// Lets running servers read their configuration anew, over the system account: users that were added, changed or revoked count at once,
// and nothing restarts. The caller connects as the user `system`.
import { z } from "zod";
import { tryJson, utf8Text } from "../../base/index.ts";
import { SwarmError, toSwarmError } from "../../protocol/index.ts";
import { type Bus, serverRequests } from "../../transport/index.ts";

/** How long a server may take to read its configuration, in ms: it also closes the connections of revoked users. */
const RELOAD_TIMEOUT_MS = 5_000;
/** How long the servers may take to answer the first question, in ms, and the silence that ends the wait. */
const FIND = { timeoutMs: 2_000, stallMs: 300 };

const replySchema = z.object({
  server: z.object({ id: z.string(), name: z.string() }),
  error: z.object({ description: z.string() }).optional(),
});
const varzSchema = z.object({ data: z.object({ config_digest: z.string() }) });

/** A server and the fate of its reload. */
export interface Reloaded {
  readonly server: string;
  /** Null: the server runs the configuration of its file. Otherwise the reason why it keeps the earlier one. */
  readonly problem: string | null;
  /** True when the configuration differs from the one before. */
  readonly isChanged: boolean;
}

/** Asks every server to read its configuration. @throws SwarmError `unavailable` when no server answers; `not_permitted` for another user. */
export async function reloadServers(bus: Bus): Promise<Reloaded[]> {
  const found = await bus.scatter(serverRequests.ping, new Uint8Array(), FIND);
  const servers = found.flatMap(({ data }) => {
    const parsed = replySchema.safeParse(tryJson(utf8Text(data)));
    return parsed.success ? [parsed.data.server] : [];
  });
  if (servers.length === 0) {
    throw new SwarmError(
      "unavailable",
      "no server answered on the system account; connect as the user system of the permissions (MURMUR_NKEY_FILE, MURMUR_INBOX_PREFIX=_INBOX.system)",
    );
  }
  return Promise.all(servers.map(({ id, name }) => reload(bus, id, name)));
}

async function reload(bus: Bus, id: string, server: string): Promise<Reloaded> {
  const options = { timeoutMs: RELOAD_TIMEOUT_MS };
  const digest = async () => {
    const { data } = await bus.request(serverRequests.facts(id), new Uint8Array(), options);
    return varzSchema.parse(tryJson(utf8Text(data))).data.config_digest;
  };
  try {
    const before = await digest();
    const { data } = await bus.request(serverRequests.reload(id), new Uint8Array(), options);
    const { error } = replySchema.parse(tryJson(utf8Text(data)));
    if (error !== undefined) return { server, problem: error.description, isChanged: false };
    return { server, problem: null, isChanged: (await digest()) !== before };
  } catch (error) {
    return { server, problem: toSwarmError(error).message, isChanged: false };
  }
}
