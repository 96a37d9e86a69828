// The views in their order, and the keys. Pure.

/** The views that the bar lists. `parts`: the views of one thing, which belong to it. */
export const VIEWS: readonly { view: string; title: string; key: string; parts: readonly string[] }[] = [
  { view: "problems", title: "What is wrong now?", key: "1", parts: [] },
  { view: "stuck", title: "Stuck", key: "2", parts: [] },
  { view: "dead", title: "Dead letters", key: "3", parts: [] },
  { view: "tasks", title: "Tasks", key: "4", parts: ["task"] },
  { view: "queues", title: "Queues", key: "5", parts: [] },
  { view: "agents", title: "Agents", key: "6", parts: [] },
  { view: "workflows", title: "Workflows", key: "7", parts: ["workflow"] },
  { view: "ballots", title: "Ballots", key: "8", parts: ["ballot"] },
  { view: "office", title: "Office", key: "9", parts: [] },
];

/** The view of a key. */
export function viewOfKey(key: string): string | undefined {
  return VIEWS.find((each) => each.key === key)?.view;
}

/** The keys, as the help shows them. */
export const HELP: readonly (readonly [string, string])[] = [
  ...VIEWS.map(({ key, title }) => [key, title] as const),
  ["/", "go to the search or the filter"],
  ["j or ↓", "the next row"],
  ["k or ↑", "the row before"],
  ["Enter", "open the row"],
  ["Tab", "the buttons of the row, and then the next part"],
  ["Esc", "leave a field, close a dialog"],
  ["?", "this help"],
];
