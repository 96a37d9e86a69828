import { describe, expect, test } from "vitest";
import { z } from "zod";
import { searchFailures } from "../../../agents/lib/review/linters/search.ts";
import { parseOutput, UnknownOutputError } from "../../../agents/lib/review/toolbox.ts";

const FILES = Array.from({ length: 200 }, (_, at) => `${at}.ts`);
const { signal } = new AbortController();

/** Runs over the files; a run with one of the `bad` files crashes, as the program does. */
function setup(bad: readonly string[]) {
  let runs = 0;
  const run = async (files: readonly string[]) => {
    runs++;
    if (files.some((file) => bad.includes(file))) throw new Error("panicked");
    return files;
  };
  return { run, runs: () => runs };
}

describe("a linter whose program fails", () => {
  test.each(["0.ts", "117.ts", "199.ts"])("the file %s that crashes it costs only that file", async (bad) => {
    const { run, runs: count } = setup([bad]);
    const { runs, failed } = await searchFailures(run, FILES, { signal });
    expect(failed).toEqual([{ file: bad, message: "panicked" }]);
    expect(runs.flat()).toHaveLength(199);
    expect(count()).toBeLessThanOrEqual(17);
  });

  test("the search is bounded, and tells the files that it left over", async () => {
    const { run, runs: count } = setup(FILES.filter((_, at) => at % 20 === 0));
    const { runs, failed } = await searchFailures(run, FILES, { signal });
    expect(count()).toBe(20);
    expect(runs.flat().length + failed.length).toBe(200);
    expect(failed[0]?.message).toMatch(
      /^not run: the program failed on this file and \d+ others together, panicked$/,
    );
  });

  test("a search that takes too long starts no further run", async () => {
    let now = 0;
    const { run } = setup(["3.ts"]);
    const slow = async (files: readonly string[]) => {
      now += 25_000;
      return await run(files);
    };
    const { runs, failed } = await searchFailures(slow, FILES, { signal, nowMs: () => now });
    // The whole and its halves: the half with the file is left over.
    expect([runs.flat().length, failed.length]).toEqual([100, 100]);
  });

  test("a program that fails on every file fails as a whole, with its first error", async () => {
    const { run } = setup(FILES);
    await expect(searchFailures(run, FILES, { signal })).rejects.toThrow("panicked");
  });

  test("output in another shape is an error with the place, the expectation and the actual value", async () => {
    const ran = { exitCode: 0, stdout: '{"diagnostics":[{"line":"1"}]}', stderr: "" };
    const schema = z.object({ diagnostics: z.array(z.object({ line: z.number() })) });
    const run = async () => parseOutput("oxlint", ran, schema);
    const searched = searchFailures(run, FILES, { signal });
    await expect(searched).rejects.toThrow(UnknownOutputError);
    await expect(searched).rejects.toThrow(
      "the output of oxlint has an unknown shape, at diagnostics.0.line: Invalid input: expected number, received string",
    );
  });
});
