import { describe, expect, test } from "vitest";
import { REVIEW_CAPABILITIES, sandboxPrograms } from "../../agents/lib/review/index.ts";
import { type AgentContext, type AgentDefinition, isAgentDefinition } from "../../src/agent/index.ts";

async function load(role: string): Promise<AgentDefinition> {
  const { default: definition } = (await import(`../../agents/${role}/agent.ts`)) as { default: unknown };
  if (!isAgentDefinition(definition)) throw new TypeError(`the default export of ${role} is not an agent`);
  return definition;
}

describe("the review agents", () => {
  test.each(REVIEW_CAPABILITIES)("the role %s has exactly the capability of its name", async (capability) => {
    const { name, capabilities } = await load(capability);
    expect({ name, capabilities }).toEqual({ name: capability, capabilities: [capability] });
  });

  test.each([
    [{ directory: "relative", files: [] }, "input.directory"],
    [{ directory: "/repo", files: ["../../etc/passwd"] }, "input.files.0"],
    [{ directory: "/repo", files: ["/etc/passwd"] }, "input.files.0"],
    [{ directory: "/repo", files: [], shell: "sh" }, "input.shell"],
  ])("an agent rejects the input %j, naming %s", async (input, field) => {
    const { perform } = await load("review-docs");
    const task = { id: "t", capability: "review-docs", input } as unknown as Parameters<typeof perform>[0];
    const performed = async () => await perform(task, {} as AgentContext, () => undefined);
    await expect(performed()).rejects.toMatchObject({ code: "invalid_input", field });
  });

  test("only the linters may run commands, each only its own program and a sandbox", async () => {
    const allowed = await Promise.all(
      REVIEW_CAPABILITIES.map(async (role) => [role, (await load(role)).exec?.allow]),
    );
    expect(allowed.filter(([, allow]) => allow !== undefined)).toEqual([
      ["review-oxlint", [process.execPath, ...sandboxPrograms()]],
      [
        "review-biome",
        // Node runs oxlint, which counts the findings of large files first.
        [
          expect.stringMatching(/biome/),
          expect.stringMatching(/biome/),
          process.execPath,
          ...sandboxPrograms(),
        ],
      ],
      ["review-eslint", [process.execPath, ...sandboxPrograms()]],
    ]);
  });
});
