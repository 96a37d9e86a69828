// `topology show`: draws the swarm, one ballot, or a ballot that is only planned.
import { z } from "zod";
import {
  ballotSchema,
  MAX_SEATS,
  parse,
  SwarmError,
  TOPOLOGIES,
  tokenSchema,
} from "../../../protocol/index.ts";
import { defineCommand } from "../../cli/command.ts";
import { drawPlan, showTopology } from "../../operations/topology.ts";
import { callOperation } from "../face.ts";

const { ballot: ballotField, format: formatField } = showTopology.input.shape;

export const show = defineCommand({
  input: z.strictObject({
    ballot: tokenSchema.optional().meta({ ...ballotField.meta(), positional: true, value: "BALLOT" }),
    topology: z.enum(TOPOLOGIES).optional().meta({ description: "instead: a planned ballot" }),
    seats: z
      .int()
      .min(1)
      .max(MAX_SEATS)
      .default(5)
      .meta({ description: "of --topology: how many agents", value: "N" }),
    depth: z.int().optional().meta({ description: "of --topology tree: its levels", value: "N" }),
    fanOut: z.int().optional().meta({ description: "of --topology tree: how many a lead leads", value: "N" }),
    neighbours: z
      .int()
      .optional()
      .meta({ description: "of --topology mesh: how many others each sees", value: "N" }),
    format: formatField,
  }),
  output: showTopology.output,
  examples: [
    "topology show",
    "topology show --format mermaid",
    "topology show --topology tree --seats 14 --depth 3 --fan-out 2 --format dot",
    "topology show 01JD2M0YQ3",
  ],
  details:
    "An arrow points from an agent to an agent that sees its answer, such as its lead in a tree. The line below the text is the\nmost questions that an open or planned ballot can ask, its judge or verifier included.",
  async run(ports, { ballot, topology, seats, format, ...shape }) {
    const given = Object.entries(shape).filter(([, value]) => value !== undefined);
    if (topology === undefined) {
      const [field] = given[0] ?? [];
      if (field === undefined) return callOperation(ports, showTopology, { ballot, format });
      throw new SwarmError("invalid_input", `${field} belongs to a planned ballot: give --topology too`, {
        field,
      });
    }
    if (ballot !== undefined)
      throw new SwarmError("invalid_input", "give a ballot or --topology, not both", { field: "topology" });
    const fields = { seats, strategy: "majority", topology, ...Object.fromEntries(given) };
    return drawPlan(parse(ballotSchema, fields, "topology"), format);
  },
  render: ({ drawing, mostMessages }) =>
    mostMessages === undefined || isGraph(drawing)
      ? drawing
      : `${drawing}\nat most ${mostMessages} questions`,
});

/** True for a drawing in the language of a program, which could not read a further line. */
function isGraph(drawing: string): boolean {
  return /^(?:flowchart|digraph) /.test(drawing);
}
