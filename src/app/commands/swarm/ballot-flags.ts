// The flags of `submit` that describe a ballot, and the ballot that is made from them.
import { z } from "zod";
import {
  BALLOT_STRATEGIES,
  type BallotInput,
  DISAGREEMENT_RULES,
  MAX_SEATS,
  SwarmError,
  TOPOLOGIES,
  tokenSchema,
} from "../../../protocol/index.ts";
import { readJson } from "../../cli/json.ts";
import { flagName } from "../../words.ts";

/** The flags. The schema of the task checks which of them fit together, before anything is published. */
export const ballotFlags = {
  ballot: z
    .int()
    .optional()
    .meta({ description: `let so many agents answer, 1 to ${MAX_SEATS}; needs --strategy`, value: "SEATS" }),
  strategy: z
    .enum(BALLOT_STRATEGIES, `must be one of ${BALLOT_STRATEGIES.join(", ")}`)
    .optional()
    .meta({ description: "how their answers become one answer" }),
  quorum: z.int().optional().meta({ description: "quorum: equal answers that decide", value: "N" }),
  minAnswers: z
    .int()
    .optional()
    .meta({ description: "the fewest answers that a decision needs", value: "N" }),
  pointer: z
    .string()
    .optional()
    .meta({ description: "the place in the output of the value that is compared", value: "/PATH" }),
  judge: tokenSchema.optional().meta({ description: "the capability that judges", value: "CAPABILITY" }),
  verifier: tokenSchema.optional().meta({ description: "the capability that verifies", value: "CAPABILITY" }),
  diversity: z
    .enum(["model", "agent", "none"])
    .optional()
    .meta({ description: "the property that no two agents may share" }),
  onDisagreement: z
    .enum(DISAGREEMENT_RULES)
    .optional()
    .meta({ description: "the next step when they do not agree" }),
  rounds: z.int().optional().meta({ description: "the most rounds of a debate, mesh or ring", value: "N" }),
  topology: z.enum(TOPOLOGIES).optional().meta({ description: "which agents see which answers" }),
  ballotTimeoutMs: z
    .number()
    .optional()
    .meta({ description: "limit of the whole ballot; --attempt-timeout-ms is a seat's", value: "MS" }),
  ballotOptions: z.string().optional().meta({
    description: "further fields of the ballot, such as normalise or budget, as JSON",
    value: "JSON",
  }),
} as const;

type Flags = { readonly [K in keyof typeof ballotFlags]?: z.output<(typeof ballotFlags)[K]> };

/** The ballot of these flags; undefined without --ballot. @throws SwarmError `invalid_input` for other flags without --ballot. */
export function readBallot(flags: Flags): BallotInput | undefined {
  const names = Object.keys(ballotFlags) as (keyof Flags)[];
  const own = Object.fromEntries(names.map((name) => [name, flags[name]])) as Flags;
  const { ballot: seats, ballotTimeoutMs: timeoutMs, ballotOptions, ...fields } = own;
  if (seats === undefined) {
    const stray = names.find((name) => flags[name] !== undefined);
    if (stray === undefined) return undefined;
    throw new SwarmError("invalid_input", `${flagName(stray)} belongs to a ballot: give --ballot SEATS too`, {
      field: stray,
    });
  }
  const given = { seats, ...fields, timeoutMs };
  const fieldsGiven = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { ...readOptions(ballotOptions, Object.keys(fieldsGiven)), ...fieldsGiven } as BallotInput;
}

/** Further fields of the ballot. @throws SwarmError `invalid_input` for a field that a flag gives too. */
function readOptions(text: string | undefined, fieldsGiven: readonly string[]): object {
  if (text === undefined) return {};
  const options = readJson(text, "ballotOptions");
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new SwarmError(
      "invalid_input",
      `--ballot-options must be a JSON object such as {"normalise":{"trim":true}}, got ${text.slice(0, 60)}`,
      { field: "ballotOptions" },
    );
  }
  const twice = Object.keys(options).find((name) => fieldsGiven.includes(name));
  if (twice === undefined) return options;
  throw new SwarmError(
    "invalid_input",
    `--ballot-options contains ${twice}, which a flag gives too: give it once`,
    {
      field: "ballotOptions",
    },
  );
}
