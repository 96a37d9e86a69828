import { describe, expect, test } from "vitest";
import { scriptOf } from "../../../agents/lib/review/scripts.ts";

/** The lines of a component's script that are code, with their numbers. */
function codeOf(file: string, text: string): { lang: string; lines: string[] } {
  const { text: script, lang } = scriptOf(file, text);
  expect(script).toHaveLength(text.length);
  const lines = script.split("\n").map((line, at) => `${at + 1} ${line.replaceAll(";", " ").trim()}`);
  return { lang, lines: lines.filter((line) => !/^\d+ $/.test(line)) };
}

describe("the scripts of a component", () => {
  test("both scripts of a Vue file keep their lines, and a comment or a template is no script", () => {
    const text =
      '<template>\n  <p v-if="a > b">{{ a }}</p>\n</template>\n<!-- <script>no()</script> -->\n<script>\none()\n</script>\n<script setup lang="ts" generic="T extends string">\ntwo()\n</script>\n';
    expect(codeOf("A.vue", text)).toEqual({ lang: "ts", lines: ["6 one()", "9 two()"] });
  });

  test("a script of another file is an import in its place", () => {
    expect(codeOf("A.vue", '<template/>\n<script lang="ts" src="./a.ts"></script>')).toEqual({
      lang: "ts",
      lines: ['2 import "./a.ts"'],
    });
    expect(codeOf("A.vue", '<script src="./a.js" />\n<script>\nb()\n</script>').lines).toEqual([
      '1 import "./a.js"',
      "3 b()",
    ]);
  });

  test("both scripts of a Svelte file are taken, data in a script tag is not", () => {
    const text =
      '<script context="module">\r\none()\r\n</script>\r\n<script>\r\ntwo()\r\n</script>\r\n<script type="application/ld+json">{}</script>\r\n';
    expect(codeOf("A.svelte", text)).toEqual({ lang: "jsx", lines: ["2 one()", "5 two()"] });
  });

  test("the code above the template and the scripts of an Astro file are taken", () => {
    const text = '---\nimport A from "./A.astro"\n---\n<A>---</A>\n<script>\ntwo()\n</script>\n';
    expect(codeOf("a.astro", text)).toEqual({
      lang: "ts",
      lines: ['2 import A from "./A.astro"', "6 two()"],
    });
    expect(codeOf("a.astro", "<p>no code</p>\n").lines).toEqual([]);
  });

  test.each(["<script ", "<!--", '<script src="', "<script>", "---\n"])(
    "a hostile file of many %j costs time linear in its size",
    (part) => {
      const text = part.repeat(Math.ceil(500_000 / part.length));
      const startedMs = performance.now();
      scriptOf("a.astro", text);
      // A scan that starts again at each part takes minutes.
      expect(performance.now() - startedMs).toBeLessThan(5_000);
    },
  );
});
