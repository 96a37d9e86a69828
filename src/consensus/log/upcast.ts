// Converts stored values of older versions to the newest version. Owns the steps from version to version; the owner of
// a value defines its versions. Pure.
//
// U1  Stored values are never rewritten. Hashes cover the stored form, and only the reader's copy is converted.
import type { JsonObject } from "../../protocol/index.ts";

/** The functions that convert a value of version n (the key) to n + 1. They need not set the field `v`. */
export type Upcasters = Readonly<Record<number, (value: JsonObject) => JsonObject>>;

/** A value in the newest version, or the reason why it cannot be converted. */
export type Upcast = { ok: true; value: JsonObject } | { ok: false; fault: string };

/** Converts `value` from the version in its field `v` to `newest`, one version at a time. */
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
