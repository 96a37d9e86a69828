// The permissions of engines, and of everything that sends commands to workflows. Pure.
import { laneConsumer } from "../../engine/index.ts";
import { LANES } from "../../protocol/index.ts";
import { jetStreamApi } from "../../transport/index.ts";
import { grantBlobs, grantProcess, grantSteward, grantWholeStream, type Table, WIDE } from "./lines.ts";

const api = jetStreamApi;

/** The rights of a process that sends commands to workflows and reads their logs. */
export function grantWorkflowCommands({ names, list }: Table): void {
  list.publish("store commands to workflows", names.subject("flow"), WIDE.flow);
  list.publish("read stored commands", api.messageGet(names.stream("flow")), WIDE.bareRead);
}

/** The rights of a process that reads and changes the shared values of workflows. */
export function grantSharedValues(table: Table): void {
  table.list.publish("change shared values of workflows", table.names.subject("shared"));
  grantWholeStream(table, "shared", ["read"]);
}

/** The large entries of the logs of workflows. */
export function readsOfEntries({ names }: Table): string[] {
  const store = names.storeOf("entries");
  return [api.messageGet(store), api.directGet(store), `${api.directGet(store)}.>`];
}

export function grantEngine(table: Table): void {
  const { names, list } = table;
  grantProcess(table, "murmur-engine");
  grantSteward(table);
  const streams = [names.stream("results"), names.stream("flow")];
  for (const lane of LANES) {
    const consumer = laneConsumer(names.prefix, "flow", lane).name;
    list.publish(
      `take the results and commands of lane ${lane}`,
      streams.flatMap((stream) => [
        api.consumerCreate(stream, consumer, ">"),
        api.consumerInfo(stream, consumer),
        api.next(stream, consumer),
        api.ack(stream, consumer),
      ]),
    );
  }
  list.publish("write the logs of workflows", names.subject("workflow"), WIDE.logs);
  grantWholeStream(table, "workflows", ["read", "follow"]);
  list.publish("store large entries", names.objects("entries"), WIDE.entries);
  list.publish("replace large entries", api.purge(names.storeOf("entries")));
  list.publish("read large entries", readsOfEntries(table));
  grantWorkflowCommands(table);
  grantSharedValues(table);
  grantWholeStream(table, "shared", ["purge"]);
  list.publish("arrange wake-ups", names.subject("wake"));
  list.publish("order steps", names.subject("task"));
  list.publish("store the ends of runs, and of cancelled steps", names.subject("result"));
  list.publish("take back the result of a run that is retried", api.purge(names.stream("results")));
  list.publish("tell the events of runs", names.subject("event", { kind: "workflow" }));
  list.publish("tell hosts of cancelled steps", names.subject("cancel"));
  list.publish("mark cancelled steps that a host has", names.key("cancelled", "task.*"));
  list.publish("ask where a step runs", names.subject("where"));
  list.subscribe("hear that a cancelled step begins or ends", [
    names.subject("event", { kind: "task" }),
    names.subject("doneOf"),
  ]);
  for (const key of ["tasks", "later", ...names.placedKeys] as const)
    grantWholeStream(table, key, ["read", "purge"]);
  grantWholeStream(table, "results", ["read"]);
  list.publish("see how far the queues have come", [
    api.consumerList(names.stream("tasks")),
    ...names.placedKeys.map((key) => api.consumerList(names.stream(key))),
  ]);
  list.publish("find the streams of placed tasks", api.streamNames);
  list.publish("ask the office for open ballots", names.subject("office", { command: "ballot" }));
  grantBlobs(table);
  list.publish("tell the other engines that it lives", names.subject("engine"));
  list.subscribe("hear the other engines", names.filters.allEngines);
  list.subscribe("judge commands before they are stored", names.filters.allEngineRequests);
}
