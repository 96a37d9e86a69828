import { expect, it } from "vitest";
import { listSecrets, redactText } from "../../../src/base/index.ts";

it.each([
  [
    "a password in a URL",
    "connect nats://ada:s3cret@host:4222 failed",
    "connect nats://[redacted]@host:4222 failed",
  ],
  ["a bearer token", "Bearer abc.def-ghi", "Bearer [redacted]"],
  ["a basic header", "Authorization: Basic YWRhOnMzY3JldA==", "Authorization: Basic [redacted]"],
  ["a header in JSON", '{"authorization":"Bearer abc"}', '{"authorization":"Bearer [redacted]"}'],
  ["a field of a query", "GET /x?api_key=abc123&y=2", "GET /x?api_key=[redacted]&y=2"],
  ["a variable", "OPENAI_API_KEY=abc123 node x", "OPENAI_API_KEY=[redacted] node x"],
  ["a field of JSON", '{"dbPassword": "hunter2", "a": 1}', '{"dbPassword": "[redacted]", "a": 1}'],
  ["a line of YAML", "password: hunter2", "password: [redacted]"],
  [
    "a field of JSON inside a string of JSON",
    String.raw`{"msg":"{\"apiKey\": \"hunter2\", \"a\": 1}"}`,
    String.raw`{"msg":"{\"apiKey\": \"[redacted]\", \"a\": 1}"}`,
  ],
  [
    "a header inside two strings of JSON",
    String.raw`{"m":"{\"n\":\"{\\"authorization\\":\\"Basic YWI=\\"}\"}"}`,
    String.raw`{"m":"{\"n\":\"{\\"authorization\\":\\"Basic [redacted]\\"}\"}"}`,
  ],
  ["a password with a backslash", String.raw`DB_PASSWORD=a\b7 x`, "DB_PASSWORD=[redacted] x"],
  ["a GitHub token", `token is ghp_${"a1".repeat(18)}`, "token is [redacted]"],
  ["an AWS key", "key AKIAABCDEFGHIJKLMNOP!", "key [redacted]!"],
  ["a JSON Web Token", `got eyJhbGciOiJI.${"e30".repeat(5)}.sig`, "got [redacted]"],
  ["a seed of a NATS key", `seed SU${"A".repeat(56)}`, "seed [redacted]"],
])("%s is removed from a text", (_name, text, shown) => {
  expect(redactText(text)).toBe(shown);
});

it.each([
  "Unexpected token: } in JSON",
  "the secret of a good test is a clear title",
  "at run (agents/greeter/agent.ts:3:9)",
  "basic authentication is not supported",
])("an ordinary text stays as it is: %s", (text) => {
  expect(redactText(text)).toBe(text);
});

it("a long hostile text is redacted in linear time", () => {
  const text = `${"a-".repeat(200_000)}${'"secret'.repeat(20_000)}${"\\".repeat(200_000)}`;
  const startedAt = performance.now();
  expect(redactText(text)).toBe(text);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});

it("the values of variables with secret names are secrets, without short values and paths", () => {
  const secrets = listSecrets({
    OPENAI_API_KEY: "abcdefgh",
    DB_PASSWORD: "a-longer-password",
    GITHUB_TOKEN: "short",
    MURMUR_TOKEN_FILE: "/run/secrets/token",
    PATH: "/usr/bin:/bin",
    HOME: "someone-somewhere",
  });
  expect(secrets).toEqual(["a-longer-password", "abcdefgh"]);
  expect(redactText("sent a-longer-password to x", secrets)).toBe("sent [redacted] to x");
});
