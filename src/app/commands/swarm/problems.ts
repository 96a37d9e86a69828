// `problems`: the problems of the swarm now, with the names of the alerts.
import { listProblems } from "../../operations/problems.ts";
import { defineFace } from "../face.ts";
import { showProblems } from "../views/problems.ts";

export const ls = defineFace(listProblems, {
  examples: ["problems", "problems --json"],
  details:
    "Each problem has the name of its alert, and a page in docs/runbooks. Exit code 1 for a problem that wakes a person, or while a\npart of the swarm could not be read.",
  exitCode: ({ problems, unknown }) =>
    unknown.length > 0 || problems.some(({ severity }) => severity === "page") ? 1 : 0,
  render: (report, terminal) => showProblems(report, terminal),
});
