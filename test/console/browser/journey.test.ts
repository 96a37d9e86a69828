// An operator's way through the console of a real swarm: a task fails, its letter is found and replayed by group, a delayed task runs now, an
// agent is paused, a ballot shows its seats, and a change shows within a second.
import { expect, onTestFinished } from "vitest";
import { keepFacts } from "../../../src/app/facts/kept.ts";
import { createSwarmFacts } from "../../../src/app/facts/swarm.ts";
import { apiRoutes } from "../../../src/app/http/api.ts";
import { listen } from "../../../src/app/http/listen.ts";
import { probeRoutes } from "../../../src/app/http/probes.ts";
import { Readiness } from "../../../src/app/http/readiness.ts";
import { ProblemWatch } from "../../../src/app/problems/watch.ts";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { SwarmError } from "../../../src/protocol/index.ts";
import { createMover, createTaskClient } from "../../../src/work/index.ts";
import { setupBallots } from "../../coordinator/ballots/swarm.ts";
import { browserTest, closeBrowserAtEnd, openPage } from "./browser.ts";

closeBrowserAtEnd();

async function setup() {
  let isBroken = true;
  const swarm = await setupBallots(
    [
      ...["a", "b", "c"].map((name) => ({ name, say: () => "cat" })),
      {
        ...{ name: "echo", capability: "echo", slots: 4 },
        say: ({ input }) => {
          if (input === "fail" && isBroken) throw new SwarmError("invalid_input", "order 4711 is unknown");
          return input;
        },
      },
    ],
    { nats: true },
  );
  const { transport, office } = swarm;
  const meter = createMeter();
  const tasks = createTaskClient({ transport, meter });
  onTestFinished(() => tasks.close());
  const facts = createSwarmFacts({ transport, dead: tasks.dead, scaling: undefined, meter });
  const problems = new ProblemWatch({ transport, office, shared: facts, meter });
  const services = [
    createMover({ transport, meter, log: silentLogger }),
    keepFacts({
      ...{ facts: [...Object.values(facts), ...problems.facts], meter, log: silentLogger },
      isConnected: () => transport.state === "connected",
    }),
  ];
  for (const service of services) {
    await service.start();
    onTestFinished(() => service.stop());
  }
  const app = apiRoutes({
    ...{ transport, tasks, meter, problems, log: silentLogger, host: "127.0.0.1", token: () => undefined },
    probes: probeRoutes({ meter, readiness: new Readiness({ meter, isConnected: () => true }) }),
  });
  const listening = await listen(app, { host: "127.0.0.1", port: 0, what: "the API" });
  onTestFinished(() => listening.close());
  const { page, faults } = await openPage(listening.url);
  return { ...swarm, tasks, page, faults, url: listening.url, mend: () => (isBroken = false) };
}

browserTest("an operator finds, explains and mends a fault in the console of a real swarm", {}, async () => {
  const { tasks, page, faults, mend, agentOf, url } = await setup();
  await page.getByText("live", { exact: true }).waitFor();
  for (const id of ["f1", "f2"])
    await tasks.submit({ capability: "echo", id, input: "fail", retry: { max: 0 } });
  await tasks.submit({ capability: "echo", id: "later", input: 1, notBefore: 600_000 });
  await page.getByText("MurmurDeadLettersGrowing").first().waitFor();

  await page.keyboard.press("3");
  await page.getByText("All 2 letters in 1 group.").waitFor();
  mend();
  await page.getByRole("button", { name: "replay the group echo invalid_input" }).click();
  await page.getByRole("button", { name: "preview" }).click();
  await page.getByRole("button", { name: "replay 2 letters" }).click();
  await page.getByText("2 done, 0 skipped, 0 failed, 0 left").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("There is no dead letter.").waitFor();

  await page.keyboard.press("2");
  await page.getByRole("button", { name: "run now: run now later" }).click();
  await page.getByText("run now later: done").waitFor();
  await page.goto(`${url}/#/task/later`);
  await page.getByText("attempt 1 on").first().waitFor();

  await page.goto(`${url}/#/agents?q=echo`);
  const agent = agentOf("echo");
  await page.getByRole("button", { name: `pause: pause ${agent}` }).click();
  await page.getByRole("button", { name: `resume: resume ${agent}` }).click();

  await tasks.submit({ capability: "classify", id: "b1", ballot: { seats: 3, strategy: "majority" } });
  await page.goto(`${url}/#/ballot/b1`);
  await page.getByText("seat 3").waitFor();
  await page.getByText("answered").nth(1).waitFor();

  await page.goto(`${url}/#/tasks?q=news`);
  await page.getByText("No task fits the search.").waitFor();
  const startedMs = performance.now();
  await tasks.submit({ capability: "echo", id: "news-1", input: 1 });
  await page.goto(`${url}/#/task/news-1`);
  await page.getByText("completed").first().waitFor();
  expect(performance.now() - startedMs).toBeLessThan(5_000);

  await page.keyboard.press("9");
  await page.getByText("c1").first().waitFor();
  await page.getByText("dead-replay").first().waitFor();
  expect(faults).toEqual([]);
});
