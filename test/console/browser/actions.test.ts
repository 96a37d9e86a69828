// Every action of the console sends its request, and a caller with a read-only token sees no button. The page also tells when the swarm, the
// API or the stream is away.
import { expect } from "vitest";
import { SwarmError } from "../../../src/protocol/index.ts";
import { writeTokens } from "../../app/http/setup.ts";
import {
  browserTest,
  closeBrowserAtEnd,
  findAxeFaults,
  IS_WHOLE,
  openConsole,
  type SentRequest,
} from "./browser.ts";
import { samples, VIEWS } from "./samples.ts";

closeBrowserAtEnd();

/** A step of a way through the page: the names of buttons, in the order of the clicks; the last one sends the request. */
interface Way {
  at: string;
  clicks: readonly string[];
  /** A select and its value, chosen before the clicks. */
  choose?: readonly [string, string];
  /** A field and its text, typed before the clicks. */
  type?: readonly [string, string];
  sends: Pick<SentRequest, "method" | "path"> & { body?: unknown };
}

const post = (path: string, body?: unknown) => ({
  method: "POST",
  path,
  ...(body === undefined ? {} : { body }),
});

const WAYS: readonly Way[] = [
  { at: "#/stuck", clicks: ["run now: run now task-1"], sends: post("/v1/tasks/task-1/promote", {}) },
  {
    ...{ at: "#/stuck", choose: ["priority of priority  for task-1", "urgent"] },
    clicks: ["priority: priority urgent for task-1"],
    sends: post("/v1/tasks/task-1/reprioritise", { priority: "urgent" }),
  },
  {
    ...{ at: "#/stuck", clicks: ["cancel: cancel task-1", "dialog: cancel: cancel task-1"] },
    sends: { method: "DELETE", path: "/v1/tasks/task-1" },
  },
  {
    at: "#/task/task-0",
    clicks: ["give back: give back step pay of task-0", "dialog: give back: give back step pay of task-0"],
    sends: post("/v1/tasks/task-0/settle", { step: "pay", notDone: true }),
  },
  {
    at: "#/task/task-0",
    clicks: [
      "it was done: settle step pay of task-0 as done",
      "dialog: it was done: settle step pay of task-0 as done",
    ],
    sends: post("/v1/tasks/task-0/settle", { step: "pay", result: null }),
  },
  { at: "#/queues", clicks: ["resume: resume pay0"], sends: post("/v1/capabilities/pay0/resume", {}) },
  {
    ...{ at: "#/queues", clicks: ["pause: pause pay1", "dialog: pause: pause pay1"] },
    sends: post("/v1/capabilities/pay1/pause", {}),
  },
  { at: "#/agents", clicks: ["pause: pause pay-1"], sends: post("/v1/agents/pay-1/pause", {}) },
  {
    ...{ at: "#/agents", clicks: ["drain: drain pay-1", "dialog: drain: drain pay-1"] },
    sends: post("/v1/agents/pay-1/drain", {}),
  },
  {
    ...{
      at: "#/office",
      clicks: ["hand over: hand the office over to c1", "dialog: hand over: hand the office over to c1"],
    },
    sends: post("/v1/office/transfer", { to: "c1" }),
  },
  {
    ...{
      at: "#/workflow/run-0",
      type: ["note about approve", "fine"],
      clicks: ["approve: approve approve of run-0"],
    },
    sends: post("/v1/workflows/run-0/approve", { approval: "approve", note: "fine" }),
  },
  {
    ...{ at: "#/workflow/run-0", clicks: ["reject: reject approve of run-0"] },
    sends: post("/v1/workflows/run-0/reject", { approval: "approve" }),
  },
  { at: "#/workflow/run-0", clicks: ["pause: pause run-0"], sends: post("/v1/workflows/run-0/pause", {}) },
  {
    ...{ at: "#/workflow/run-0", clicks: ["cancel: cancel run-0", "dialog: cancel: cancel run-0"] },
    sends: post("/v1/workflows/run-0/cancel", {}),
  },
  {
    at: "#/ballot/ballot-0",
    clicks: ["choose: choose candidate 1 of ballot-0", "dialog: choose: choose candidate 1 of ballot-0"],
    sends: post("/v1/ballots/ballot-0/decide", { choice: 1 }),
  },
];

const DONE = { json: {} };
/** Every change of these tests succeeds. */
const CHANGES = Object.fromEntries(WAYS.map(({ sends }) => [`${sends.method} ${sends.path}`, DONE]));

browserTest("every action sends its request, and the page tells its end", {}, async () => {
  const { page, sent, url } = await openConsole({ answers: { ...samples(4, "pay"), ...CHANGES } });
  for (const { at, clicks, choose, type, sends } of WAYS) {
    await page.goto(`${url}/#/none`);
    await page.goto(`${url}/${at}`);
    sent.length = 0;
    if (choose !== undefined) await page.getByLabel(choose[0]).selectOption(choose[1]);
    if (type !== undefined) await page.getByLabel(type[0]).fill(type[1]);
    for (const click of clicks) {
      const place = click.startsWith("dialog: ") ? page.getByRole("dialog") : page.locator("main");
      await place
        .getByRole("button", { name: click.replace("dialog: ", ""), exact: true })
        .first()
        .click();
    }
    await expect.poll(() => sent, { message: clicks.join(", ") }).toMatchObject([sends]);
    await page.locator(".endings").getByText("done").waitFor();
  }
});

browserTest("a refused action tells the reason, and changes nothing on the page", {}, async () => {
  const refused = {
    status: 409,
    json: { error: { code: "conflict", message: "a host holds it", retryable: false } },
  };
  const { page } = await openConsole({
    ...{ at: "#/stuck", answers: { ...samples(3), "POST /v1/tasks/task-1/promote": refused } },
  });
  await page.getByRole("button", { name: "run now: run now task-1" }).click();
  await page.getByText("run now task-1: a host holds it").waitFor();
  await page.getByRole("link", { name: "task-1", exact: true }).waitFor();
});

