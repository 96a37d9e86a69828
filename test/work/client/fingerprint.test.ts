import { expect, test } from "vitest";
import { fingerprintOf, MAX_FINGERPRINT_LENGTH } from "../../../src/work/client/fingerprint.ts";

test("messages with one cause have one fingerprint", () => {
  expect(fingerprintOf("order 4711 is unknown")).toBe("order # is unknown");
  expect(fingerprintOf("order 12 is unknown")).toBe("order # is unknown");
  expect(fingerprintOf('no file "/srv/a b.txt" for 01J9Z3V8K4M5N6P7Q8R9S0T1U2')).toBe("no file … for <id>");
  expect(fingerprintOf("GET https://shop.example/v1/7?x=1 took 30.5 s")).toBe("GET <url> took # s");
  expect(fingerprintOf("cannot read /var/lib/data/x.json\n  at line 7")).toBe("cannot read <path> at line #");
});

test("messages with different causes differ, and words stay as they are", () => {
  expect(fingerprintOf("the card was declined")).toBe("the card was declined");
  expect(fingerprintOf("the card expired")).not.toBe(fingerprintOf("the card was declined"));
});

test("a hostile message makes a short fingerprint, soon", () => {
  for (const unit of ['"', "a1-", "/a", "http://", " ", "7.", "'\"`"]) {
    const startedMs = performance.now();
    expect(fingerprintOf(unit.repeat(1_000_000)).length).toBeLessThanOrEqual(MAX_FINGERPRINT_LENGTH);
    expect(performance.now() - startedMs).toBeLessThan(1_000);
  }
});
