import { expect, test } from "vitest";
import { readPage } from "../../../agents/lib/review/checks/markdown.ts";

const targets = (text: string) => readPage(text).links.map(({ target }) => target);

test.each([
  ["[a]: one.md", ["one.md"]],
  ["[a]: <one.md> 'A title'\n[b]: two.md (Two)", ["one.md", "two.md"]],
  ["# Heading\n[a]: one.md", ["one.md"]],
  ["text\n\n[a]: one.md", ["one.md"]],
  ["> [a]: one.md", ["one.md"]],
])("%j defines links", (text, expected) => {
  expect(targets(text)).toEqual(expected);
});

// CommonMark 0.31, 4.7.
test.each([
  ["Levels conform to the severity of\n[RFC5424]: _severity of all levels is ascending_"],
  ["[RFC5424]: _severity of all levels is ascending_"],
  ["text\n[a]: one.md"],
  ["- an item\n[a]: one.md"],
])("%j defines none", (text) => {
  expect(targets(text)).toEqual([]);
});
