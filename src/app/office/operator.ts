// The person at the command line, for histories and verdicts, and the audit entry of an operation that no coordinator sees. The
// name comes from the machine and proves nothing.
import { userInfo } from "node:os";
import { createAuditWriter } from "../../audit/index.ts";
import { createMeter, newInstanceId, silentLogger } from "../../base/index.ts";
import type { AuditNote } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { VERSION } from "../version.ts";

/** The longest name, in characters: it fits every field for such a name. */
const MAX_LENGTH = 64;
/** How long an operation waits for the audit log, in ms. The election of a stream's new leader takes 4–6 s. */
const AUDIT_TIMEOUT_MS = 10_000;

/** The name of the user of this process; the user's number when there is no name, as in many containers. */
export function operatorName(): string {
  try {
    return userInfo().username.slice(0, MAX_LENGTH);
  } catch {
    return `uid-${process.getuid?.() ?? "unknown"}`; // no entry in /etc/passwd: node throws ENOENT
  }
}

/** Writes one entry into the audit log, and resolves to true when it is stored. Never rejects. */
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
