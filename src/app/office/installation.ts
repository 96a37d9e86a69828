// The audit entries of installs and upgrades: `init` writes one when it creates or changes streams, and an api process when it begins
// with another version or another permissions file than the newest entry tells. They stand on `audit.install.*`, so that the newest one
// is found without a read of the whole log.
import { listAudit } from "../../audit/index.ts";
import {
  backoffDelayMs,
  type Clock,
  createService,
  type Logger,
  type Service,
  sleep,
  systemChance,
  systemClock,
} from "../../base/index.ts";
import { type AuditFacts, canonicalJson, sha256 } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { type Config, streamValues } from "../settings.ts";
import { VERSION } from "../version.ts";
import { auditOperation } from "./operation-audit.ts";

type Installed = AuditFacts["swarm-installed"];

/** The role of these entries' writers in the audit log. */
const ROLE = "install";
/** The pauses between the tries of an api process: the stream may elect a leader, which takes 4–6 s. */
const INSTALL_LOOK_BACKOFF = { backoffMs: 500, factor: 2, maxBackoffMs: 10_000, jitter: 0.2 };
/** The most tries: together about a minute. A longer outage ends the wait with a warning. */
const MAX_LOOKS = 10;

/** The version of this program, and the hashes of its settings and its permissions file. */
export function describeInstallation(
  config: Config,
  permissions: string | null,
): Pick<Installed, "version" | "values" | "permissions"> {
  return { version: VERSION, values: sha256(canonicalJson(streamValues(config))), permissions };
}

/** Writes one entry, and resolves to true when it is stored. Never rejects. */
export function noteInstallation(
  transport: Transport,
  facts: Installed,
  timeoutMs?: number,
): Promise<boolean> {
  return auditOperation({ transport, role: ROLE, timeoutMs }, { kind: "swarm-installed", facts });
}

/** Looks for the newest entry while an api process begins, and writes one when version or permissions differ. The start does not wait for it. */
export function noteStart(parts: {
  transport: Transport;
  installation: Pick<Installed, "version" | "values" | "permissions">;
  log: Logger;
  clock?: Clock;
}): Service {
  const stopper = new AbortController();
  let work: Promise<void> = Promise.resolve();
  return createService({
    name: "installation",
    start() {
      work = noteChange(parts, stopper.signal);
    },
    async stop() {
      stopper.abort();
      await work;
    },
  });
}

async function noteChange(
  { transport, installation, log, clock = systemClock }: Parameters<typeof noteStart>[0],
  signal: AbortSignal,
): Promise<void> {
  for (let looks = 1; !signal.aborted; looks++) {
    try {
      const [newest] = await listAudit(transport, { role: ROLE, kind: "swarm-installed", limit: 1 });
      const { version, permissions } = (newest?.facts ?? {}) as Partial<Installed>;
      if (version === installation.version && permissions === installation.permissions) return;
      const facts = { action: "api-start", by: "api", isProven: false, ...installation } as const;
      if (await noteInstallation(transport, { ...facts, from: version ?? null })) return;
      throw new Error("the audit log did not store the entry in time");
    } catch (error) {
      if (looks >= MAX_LOOKS) {
        return log.warn(
          { err: error, looks, ...installation },
          "install entry not written; the audit log does not show this version",
        );
      }
      const delayMs = backoffDelayMs(INSTALL_LOOK_BACKOFF, looks, systemChance);
      await sleep(delayMs, { clock, signal }).catch(() => undefined); // the process stops
    }
  }
}
