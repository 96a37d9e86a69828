// `token new`: makes a token of the HTTP API. It is printed once; the file of the API gets only its line, which has the hash.
import { z } from "zod";
import { nameSchema, SwarmError, timeSchema } from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { hashOfToken, newToken, renderEntry } from "../../http/tokens/tokens-file.ts";
import { ACCESS_LEVELS } from "../../operations/operation.ts";

const HOUR_MS = 3_600_000;
const EXPIRY_UNIT_MS = { h: HOUR_MS, d: 24 * HOUR_MS } as const;

export const create = defineCommand({
  input: z.strictObject({
    name: nameSchema.meta({
      positional: true,
      value: "NAME",
      description: "the caller, as the audit log shows it",
    }),
    access: z.enum(ACCESS_LEVELS).meta({
      description: "the operations that the caller may call; each level has those before it",
    }),
    capabilities: z
      .array(nameSchema)
      .min(1)
      .optional()
      .meta({ value: "NAME", description: "only tasks of these capabilities" }),
    groups: z
      .array(nameSchema)
      .min(1)
      .optional()
      .meta({ value: "NAME", description: "the groups of the caller, which approvals of workflows name" }),
    expires: z.string().max(64).optional().meta({
      value: "TIME",
      description: "the API refuses the token from then on: 12h, 90d, or an ISO 8601 time",
    }),
    ratePerSecond: z
      .number()
      .min(0.1)
      .optional()
      .meta({ value: "NUMBER", description: "the most requests a second" }),
  }),
  output: z.object({
    name: z.string(),
    /** The token. It is stored nowhere. */
    token: z.string(),
    /** The line for the file of tokens. */
    line: z.string(),
    expires: z.string().nullable(),
  }),
  examples: [
    "token new grafana --access read --expires 90d",
    "token new shop --access submit --capabilities pay --capabilities ship",
  ],
  details:
    "Add the line below `tokens:` in the file that MURMUR_API_TOKENS_FILE names; a running API takes it within 5 s. The token itself is\nshown only now: it cannot be read from the file. To revoke a token, remove its line.",
  async run(_ports, { name, access, capabilities, groups, expires: given, ratePerSecond }) {
    const token = newToken();
    const expires = given === undefined ? undefined : readExpiry(given, Date.now());
    const line = renderEntry({
      name,
      sha256: hashOfToken(token),
      access,
      capabilities,
      groups,
      expires,
      ratePerSecond,
    });
    return { name, token, line, expires: expires ?? null };
  },
  render: ({ token, line }) =>
    [`token  ${token}`, "", "Its line for the file of tokens, below `tokens:`:", line].join("\n"),
});

/** The time of an expiry, ISO 8601. @throws SwarmError `invalid_input` for another text, or a time that has passed. */
function readExpiry(text: string, nowMs: number): string {
  const [, amount, unit] = /^(\d{1,5})(h|d)$/.exec(text) ?? [];
  const atMs =
    amount === undefined
      ? Date.parse(timeSchema.safeParse(text).data ?? "")
      : nowMs + Number(amount) * EXPIRY_UNIT_MS[unit as keyof typeof EXPIRY_UNIT_MS];
  if (atMs > nowMs) return new Date(atMs).toISOString();
  throw new SwarmError(
    "invalid_input",
    `--expires must be 12h, 90d, or an ISO 8601 time that has not passed, got ${JSON.stringify(text)}`,
    { field: "expires" },
  );
}
