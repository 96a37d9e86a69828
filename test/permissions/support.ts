// Real servers with rendered permissions, for tests: keys of all users, and connections by user.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import {
  makeKeys,
  type Permissions,
  parsePermissions,
  renderAccounts,
  requirePublicKeys,
  seedFile,
  usersOf,
} from "../../src/app/permissions/index.ts";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { connectNats, type Transport } from "../../src/transport/index.ts";
import { type NatsServer, startNatsServer } from "../support/nats-server.ts";

/** A server with the permissions of a file. */
export interface GuardedServer {
  readonly server: NatsServer;
  readonly file: Permissions;
  /** The folder of the keys. */
  readonly keys: string;
  /** Connects as a user. The test closes the transport. `url`: a proxy before the server. */
  connect(user: string, url?: string): Promise<Transport>;
  seed(user: string): string;
  /** Writes another permissions file for the server, which reads it at its next reload. */
  rewrite(text: string): Promise<Permissions>;
  stop(): Promise<void>;
}

/** Starts a server with the permissions of `text`. */
export async function startGuarded(text: string): Promise<GuardedServer> {
  const keys = mkdtempSync(join(tmpdir(), "murmur-keys-"));
  const accountsFile = join(keys, "accounts.conf");
  const write = async (next: string) => {
    const file = await parsePermissions(next, "permissions.yaml");
    makeKeys(keys, usersOf(file));
    writeFileSync(accountsFile, renderAccounts(file, requirePublicKeys(keys, usersOf(file))));
    return file;
  };
  const file = await write(text);
  // nats-server takes the path of an include from the folder of the file that names it, also an absolute one.
  const include = join("..", basename(keys), basename(accountsFile));
  const server = await startNatsServer({ config: `include ${JSON.stringify(include)}` }).catch((error) => {
    rmSync(keys, { recursive: true, force: true });
    throw error;
  });
  return {
    server,
    file,
    keys,
    connect: (user, url = server.url) =>
      connectNats({
        servers: url,
        credentials: { nkeyFile: seedFile(keys, user) },
        inboxPrefix: `_INBOX.${user}`,
        name: "test",
        prefix: file.prefix,
        log: silentLogger,
        meter: createMeter(),
      }),
    seed: (user) => readFileSync(seedFile(keys, user), "utf8").trim(),
    rewrite: write,
    async stop() {
      await server.stop();
      rmSync(keys, { recursive: true, force: true });
    },
  };
}
