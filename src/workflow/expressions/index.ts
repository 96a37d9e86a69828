// The language of expressions in workflow definitions written as data: paths, literals, comparisons, boolean operators, `in`,
// `size()` and `has()`. It has no loop, no regular expression and no arithmetic; docs/workflows.md tells why.
//
//   const { template, faults } = parseTemplate({ id: "${input.id}", isLarge: "${input.total > 1000}" });
//   const value = fillTemplate(template, { input: { id: "o1", total: 1200 } }); // { id: "o1", isLarge: true }

export {
  checkExpression,
  checkTemplate,
  findMismatch,
  itemSchemaOf,
  rooted,
  type Schema,
  type SchemaScope,
  type Shape,
  shapeOf,
} from "./check.ts";
export { EvaluationError, evaluate, hint, type Scope } from "./evaluate.ts";
export { type Expression, type Fault, MAX_EXPRESSION_LENGTH, type Path } from "./expression.ts";
export { type Parsed, parseExpression } from "./parse.ts";
export {
  fillTemplate,
  MAX_MADE_LENGTH,
  MAX_TEMPLATE_DEPTH,
  type Place,
  parseTemplate,
  parseText,
  type Template,
  TemplateError,
  type TemplateFault,
} from "./template.ts";
