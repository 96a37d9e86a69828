// The file of rules for Prometheus, from the tables of alerts and objectives. Pure.
import { stringify } from "yaml";
import { runbookOf } from "../problems/catalogue.ts";
import { type BoardName, uidOf } from "./boards.ts";
import { recordingRules } from "./objectives.ts";
import { type Alert, alertTable } from "./table.ts";
import { realTime, type Span } from "./time.ts";

/** The files with the rules, as paths in the repository: for Prometheus, and the same for the chart, which cannot read outside of itself. */
export const RULES_FILES = ["grafana/alerts/murmur.yaml", "k8s/chart/files/alerts.yaml"] as const;

const RULES_HEAD = `# Recording rules and alerts of Murmur for Prometheus. Made from src/app/alerts: node tools/build/generate.ts
# One scrape job is one swarm: every rule counts by \`job\`. docs/operations.md tells how to load this file.
`;

/** The whole file. `span`: the time in it; default real time. */
export function rulesFile(span: Span = realTime): string {
  const groups = [
    { name: "murmur-objectives", interval: span(30), rules: recordingRules(span) },
    {
      name: "murmur-alerts",
      interval: span(30),
      rules: alertTable(span).map((alert) => ruleOf(alert, span)),
    },
  ];
  return `${RULES_HEAD}${stringify({ groups }, { lineWidth: 0, blockQuote: "literal" })}`;
}

function ruleOf(
  { name, severity, summary, description, expr, forSeconds, board, labels }: Alert,
  span: Span,
): object {
  return {
    alert: name,
    expr,
    ...(forSeconds === 0 ? {} : { for: span(forSeconds) }),
    labels: { severity, ...labels },
    annotations: { summary, description, runbook_url: runbookOf(name), dashboard_url: dashboardOf(board) },
  };
}

/** The path of a board in Grafana, with the job of the alert. */
function dashboardOf(board: BoardName): string {
  return `/d/${uidOf(board)}?var-job={{ $labels.job }}`;
}