browserTest("dead letters are replayed by group: scope, preview, rate, progress, stop", {}, async () => {
  const report = {
    preview: true,
    selected: 5,
    done: 0,
    left: 5,
    failed: 0,
    skipped: 0,
    unseen: 0,
    unknown: 0,
  };
  const { page, sent } = await openConsole({
    at: "#/dead",
    answers: {
      ...samples(3),
      "POST /v1/dead/replay": { json: { ...report, ids: ["task-1"], failures: [] } },
    },
  });
  await page.getByRole("button", { name: "replay the group pay1 timeout" }).click();
  const dialog = page.getByRole("dialog");
  await dialog
    .getByText("Nothing is changed before a preview. The change covers all stored letters")
    .waitFor();
  await dialog.getByRole("button", { name: "preview" }).click();
  await dialog.getByText("5 letters of this group to replay. The first: task-1.").waitFor();
  expect(sent.at(-1)?.body).toEqual({
    ...{ capability: "pay1", code: "timeout", fingerprint: "a message 1", dryRun: true },
  });
  expect(await findAxeFaults(page)).toEqual([]);
  await dialog.getByLabel("Rate").selectOption("5");
  await dialog.getByRole("button", { name: "replay 5 letters" }).click();
  await dialog.getByText("0 done, 0 skipped, 0 failed, 5 left").waitFor();
  expect(sent.at(-1)?.body).toMatchObject({ fingerprint: "a message 1", yes: true, rate: 5 });
  await dialog.getByLabel("Scope").selectOption("code");
  await dialog.getByRole("button", { name: "preview" }).click();
  await expect.poll(() => sent.at(-1)?.body).toEqual({ capability: "pay1", code: "timeout", dryRun: true });
});

browserTest(
  "a read-only token logs in and sees no button for a change; a wrong one hears why",
  { isShort: true },
  async () => {
    const { tokens, write } = await writeTokens([{ secret: "murmur_read", name: "reader", access: "read" }]);
    const { page, url } = await openConsole({
      ...{ answers: samples(3), token: "murmur_wrong", parts: { tokens } },
    });
    await page.getByText("the API does not know this token").waitFor();
    expect(await findAxeFaults(page)).toEqual([]);
    await page.getByLabel("Token of the API").fill("murmur_read");
    await page.getByRole("button", { name: "log in" }).click();
    await page.getByText("reader (read)").waitFor();
    await page.getByRole("heading", { name: "3 problems now" }).waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    expect(await findAxeFaults(page)).toEqual([]);
    const word =
      /run now|cancel|priority|give back|pause|resume|drain|replay|remove|approve|reject|choose|hand over/;
    for (const { at, title } of IS_WHOLE ? VIEWS : VIEWS.slice(1, 2)) {
      await page.goto(`${url}/${at}`);
      await page.getByRole("heading", { name: title, level: 1 }).waitFor();
      expect(await page.getByRole("button", { name: word }).count(), at).toBe(0);
    }
    expect(await page.evaluate("document.cookie")).toBe("");
    write([]);
    await tokens.look(() => undefined);
    await page.reload();
    await page.getByLabel("Token of the API").waitFor();
  },
);

browserTest(
  "a session that ends shows the login with the reason, and a logout forgets the cookie",
  {},
  async () => {
    const reader = { secret: "murmur_read", name: "reader", access: "read" as const };
    const { tokens, write } = await writeTokens([reader]);
    const { page } = await openConsole({ token: reader.secret, parts: { tokens } });
    await page.getByText("reader (read)").waitFor();
    await page.getByRole("button", { name: "log out" }).click();
    await page.getByLabel("Token of the API").waitFor();
    await page.reload();
    await page.getByLabel("Token of the API").fill(reader.secret);
    await page.getByRole("button", { name: "log in" }).click();
    await page.getByText("reader (read)").waitFor();
    write([]);
    await tokens.look(() => undefined);
    await page.getByText("The session has ended").waitFor();
  },
);

browserTest("a stream that is cut greys the page, which goes on when the API is back", {}, async () => {
  const stopping = new AbortController();
  const { page, close, answers } = await openConsole({
    answers: samples(3),
    parts: { stopping: stopping.signal },
  });
  await page.getByText("live", { exact: true }).waitFor();
  stopping.abort(new SwarmError("unavailable", "stops", { retryAfterMs: 100 }));
  await close();
  for (const path of Object.keys(answers)) answers[path] = undefined; // no answer comes
  await page.getByText("The stream is cut: the figures are those of before.").waitFor();
  expect(await page.locator(".app.cut main").count()).toBe(1);
  await page.getByRole("heading", { name: "3 problems now" }).waitFor(); // they stay, in grey
  await page.getByText("unavailable: the API does not answer").waitFor();
  expect(await findAxeFaults(page)).toEqual([]);
});

browserTest("while NATS is away, every view keeps its figures and tells the reason", {}, async () => {
  const away = {
    status: 503,
    json: { error: { code: "unavailable", message: "this API is not connected to NATS", retryable: true } },
  };
  const { page, url, answers } = await openConsole({ answers: samples(3) });
  await page.getByRole("heading", { name: "3 problems now", level: 1 }).waitFor();
  for (const path of Object.keys(answers)) answers[path] = away;
  for (const { at, title } of VIEWS) {
    await page.goto(`${url}/#/none`);
    await page.goto(`${url}/${at}`);
    await page.getByRole("heading", { name: title, level: 1 }).waitFor();
    await page.getByText("unavailable: this API is not connected to NATS").first().waitFor();
  }
});
