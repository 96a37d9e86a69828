// An engine as a process of its own, for tests that kill it: `node engine-process.ts <server> <prefix> <id>`.
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { createEngine } from "../../src/engine/index.ts";
import { connectNats } from "../../src/transport/index.ts";
import { createTaskClient } from "../../src/work/index.ts";
import { definitions } from "./kill-workflows.ts";

const [, , servers = "", prefix = "", id = ""] = process.argv;
const meter = createMeter();
const transport = await connectNats({ servers, name: id, prefix, log: silentLogger, meter });
const tasks = createTaskClient({ transport, meter });
const engine = createEngine({ transport, meter, log: silentLogger, id, definitions, tasks });
await engine.start();
process.stdout.write("ready\n");
process.on("SIGTERM", () => {
  void engine
    .stop()
    .then(() => transport.close())
    .then(() => process.exit(0));
});
