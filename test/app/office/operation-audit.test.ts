import { expect, onTestFinished, test } from "vitest";
import { operatorName } from "../../../src/app/cli/operator.ts";
import { auditOperation } from "../../../src/app/office/operation-audit.ts";
import { listAudit, verifyAudit } from "../../../src/audit/index.ts";
import { connectMemory } from "../../../src/transport/index.ts";

test("an operation that no coordinator sees leaves a whole chain of its own in the audit log", async () => {
  const transport = connectMemory({ prefix: "murmur" });
  onTestFinished(() => transport.close());
  await transport.init();
  const facts = { by: operatorName(), problem: "gone", keptSeq: 1, knownSeq: 9, epoch: 2, term: 7 };
  expect(await auditOperation({ transport, role: "cli" }, { kind: "office-recovered", facts })).toBe(true);
  const entries = await listAudit(transport, { role: "cli", limit: 10 });
  expect(entries.map(({ kind }) => kind)).toEqual(["writer-started", "office-recovered", "writer-ended"]);
  expect(entries[1]).toMatchObject({ writer: expect.stringMatching(/^cli\.cli-/), facts });
  expect(await verifyAudit(transport)).toMatchObject({ faultCount: 0 });
});
