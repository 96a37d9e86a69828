// Every view of the console in a real browser: with none, one and many things, with hostile texts, at the widths of a phone and of a wall,
// light and dark, by keyboard, and with axe-core.
import { expect } from "vitest";
import { browserTest, closeBrowserAtEnd, findAxeFaults, openConsole } from "./browser.ts";
import { samples, VIEWS } from "./samples.ts";

closeBrowserAtEnd();

/** The views that show only names, which NATS subjects restrict to letters, digits, `_` and `-`. */
const WITHOUT_TEXTS = ["#/queues", "#/ballots"];
const HOSTILE = `"'><img src=x onerror="window.pwned=1"><script>window.pwned=1</script><svg onload=window.pwned=1>javascript:window.pwned=1`;

browserTest("the console opens on the problems, and axe-core finds nothing", {}, async () => {
  const { page, faults } = await openConsole({ answers: samples(2) });
  await page.getByRole("heading", { name: "2 problems now" }).waitFor();
  await page.getByText("live", { exact: true }).waitFor();
  expect(await findAxeFaults(page)).toEqual([]);
  await page.keyboard.press("4");
  await page.getByRole("heading", { name: "Tasks" }).waitFor();
  await page.getByRole("link", { name: "task-0" }).waitFor();
  expect(faults).toEqual([]);
});

for (const count of [0, 1, 2_000]) {
  browserTest(`every view shows ${count} things without a fault`, {}, async () => {
    const { page, faults, url } = await openConsole({ answers: samples(count) });
    for (const { at, title } of VIEWS) {
      await page.goto(`${url}/${at}`);
      await page.getByRole("heading", { name: title, level: 1 }).waitFor();
      await page.getByText("Reading…").waitFor({ state: "hidden" });
      expect(await page.locator(".row").count(), at).toBeLessThan(120);
      expect(await findAxeFaults(page), at).toEqual([]);
    }
    expect(faults).toEqual([]);
  });
}

browserTest("no text of the swarm runs as a script or becomes an element, in any field", {}, async () => {
  const { page, faults, url } = await openConsole({ answers: samples(3, HOSTILE) });
  await page.addInitScript(
    `addEventListener("securitypolicyviolation", (event) => { window.violated = event.violatedDirective; });`,
  );
  for (const { at, title } of VIEWS) {
    await page.goto(`${url}/${at}`);
    await page.getByRole("heading", { name: title, level: 1 }).waitFor();
    if (!WITHOUT_TEXTS.includes(at)) await page.getByText("window.pwned").first().waitFor();
    expect(await page.evaluate("window.pwned"), at).toBeUndefined();
    expect(await page.evaluate("window.violated"), at).toBeUndefined();
    expect(
      await page.locator("#console img, #console script, #console svg, [onload], [onerror]").count(),
      at,
    ).toBe(0);
    expect(await page.locator("a[href^='javascript:']").count(), at).toBe(0);
  }
  expect(faults).toEqual([]);
});

for (const [width, height, scheme] of [
  [390, 844, "light"],
  [390, 844, "dark"],
  [2_560, 1_440, "light"],
  [2_560, 1_440, "dark"],
] as const) {
  browserTest(
    `at ${width} px, ${scheme}, every view fits the page and axe-core finds nothing`,
    {},
    async () => {
      const { page, url } = await openConsole({ answers: samples(40), width, height, scheme });
      for (const { at, title } of VIEWS) {
        await page.goto(`${url}/${at}`);
        await page.getByRole("heading", { name: title, level: 1 }).waitFor();
        await page.getByText("Reading…").waitFor({ state: "hidden" });
        const overflow = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
        expect(overflow, at).toBeLessThanOrEqual(0);
        expect(await findAxeFaults(page), at).toEqual([]);
      }
    },
  );
}

browserTest(
  "the keyboard reaches every view, the search, each row, its buttons and the help",
  {},
  async () => {
    const { page } = await openConsole({ answers: samples(200) });
    const heading = (name: RegExp) => page.getByRole("heading", { name, level: 1 }).waitFor();
    await heading(/problems now/);
    for (const [key, title] of [
      ...([
        ["2", /Stuck/],
        ["3", /Dead/],
        ["5", /Queues/],
        ["6", /Agents/],
      ] as const),
      ...([
        ["7", /Workflows/],
        ["8", /Ballots/],
        ["9", /Office/],
        ["1", /now/],
        ["4", /Tasks/],
      ] as const),
    ]) {
      await page.keyboard.press(key);
      await heading(title);
    }
    await page.getByRole("link", { name: "task-0", exact: true }).waitFor();
    await page.keyboard.press("/");
    await page.keyboard.type("state:failed 4");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.url()).toContain("state%3Afailed");
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    for (let step = 0; step < 3; step++) await page.keyboard.press("j");
    await page.keyboard.press("k");
    const focused = () => page.evaluate("document.activeElement?.textContent");
    await expect.poll(focused).toBe("task-1");
    await page.keyboard.press("End");
    await expect.poll(focused).toBe("task-199");
    await page.keyboard.press("Home");
    await expect.poll(focused).toBe("task-0");
    await page.keyboard.press("Enter");
    await heading(/Task task-0/);
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    expect(await findAxeFaults(page)).toEqual([]);
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    await page.keyboard.press("2");
    await page.getByRole("link", { name: "task-9999999" }).focus();
    await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement?.tagName")).toMatch(/SELECT|BUTTON/);
  },
);
