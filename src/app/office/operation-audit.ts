// The audit entry of a program that ends soon: a chain of its own. Long-lived processes have one writer for all entries.
import { type AuditWriter, createAuditWriter } from "../../audit/index.ts";
import { createSilentMeter, newInstanceId, silentLogger } from "../../base/index.ts";
import type { AuditNote } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { VERSION } from "../version.ts";

/** How long an operation waits for the audit log, in ms. The election of a stream's new leader takes 4–6 s. */
const AUDIT_TIMEOUT_MS = 10_000;

/** Writes entries with the writer of a long-lived process: see `Auditor` of the operations. */
export function auditThrough(writer: Pick<AuditWriter, "audit" | "flush">) {
  return (note: AuditNote, timeoutMs: number | undefined): Promise<boolean> => {
    writer.audit(note);
    return writer.flush(Math.min(timeoutMs ?? AUDIT_TIMEOUT_MS, AUDIT_TIMEOUT_MS));
  };
}

/** Writes one entry into the audit log, as a process of this role, and resolves to true when it is stored. Never rejects. */
export async function auditOperation(
  { transport, role, timeoutMs }: { transport: Transport; role: string; timeoutMs?: number | undefined },
  note: AuditNote,
): Promise<boolean> {
  const writer = createAuditWriter({
    transport,
    role,
    processId: newInstanceId(role),
    version: VERSION,
    log: silentLogger,
    meter: createSilentMeter(),
  });
  writer.audit(note);
  const isStored = await writer.flush(Math.min(timeoutMs ?? AUDIT_TIMEOUT_MS, AUDIT_TIMEOUT_MS));
  await writer.service.stop();
  return isStored;
}
