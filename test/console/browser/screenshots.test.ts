// Writes a picture of every view for docs/console.md: `npm run screenshots`. Pictures differ between versions of a browser, so no test
// compares them.
import { join } from "node:path";
import { test } from "vitest";
import { closeBrowserAtEnd, findBrowser, openConsole } from "./browser.ts";
import { samples, VIEWS } from "./samples.ts";

closeBrowserAtEnd();

const FOLDER = join(import.meta.dirname, "../../../docs/console");
const isAsked = process.env.MURMUR_TEST_CONSOLE === "screenshots";

for (const { at, name, title } of VIEWS) {
  test(`the picture of ${name}`, { timeout: 60_000 }, async ({ skip }) => {
    if (!isAsked || findBrowser() === undefined) return skip("npm run screenshots writes it, with a browser");
    const scheme = name === "tasks" ? "dark" : "light";
    const { page } = await openConsole({
      ...{
        answers: samples(name === "problems" ? 2 : 14, null),
        at,
        width: 1_280,
        height: 800,
        scheme,
      },
    });
    await page.getByRole("heading", { name: title, level: 1 }).waitFor();
    await page.getByText("live", { exact: true }).waitFor();
    await page.getByText("Reading…").waitFor({ state: "hidden" });
    await page.screenshot({ path: join(FOLDER, `${name}.png`) });
  });
}
