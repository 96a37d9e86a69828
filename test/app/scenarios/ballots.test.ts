// Ballots as people use them: a coordinator and agents as processes, and the commands.
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Ports } from "../../../src/app/cli/command.ts";
import { command as submit } from "../../../src/app/commands/swarm/submit.ts";
import { show as topology } from "../../../src/app/commands/swarm/topology.ts";
import { createMurmurProcess } from "../../support/office/process.ts";
import { eventually, setupWorld } from "../support.ts";

const CLASSIFIERS = ["words", "letters", "pairs", "triples", "endings"].map(
  (feature) => `classify-${feature}`,
);
const GERMAN = `{"text":"Das%Wetter%ist%heute%schön"}`;
/** Too short to agree on. */
const WORD = `{"text":"no"}`;

test("a ballot is submitted, explained, decided by a person and corrected from the command line", {
  timeout: 240_000,
}, async () => {
  const permissions = { roles: CLASSIFIERS, capabilities: ["classify"] };
  const { call: run, host, directory, agentEnvironment } = setupWorld({}, undefined, permissions);
  const { server } = await host({ coordinators: 1 });
  const agents = createMurmurProcess({
    id: "classifiers",
    args: ["agent", "run", ...CLASSIFIERS],
    environment: { MURMUR_SERVER: server, ...agentEnvironment() },
    logFile: join(directory, "classifiers.log"),
  });
  onTestFinished(() => agents.kill());
  agents.start();
  await eventually(async () => {
    const { agents: living } = (await run("agent ls --json")).json() as { agents: unknown[] };
    return living.length === CLASSIFIERS.length ? living : undefined;
  });

  const decided = await run(
    `submit classify --input ${GERMAN} --ballot 5 --strategy majority --wait --id b1`,
  );
  expect(decided.stdout).toContain('"label": "german"');
  expect(decided.stdout).toContain('majority of 5 seats: decided {"label":"german"} (enough seats agreed');
  expect(await run(`ballot correct b1 --value {"label":"german"}`)).toMatchObject({ exitCode: 0 });
  const shown = await run("ballot show b1");
  expect(shown.stdout).toMatch(/^ballot b1 {2}classify {2}majority: decided, opened .*, took /);
  expect(shown.stdout).toContain("100 %");

  const torn = `submit classify --input ${WORD} --ballot 5 --strategy unanimous --on-disagreement human --id b2`;
  expect((await run(torn)).stdout).toBe("b2\n");
  await eventually(async () => {
    const { stdout } = await run("ballot show b2");
    return stdout.includes("murmur ballot decide b2 --choice N") ? stdout : undefined;
  });
  expect((await run("topology show b2")).stdout).toMatch(/^1 {2}classify-.*, votes/);
  expect(await run("ballot decide b2 --choice 99")).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining("choice: expected a candidate from 1 to"),
  });
  expect(await run(`ballot decide b2 --value {"label":"none"}`)).toMatchObject({ stdout: "decided\n" });
  expect((await run("task show b2")).stdout).toContain('decided {"label":"none"} (a person decided');

  const few = await run(
    `submit classify --input ${WORD} --ballot 6 --strategy first --wait --ballot-timeout-ms 300`,
  );
  expect(few).toMatchObject({
    exitCode: 1,
    stdout: expect.stringContaining("only 5 of 6 agents for classify were there in time"),
    stderr: expect.stringContaining("5 of 6 agents for classify are there"),
  });
  const states = async () => {
    const { ballots } = (await run("ballot ls --json")).json() as { ballots: { state: string }[] };
    return ballots.map(({ state }) => state);
  };
  await expect.poll(states).toEqual(["no_quorum", "decided", "decided"]);
});

test.each<[object, string]>([
  [{ ballot: 5 }, "ballot.strategy: must be one of first, majority"],
  [{ strategy: "majority" }, "--strategy belongs to a ballot: give --ballot SEATS too"],
  [{ ballot: 0, strategy: "majority" }, "ballot.seats: must be a whole number from 1 to 64, got 0"],
  [{ ballot: 10_000, strategy: "majority" }, "ballot.seats: must be a whole number from 1 to 64, got 10000"],
  [{ ballot: 5, strategy: "quorum", quorum: 6 }, "ballot.quorum: must be at most the 5 seats, got 6"],
  [{ ballot: 5, strategy: "majority", pointer: "label" }, "ballot.pointer: must be a JSON pointer"],
  [{ ballot: 5, strategy: "judge" }, "ballot.judge: must name the capability that judges"],
  [
    { ballot: 5, strategy: "weighted", ballotOptions: '{"weights":[1]}' },
    "ballot.weights: is not a known field",
  ],
  [{ ballot: 5, strategy: "majority", ballotOptions: "[1]" }, "--ballot-options must be a JSON object"],
  [
    { ballot: 5, strategy: "majority", ballotOptions: '{"seats":9}' },
    "--ballot-options contains seats, which a flag gives too",
  ],
])("submit with %j is refused before any agent is asked", async (flags, message) => {
  const input = submit.input.parse({ capability: "classify", ...flags });
  await expect(submit.run({} as Ports, input)).rejects.toThrow(message);
});

test("an unknown strategy is refused with the known ones", () => {
  const { error } = submit.input.safeParse({ capability: "classify", ballot: 5, strategy: "loudest" });
  expect(error?.issues[0]?.message).toContain("must be one of first, majority, weighted");
});

test("a planned topology is drawn in three formats, and an impossible one is refused", async () => {
  const draw = async (fields: object) =>
    (
      await topology.run(
        {} as Ports,
        topology.input.parse({ topology: "tree", seats: 6, fanOut: 2, ...fields }),
      )
    ).drawing;
  expect((await draw({})).split("\n")).toEqual([
    "1  seat 1, votes, sees 3, 4",
    "2  seat 2, votes, sees 5, 6",
    "3  seat 3",
    "4  seat 4",
    "5  seat 5",
    "6  seat 6",
  ]);
  const shown = await topology.run({} as Ports, topology.input.parse({ topology: "mesh", seats: 3 }));
  expect(topology.render(shown, {} as never)).toMatch(/sees 1, 2\nat most 6 questions$/);
  expect(await draw({ format: "dot" })).toContain("  s3 -> s1;");
  expect(await draw({ format: "mermaid" })).toContain("  s3 --> s1");
  await expect(draw({ seats: 7 })).rejects.toThrow("fanOut: must be larger");
  await expect(draw({ topology: undefined })).rejects.toThrow("give --topology too");
});
