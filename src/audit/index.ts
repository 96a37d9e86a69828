// What was refused, decided and done, kept so that nobody can change it unseen: one chain of entries per process.
//
//   const { audit, service } = createAuditWriter({ transport, role: "coordinator", processId, version, log, meter });
//   audit({ kind: "office-taken", facts: { coordinator: "c1", term: 7 } });
//   await service.stop();                      // what waits is stored, or 2 s are over
//   const { faultCount, faults } = await verifyAudit(transport);

export {
  AUDIT_FAULTS,
  type AuditCheck,
  type AuditFault,
  type WriterCheck,
} from "./chain.ts";
export { type AuditFilter, type AuditLine, listAudit, verifyAudit } from "./reader.ts";
export { type AuditWriter, createAuditWriter } from "./writer.ts";
