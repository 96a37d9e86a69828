// The boards of Grafana as files: `node tools/build/generate.ts` writes grafana/dashboards and the copy in the chart.
//
//   boardFiles().get("grafana/dashboards/murmur-overview.json")
import { BOARD_NAMES, type BoardName, uidOf } from "../../src/app/alerts/boards.ts";
import type { Board } from "./board.ts";
import { AGENTS } from "./boards/agents.ts";
import { API } from "./boards/api.ts";
import { BALLOTS } from "./boards/ballots.ts";
import { DEAD_LETTERS } from "./boards/dead-letters.ts";
import { NATS } from "./boards/nats.ts";
import { OFFICE } from "./boards/office.ts";
import { OVERVIEW } from "./boards/overview.ts";
import { TASKS } from "./boards/tasks.ts";
import { WORKFLOWS } from "./boards/workflows.ts";
import { renderBoard } from "./render.ts";

export { type Board, type Panel, UNITS } from "./board.ts";
export { COLUMNS, renderBoard } from "./render.ts";
export { UNSEEN } from "./unseen.ts";

const BY_NAME: Readonly<Record<BoardName, Board>> = {
  overview: OVERVIEW,
  tasks: TASKS,
  agents: AGENTS,
  office: OFFICE,
  ballots: BALLOTS,
  workflows: WORKFLOWS,
  "dead-letters": DEAD_LETTERS,
  nats: NATS,
  api: API,
};

/** All boards, the overview first. */
export const BOARDS: readonly Board[] = BOARD_NAMES.map((name) => BY_NAME[name]);

/** The folders with the boards: for people and provisioning, and the same for the chart, which cannot read outside of itself. */
export const BOARD_FOLDERS = ["grafana/dashboards", "k8s/chart/files/dashboards"] as const;

/** The files of all boards, by their path in the repository. */
export function boardFiles(): Map<string, string> {
  return new Map(
    BOARD_FOLDERS.flatMap((folder) =>
      BOARDS.map((board): [string, string] => [
        `${folder}/${uidOf(board.name)}.json`,
        `${JSON.stringify(renderBoard(board), null, 2)}\n`,
      ]),
    ),
  );
}
