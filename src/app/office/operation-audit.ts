// The audit entry of an operation that no coordinator sees. Coordinators note all other operations themselves.
import { createAuditWriter } from "../../audit/index.ts";
import { createSilentMeter, newInstanceId, silentLogger } from "../../base/index.ts";
import type { AuditNote } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { VERSION } from "../version.ts";

/** How long an operation waits for the audit log, in ms. The election of a stream's new leader takes 4–6 s. */
const AUDIT_TIMEOUT_MS = 10_000;

/**
 * Notes a change that the caller made with an operation, within the caller's time. Resolves to true when the entry is stored.
 * Never rejects.
 */
export function auditChange(
  context: { transport: Transport; caller: { name: string; role: string }; timeoutMs?: number | undefined },
  { command, ...about }: { command: string; [about: string]: unknown },
): Promise<boolean> {
  const { transport, caller, timeoutMs } = context;
  const facts = { command, outcome: "done", by: caller.name, ...about };
  return auditOperation({ transport, role: caller.role, timeoutMs }, { kind: "operation", facts });
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
