// The driver of the election node on its pipe. Its log starts at sequence 1 without genesis, and there are no snapshots.

import { assert } from "../../../src/base/index.ts";
import { createElectionNode } from "../../../src/consensus/index.ts";
import type { LineNode } from "./lines.ts";
import { registersWorkload } from "./registers-workload.ts";
import { type Bench, type Driver, type DriverParts, electionLine } from "./world.ts";

const SWARM = "simulated";

/** The bench of the election node, or of a broken node. */
export function lineBench(createNode: () => LineNode = createElectionNode): Bench {
  return {
    createNode,
    createWorkload: registersWorkload,
    createDriver: createLineDriver,
    origin: { logId: SWARM, epoch: 1, seq: 0 },
    isTimeReal: false,
    faults: [],
  };
}

function createLineDriver({ stage, log, shared, say }: DriverParts): Driver {
  return {
    start(node, kind) {
      const length = kind === "current" ? log.lastSeq : stage.between(0, log.lastSeq);
      node.isUp = true;
      const reply = say(node, {
        op: "init",
        ...electionLine(node, shared),
        swarm: SWARM,
        log: Array.from({ length }, (_, index) => ({ seq: index + 1, entry: log.read(index + 1) })),
      });
      assert(reply.ok && reply.state.appliedSeq === length, `${node.id} starts with ${reply.error}`);
      node.nextSeq = length + 1;
    },
    fallBehind: ({ id }) => assert(false, `the log was trimmed beyond ${id}, but this world never trims it`),
    wake(node, missed, doInbox) {
      const isTickFirst = stage.happens(0.5);
      if (!isTickFirst) doInbox();
      if (node.isUp) say(node, { op: "tick", n: missed + 1 });
      if (isTickFirst) doInbox();
    },
    append: (_node, _append, { ask }) => ask(),
    after: () => undefined,
    step: () => undefined,
    settle: () => null,
    heal: () => undefined,
    check: () => undefined,
  };
}
