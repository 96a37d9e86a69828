// Makes chains of entries without a log, as several writers would store them. For tests.
import { generateKeyPairSync } from "node:crypto";
import {
  type AuditKey,
  type AuditMessage,
  beginCheck,
  checkMessage,
  NO_ENTRIES,
  sealEntry,
} from "../../src/audit/internal.ts";

/** Creates a writer's key. */
export function createKey(): AuditKey {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  return { privateKey, publicKey: publicKey.export({ format: "jwk" }).x! };
}

const keys = new Map<string, AuditKey>();

/** Returns the key of a writer, the same one for the whole test file. */
export function keyOf(writer: string): AuditKey {
  const key = keys.get(writer) ?? createKey();
  keys.set(writer, key);
  return key;
}

/** Makes a log with one entry of each writer in `order`. */
export function makeLog(order: readonly string[]): AuditMessage[] {
  const tips = new Map(order.map((writer) => [writer, NO_ENTRIES]));
  return order.map((writer, index) => {
    const content = { at: "2026-01-01T00:00:00.000Z", kind: "operation", facts: { index } };
    const sealed = sealEntry(tips.get(writer)!, { writer, key: keyOf(writer), content });
    tips.set(writer, sealed.tip);
    return { streamSeq: index + 1, writer, data: Buffer.from(sealed.text) };
  });
}

/** Renumbers the messages without gaps, like a stream that never contained anything else. */
export function renumber(messages: readonly AuditMessage[]): AuditMessage[] {
  return messages.map((message, index) => ({ ...message, streamSeq: index + 1 }));
}

/** Checks the messages; `names` lists each fault with the number of its entry. */
export function check(messages: readonly AuditMessage[], isTrimmed = false) {
  const found = beginCheck({ isWhole: true, isTrimmed });
  for (const message of messages) checkMessage(found, message);
  return { ...found, names: found.faults.map(({ fault, seq }) => `${fault} ${seq}`) };
}
