// Old versions of stored things, brought up to the one that the code knows. Owns the way from version to version; what
// a version looks like is its owner's.
//
// U1  What is stored is never rewritten: hashes are taken over the stored form, and only a reader's copy is brought up.
import type { JsonObject } from "../../protocol/index.ts";

/** From version n (its name) to n + 1, the field `v` aside. */
export type Upcasters = Readonly<Record<number, (value: JsonObject) => JsonObject>>;

/** A value in the newest version, or why it cannot be brought there. */
export type Upcast = { ok: true; value: JsonObject } | { ok: false; fault: string };

/** Brings `value` from the version in its field `v` to `newest`, one step after the other. */
export function upcast(value: JsonObject, upcasters: Upcasters, newest: number): Upcast {
  const { v } = value;
  if (v === newest) return { ok: true, value };
  if (typeof v !== "number" || !Object.hasOwn(upcasters, v)) {
    const known = [...Object.keys(upcasters), newest].join(", ");
    return { ok: false, fault: `version ${JSON.stringify(v)} is unknown; known: ${known}` };
  }
  let current = value;
  for (let version = v; version < newest; version++) {
    current = { ...upcasters[version]?.(current), v: version + 1 };
  }
  return { ok: true, value: current };
}
