// Reads the Dockerfile for the packer that needs no docker: the final configuration of a target is written once, there. It knows
// the instructions that our Dockerfile uses and refuses all others. Pure.

/** The configuration of an image (https://github.com/opencontainers/image-spec/blob/main/config.md). */
export interface ImageConfig {
  User?: string;
  WorkingDir?: string;
  Env: string[];
  Entrypoint?: string[];
  Cmd?: string[];
  Labels: Record<string, string>;
  ExposedPorts?: Record<string, object>;
  StopSignal?: string;
  Healthcheck?: {
    Test: string[];
    Interval?: number;
    Timeout?: number;
    StartPeriod?: number;
    Retries?: number;
  };
}

/** One stage of a Dockerfile. */
export interface Stage {
  name: string;
  /** The image or stage after FROM. */
  from: string;
  config: ImageConfig;
  /** The folders that it copies, with their place in the image. */
  copies: { from: string; to: string }[];
  /** Commands that the build runs; an image with such a stage cannot be packed without docker. */
  runs: string[];
}

const NANOSECONDS_PER_SECOND = 1_000_000_000;
const VARIABLE = /\$\{(\w+)(?::-([^}]*))?\}/g;

/**
 * The stages of a Dockerfile, by name. `values` are build arguments; defaults are those of the file.
 * @throws Error for an instruction or form that this reader does not know, with its line.
 */
export function readDockerfile(text: string, values: Readonly<Record<string, string>>): Map<string, Stage> {
  const stages = new Map<string, Stage>();
  const known: Record<string, string> = {};
  let stage: Stage | undefined;
  for (const { instruction, rest, line } of instructionsOf(text)) {
    const fail = (why: string) => new Error(`Dockerfile:${line}: ${why}`);
    const value = rest.replace(VARIABLE, (_, name: string, fallback = "") => known[name] || fallback);
    if (instruction === "ARG") {
      const [, name = "", fallback] = /^(\w+)(?:=(.*))?$/.exec(value) ?? [];
      if (name === "") throw fail("expected ARG NAME=default");
      known[name] = values[name] ?? fallback ?? known[name] ?? "";
      continue;
    }
    if (instruction === "FROM") {
      const [, from = "", name = ""] = /^(\S+) AS (\S+)$/.exec(value) ?? [];
      if (name === "") throw fail("expected FROM image AS name");
      const parent = stages.get(from);
      stage = {
        name,
        from,
        config: structuredClone(parent?.config ?? { Env: [], Labels: {} }),
        copies: [],
        runs: [],
      };
      stages.set(name, stage);
      continue;
    }
    if (stage === undefined) throw fail("the first instruction must be ARG or FROM");
    if (!apply(stage, instruction, value)) throw fail(`this reader does not know ${instruction} ${value}`);
  }
  return stages;
}

function* instructionsOf(text: string): Generator<{ instruction: string; rest: string; line: number }> {
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = at + 1;
    let joined = lines[at]!.trim();
    if (joined === "" || joined.startsWith("#")) continue;
    while (joined.endsWith("\\")) joined = `${joined.slice(0, -1).trimEnd()} ${(lines[++at] ?? "").trim()}`;
    const [, instruction = "", rest = ""] = /^([A-Z]+)\s+(.*)$/.exec(joined) ?? [];
    yield { instruction, rest, line };
  }
}

/** Applies one instruction; false for an unknown instruction. */
function apply(stage: Stage, instruction: string, value: string): boolean {
  const { config } = stage;
  switch (instruction) {
    case "USER":
      config.User = value;
      return true;
    case "WORKDIR":
      config.WorkingDir = value;
      return true;
    case "STOPSIGNAL":
      config.StopSignal = value;
      return true;
    case "EXPOSE":
      config.ExposedPorts = { ...config.ExposedPorts, [`${value}/tcp`]: {} };
      return true;
    case "ENV":
      for (const [name, each] of pairs(value)) {
        config.Env = [...config.Env.filter((entry) => !entry.startsWith(`${name}=`)), `${name}=${each}`];
      }
      return true;
    case "LABEL":
      for (const [name, each] of pairs(value)) config.Labels[name] = each;
      return true;
    case "ENTRYPOINT":
      config.Entrypoint = JSON.parse(value) as string[];
      return true;
    case "CMD":
      config.Cmd = JSON.parse(value) as string[];
      return true;
    case "COPY": {
      const [from, to, ...more] = value.split(/\s+/);
      if (from === undefined || to === undefined || more.length > 0 || from.startsWith("--")) return false;
      stage.copies.push({ from, to });
      return true;
    }
    case "RUN":
      stage.runs.push(value);
      return true;
    case "HEALTHCHECK":
      config.Healthcheck = healthcheck(value);
      return true;
    default:
      return false;
  }
}

/** `a=b c="d e"`. */
function pairs(text: string): [string, string][] {
  return [...text.matchAll(/([\w.-]+)=(?:"([^"]*)"|(\S*))/g)].map(([, name = "", quoted, bare = ""]) => [
    name,
    quoted ?? bare,
  ]);
}

function healthcheck(text: string): NonNullable<ImageConfig["Healthcheck"]> {
  const [options = "", command = ""] = text.split(/\s*CMD\s+/);
  const option = (name: string) => new RegExp(`--${name}=(\\d+)`).exec(options)?.[1];
  const nanoseconds = (name: string) => Number(option(name) ?? 0) * NANOSECONDS_PER_SECOND;
  return {
    Test: ["CMD", ...(JSON.parse(command) as string[])],
    Interval: nanoseconds("interval"),
    Timeout: nanoseconds("timeout"),
    StartPeriod: nanoseconds("start-period"),
    Retries: Number(option("retries") ?? 0),
  };
}
