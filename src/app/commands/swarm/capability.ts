// `capability …`: see the swarm's capabilities, and pause or resume one of them everywhere.

import { printable, type Terminal, table } from "../../cli/terminal.ts";
import type { CapabilityView } from "../../office/capabilities.ts";
import { listCapabilities, pauseCapability, resumeCapability } from "../../operations/capabilities.ts";
import { defineFace } from "../face.ts";

const capability = { positional: true, value: "NAME" } as const;

export const ls = defineFace(listCapabilities, {
  examples: ["capability ls", "capability ls --json"],
  details:
    "Every capability that an agent has ever offered. `paused`: the office paused it. `pausing` and `resuming`: NATS does not\nfollow yet. `held`: another program paused its queue in NATS (`nats consumer resume` ends that).",
  render: ({ capabilities, isOfficeKnown }, terminal) => {
    const shown = table(
      ["CAPABILITY", "STATE", "WAITING", "IN FLIGHT", "SINCE", "BY"],
      capabilities.map((each) => [
        each.capability,
        paint(each.state, terminal),
        String(each.waiting),
        String(each.inFlight),
        each.since ?? "-",
        printable(each.by ?? "-"),
      ]),
      "no agent has offered a capability yet",
    );
    return isOfficeKnown
      ? shown
      : `${shown}\nno coordinator answers: the times and operators of pauses are unknown`;
  },
});

export const pause = defineFace(pauseCapability, {
  fields: { capability },
  examples: ["capability pause deploy", "capability pause deploy --json"],
  details:
    "Tasks of this capability are accepted and wait. Running attempts end, and the office places no task and no new seat of a\nballot on its agents. Deadlines run on: a task that passes its deadline fails when it is resumed. Asks between agents\n(`ctx.ask`) are no tasks and pass. The pause survives restarts of everything. A repeat changes nothing.",
  render: (shown, terminal) => describe(shown, terminal),
});

export const resume = defineFace(resumeCapability, {
  fields: { capability },
  examples: ["capability resume deploy"],
  details: "Its waiting tasks go on in order. A repeat changes nothing.",
  render: (shown, terminal) => describe(shown, terminal),
});

function describe(
  { isChanged, ...shown }: CapabilityView & { isChanged: boolean },
  terminal: Terminal,
): string {
  const { capability: name, state, waiting, inFlight, since, by } = shown;
  const begin = since === null ? "" : ` since ${since} by ${printable(by ?? "")}`;
  const already = isChanged ? "" : " (it was so already)";
  const late =
    state === "pausing" || state === "resuming"
      ? "\nthe office has stored it; NATS follows when a coordinator holds the office: murmur capability ls"
      : "";
  return `${name} is ${paint(state, terminal)}${begin}${already}; ${waiting} tasks wait, ${inFlight} in flight${late}`;
}

function paint(state: CapabilityView["state"], { colors }: Terminal): string {
  return state === "open" ? colors.green(state) : colors.yellow(state);
}
