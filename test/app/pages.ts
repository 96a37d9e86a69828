// Pages that are made from the sources: the reference of all settings and of all commands. pages.test.ts compares them.
import { runCli } from "../../src/app/cli/cli.ts";
import { COMMANDS } from "../../src/app/commands/index.ts";
import { CONFIG_FILE } from "../../src/app/config.ts";
import { configSchema, environmentName, SETTING_NAMES, settingFacts } from "../../src/app/settings.ts";

const GENERATED = "<!-- Made from the sources: UPDATE_GOLDEN=1 ./murmur test test/app/pages -->";

/** docs/configuration.md: every setting with its variable, default and meaning. */
export function configurationPage(): string {
  const defaults = configSchema.parse({});
  const rows = SETTING_NAMES.map((name) => {
    const { about, env = [], secret } = settingFacts(name);
    const variables = [environmentName(name), ...env].map((variable) => `\`${variable}\``).join(" ");
    const value = defaults[name];
    const shown =
      value === undefined || (Array.isArray(value) && value.length === 0) ? "–" : `\`${String(value)}\``;
    return `| \`${name}\` | ${variables} | ${shown} | ${about}${secret === true ? " Secret: never printed." : ""} |`;
  });
  return `${GENERATED}

# Configuration

Every setting can come from four places. The first place that has it counts:

1. **flags**: \`--prefix\`, \`--server\`, \`--context\`, \`--data\`, \`--timeout\` (→ \`timeoutMs\`), \`--log-level\`;
2. **environment**: the variables below (an empty one counts as not set);
3. **file**: \`${CONFIG_FILE}\` in the working directory, or the file of \`--config\`; its keys are the settings' names;
4. **default**.

A wrong value is refused before anything starts (exit code 2); the error names source and setting. Unknown keys of the file
are refused. \`up\` ignores \`NATS_URL\`, \`NATS_CONTEXT\`, and the users, TLS files and inboxes of the environment: it starts a
server of its own unless \`--server\`, \`--context\` or the file names a server.

Files with secrets and certificates (\`creds\`, \`nkeyFile\`, \`passwordFile\`, \`tlsCa\`, \`tlsCert\`, \`tlsKey\`) may be rotated while
processes run. Each process looks at its files every two seconds. When they changed, it connects anew with them; its tasks go on. Files
that cannot be used, such as a key that does not fit its certificate, keep the old connection, and a warning in the log gives the reason.

| setting | environment | default | meaning |
|---|---|---|---|
${rows.join("\n")}

\`\`\`yaml
# ${CONFIG_FILE}
prefix: staging
server: tls://nats.internal:4222
tlsCa: /etc/murmur/ca.pem
creds: /etc/murmur/agent.creds
logFormat: json
\`\`\`
`;
}

/** docs/commands.md: the help of every command, as the program prints it. */
export async function commandsPage(version: string): Promise<string> {
  const sections: string[] = [];
  for (const { name, summary } of COMMANDS) {
    const text = await printHelp(["help", ...name.split(" ")], version);
    // The options of every command are listed once, in the help of the program.
    const own = text.replace(/\nOptions of every command:\n(?: .*\n)+/, "").trimEnd();
    sections.push(
      `## ${name}\n\n${summary[0]!.toUpperCase()}${summary.slice(1)}.\n\n\`\`\`text\n${own}\n\`\`\``,
    );
  }
  return `${GENERATED}

# Commands

\`\`\`text
${(await printHelp(["--help"], version)).trimEnd()}
\`\`\`

Exit codes: 0 done, 1 failed, 2 usage (also a value or an agent's file that does not fit), 3 unavailable. With \`--json\`, standard output
holds exactly one JSON document: the answer, or \`{ "error": { "code", "message", "field"? } }\` with a code of the
[catalogue](schemas/error-reply.json). Progress goes to standard error and is for people only.

${sections.join("\n\n")}
`;
}

async function printHelp(argv: string[], version: string): Promise<string> {
  const out: string[] = [];
  const problems: string[] = [];
  const exitCode = await runCli(
    {
      argv,
      version,
      stdout: { write: (text) => out.push(text) },
      stderr: { write: (text) => problems.push(text) },
      openSession: () => Promise.reject(new Error("help opens no session")),
    },
    COMMANDS,
  );
  // An option of a command that the program has too, for example, ends every call of the command.
  if (exitCode !== 0)
    throw new Error(`murmur ${argv.join(" ")} ended with ${exitCode}: ${problems.join("")}`);
  return out.join("");
}
