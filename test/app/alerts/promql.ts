// The series that an expression of PromQL reads, by the parser of Prometheus' own web page.
import { parser } from "@prometheus-io/lezer-promql";

/** The part of a syntax tree that is read here. */
interface Node {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly parent: Node | null;
  getChild(name: string): Node | null;
  getChildren(name: string): Node[];
}
/** One read of a series. */
export interface Selector {
  readonly metric: string;
  /** The labels that its matchers name. */
  readonly labels: readonly string[];
  /** True: a range of samples, as `rate` takes it. */
  readonly isRange: boolean;
  /** The range as it is written, such as `5m`; empty for a single sample. */
  readonly window: string;
  /** The functions and aggregations around it, the innermost first: `rate`, `sum`. */
  readonly around: readonly string[];
}

/** Everything that an expression reads. */
export interface Reads {
  readonly selectors: readonly Selector[];
  /** The labels in `by`, `on` and `group_left`. */
  readonly grouping: readonly string[];
  /** The texts that the parser does not understand. */
  readonly faults: readonly string[];
}

/** Reads an expression. */
export function readsOf(expr: string): Reads {
  const selectors: Selector[] = [];
  const grouping: string[] = [];
  const faults: string[] = [];
  const text = ({ from, to }: Node) => expr.slice(from, to);
  parser.parse(expr).iterate({
    enter: ({ name, node }) => {
      if (name === "⚠") faults.push(expr.slice(Math.max(0, node.from - 20), node.to + 20));
      if (name === "GroupingLabels") grouping.push(...node.getChildren("LabelName").map(text));
      if (name !== "VectorSelector") return;
      const metric = node.getChild("Identifier");
      const labels: string[] = [];
      const matchers = node.getChild("LabelMatchers");
      for (const matcher of matchers?.getChildren("UnquotedLabelMatcher") ?? []) {
        const label = matcher.getChild("LabelName");
        if (label !== null) labels.push(text(label));
      }
      const range = node.parent?.name === "MatrixSelector" ? node.parent : null;
      selectors.push({
        metric: metric === null ? "" : text(metric),
        labels,
        isRange: range !== null,
        window: range === null ? "" : (/\[([^\]]*)\]$/.exec(text(range))?.[1] ?? ""),
        around: functionsAround(node, text),
      });
    },
  });
  return { selectors, grouping, faults };
}

function functionsAround(node: Node, text: (node: Node) => string): string[] {
  const found: string[] = [];
  for (let at = node.parent; at !== null; at = at.parent) {
    const name = at.getChild("FunctionIdentifier") ?? at.getChild("AggregateOp");
    if (name !== null) found.push(text(name));
  }
  return found;
}
