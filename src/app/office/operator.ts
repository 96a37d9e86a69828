// Who runs a command, as far as the machine knows: for histories and verdicts that name a person. It proves nothing. And how
// a command that no coordinator sees leaves its trace.
import { userInfo } from "node:os";
import { createAuditWriter } from "../../audit/index.ts";
import { createMeter, newInstanceId, silentLogger } from "../../base/index.ts";
import type { AuditNote } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { VERSION } from "../version.ts";

/** Characters that fit every field that takes such a name. */
const MAX_LENGTH = 64;
/** How long a command waits for the audit log, in ms: a stream's new leader needs 4–6 s, and nothing depends on it. */
const AUDIT_TIMEOUT_MS = 10_000;

/** The name of whoever runs this process; its number where it has no name, as in many containers. */
export function operatorName(): string {
  try {
    return userInfo().username.slice(0, MAX_LENGTH);
  } catch {
    return `uid-${process.getuid?.() ?? "unknown"}`; // no entry in /etc/passwd: node throws ENOENT
  }
}

/** Writes into the audit log what this command did, and resolves to whether it stands there. Never rejects. */
export async function auditCommand(
  { transport, role }: { transport: Transport; role: string },
  note: AuditNote,
): Promise<boolean> {
  const writer = createAuditWriter({
    transport,
    role,
    processId: newInstanceId(role),
    version: VERSION,
    log: silentLogger,
    meter: createMeter(),
  });
  writer.audit(note);
  const isStored = await writer.flush(AUDIT_TIMEOUT_MS);
  await writer.service.stop();
  return isStored;
}
