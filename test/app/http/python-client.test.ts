// A client that a generator for Python makes from the OpenAPI document, against a real API. Only in the full run: it installs the
// generator from PyPI.
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { openApiText } from "../../../src/app/http/openapi/document.ts";
import { scaled } from "../../support/scale.ts";
import { serveApi } from "./setup.ts";

/** The generator, at the version that this test was written with. */
const GENERATOR = "openapi-python-client==0.29.1";

const PROGRAM = `
import sys
from murmur_client import AuthenticatedClient
from murmur_client.api.tasks import task_submit, task_show, task_list, task_cancel_tasks, task_submit_batch
from murmur_client.api.dead import dead_list
from murmur_client.models import Task, ErrorReply, TaskSubmitBatchBody

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
reply = task_submit.sync(client=client, body=Task(capability="echo", id="py1", input_={"n": 1}))
assert reply.task_id == "py1" and reply.duplicate is False, reply
status = task_show.sync("py1", client=client)
assert status.state == "pending", status
assert [task.task_id for task in task_list.sync(client=client, limit=1).tasks] == ["py1"]
batch = TaskSubmitBatchBody(tasks=[Task(capability="echo"), Task(capability="nosuch")])
assert task_submit_batch.sync(client=client, body=batch).refused == 1
assert task_cancel_tasks.sync("py1", client=client).status == "cancelled"
missing = task_show.sync("nosuch", client=client)
assert isinstance(missing, ErrorReply) and missing.error.code == "not_found", missing
assert dead_list.sync(client=client).dead == []
print("ok")
`;

test.skipIf(scaled(0, 1) === 0)(
  "a Python client generated from the document submits, reads, lists and cancels",
  { timeout: 300_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "murmur-python-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    // The API answers from this process, so it must not block.
    const run = async (command: string, args: readonly string[]) =>
      (await promisify(execFile)(command, args, { cwd: folder, encoding: "utf8" })).stdout;
    await run("python3", ["-m", "venv", "venv"]);
    const python = join(folder, "venv/bin/python");
    await run(python, ["-m", "pip", "install", "--quiet", GENERATOR]);
    writeFileSync(join(folder, "openapi.json"), openApiText());
    writeFileSync(
      join(folder, "config.yaml"),
      "project_name_override: murmur-client\npackage_name_override: murmur_client\n",
    );
    await run(join(folder, "venv/bin/openapi-python-client"), [
      ...["generate", "--path", "openapi.json", "--config", "config.yaml", "--meta", "none"],
      ...["--output-path", "murmur_client", "--overwrite"],
    ]);
    writeFileSync(join(folder, "program.py"), PROGRAM);
    const token = { secret: "murmur_python", name: "python", access: "submit" as const };
    const { url } = await serveApi([token]);
    expect((await run(python, ["program.py", url, token.secret])).trim()).toBe("ok");
  },
);
