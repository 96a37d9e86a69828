import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasAnalysers } from "../../../agents/lib/review/index.ts";
import { scaled } from "../../support/scale.ts";
import { ODD_REPOSITORIES } from "../odd-repositories.ts";
import { analyseRepository, compare, lintRepositories, openRepositories } from "../repositories.ts";

/** The time for all repositories, in ms. At full scale ESLint alone takes a minute for 5,000 files, on a busy machine five. */
const LIMIT_MS = scaled(240_000, 1_800_000);

describe.skipIf(!hasAnalysers())("small repositories of many kinds", { timeout: LIMIT_MS }, () => {
  let opened: Awaited<ReturnType<typeof openRepositories>>;
  beforeAll(async () => {
    opened = await openRepositories(ODD_REPOSITORIES);
    for (const repository of opened.repositories) {
      repository.findings.push(...(await analyseRepository(repository.directory)));
    }
    await lintRepositories(opened.union, opened.repositories);
  }, LIMIT_MS);
  afterAll(() => opened.close());

  test("every planted fault is found, and no planted innocence", () => {
    const wrong = opened.repositories.flatMap((repository) =>
      compare(repository).map((line) => `${repository.name}: ${line}`),
    );
    expect(wrong).toEqual([]);
  });

  test("every repository has faults and innocences", () => {
    const poor = opened.repositories.filter(
      ({ expected }) => expected.planted.length === 0 || expected.innocent.length === 0,
    );
    expect(poor.map(({ name }) => name)).toEqual([]);
  });
});
