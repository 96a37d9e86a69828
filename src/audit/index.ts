// The audit log: a record of rejections, decisions and operator actions that cannot be changed unnoticed. Each process
// writes one chain of signed entries.
//
//   const { audit, service } = createAuditWriter({ transport, role: "coordinator", processId, version, log, meter });
//   audit({ kind: "office-taken", facts: { coordinator: "c1", term: 7 } });
//   await service.stop();                      // waits up to 2 s until all notes are stored
//   const { faultCount, faults } = await verifyAudit(transport);

export {
  AUDIT_FAULTS,
  type AuditCheck,
  type AuditFault,
  type WriterCheck,
} from "./chain.ts";
export { type AuditFilter, type AuditLine, listAudit, verifyAudit } from "./reader.ts";
export { type AuditWriter, createAuditWriter } from "./writer.ts";
