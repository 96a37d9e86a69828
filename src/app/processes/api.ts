// The process of the front door: it takes submits on the bus, moves due tasks into their queues, and serves HTTP.
import { createOfficeClient } from "../../coordinator/index.ts";
import { type Audit, SwarmError } from "../../protocol/index.ts";
import {
  createBlobRenewer,
  createFrontDoor,
  createJournalSweeper,
  createMover,
  createTaskClient,
} from "../../work/index.ts";
import type { Ports } from "../cli/command.ts";
import { createOperateDoor } from "../door/index.ts";
import { keepFacts } from "../facts/kept.ts";
import { createSwarmFacts } from "../facts/swarm.ts";
import type { FileChange } from "../followed-file.ts";
import { apiRoutes } from "../http/api.ts";
import { listen } from "../http/listen.ts";
import { FollowedTokens } from "../http/tokens/followed.ts";
import { GroupWorkCounter } from "../office/group-work.ts";
import { describeInstallation, noteStart } from "../office/installation.ts";
import { auditThrough } from "../office/operation-audit.ts";
import { OPERATIONS } from "../operations/index.ts";
import {
  adviceFor,
  capabilitiesOf,
  classNamesOf,
  FollowedPermissions,
  groupsOf,
  locateRights,
} from "../permissions/index.ts";
import { ProblemWatch } from "../problems/watch.ts";
import { SetupError } from "../setup-error.ts";
import { resolveFrom } from "../target.ts";
import { createApiToken } from "./api-token.ts";
import { type Assembly, createProcessAudit, endWith, type ProcessParts, runProcess } from "./frame.ts";
import type { ProbePort } from "./probe-port.ts";
import { auditRefusedOperations } from "./refusals.ts";
import { awaitStreams, createStreams } from "./streams.ts";

/** The facts for `onReady`: the base URLs of the HTTP API and of the probes. */
export interface ApiReady {
  apiUrl: string;
  probesUrl: string;
}

/**
 * Runs the api process until the session's signal aborts. `init`: creates missing streams first, and the consumers of the
 * permissions file; `apply`: and changes streams of an earlier version. `port`: its probes, which listen already.
 */
export async function runApi(
  ports: Ports,
  { init, apply, port }: { init: boolean; apply: boolean; port: ProbePort },
  onReady: (facts: ApiReady) => void,
): Promise<void> {
  await runProcess(ports, {
    port,
    name: "murmur-api",
    role: "api",
    loading: "reading the permissions",
    async load() {
      const permissions = await loadPermissions(ports);
      const tokens = await loadTokens(ports);
      const capabilities = permissions === undefined ? [] : capabilitiesOf(permissions.now);
      return {
        description: "Murmur's front door: submit, HTTP, due tasks",
        permissions: permissions === undefined ? undefined : () => permissions.contents,
        preparation: init
          ? createStreams({
              apply,
              capabilities,
              classes: permissions === undefined ? [ports.config.agentClass] : classNamesOf(permissions.now),
              hasPermissions: permissions !== undefined,
            })
          : awaitStreams,
        assemble: (parts) => assembleApi(parts, ports, { permissions, tokens, onReady }),
      };
    },
  });
}

/** The permissions, where the setting names their file. @throws SetupError for a file that cannot be used: only a person can mend it. */
async function loadPermissions({ config, directory, log }: Ports): Promise<FollowedPermissions | undefined> {
  if (config.permissionsFile === undefined) return undefined;
  try {
    return await FollowedPermissions.read(resolveFrom(directory, config.permissionsFile), { log });
  } catch (error) {
    throw SetupError.from(error);
  }
}

/** The tokens of the HTTP API, where the setting names their file. @throws SetupError as {@link loadPermissions}. */
async function loadTokens({ config, directory, log }: Ports): Promise<FollowedTokens | undefined> {
  if (config.apiTokensFile === undefined) return undefined;
  try {
    return await FollowedTokens.read(resolveFrom(directory, config.apiTokensFile), { log });
  } catch (error) {
    throw SetupError.from(error);
  }
}

/** Notes each change of the file of tokens, which does not tell who changed it either. */
function noteTokens(audit: Audit): (change: FileChange) => void {
  return (facts) => audit({ kind: "tokens-reloaded", facts: { by: "api", isProven: false, ...facts } });
}

/** Notes each change of the permissions file. The file does not tell who changed it, so the name is that of the user of this process. */
function noteOf(audit: Audit): (change: FileChange) => void {
  return (facts) => audit({ kind: "permissions-reloaded", facts: { by: "api", isProven: false, ...facts } });
}

/** The answer to requests that wait while the process stops. */
const STOPPING = new SwarmError(
  "unavailable",
  "this api process stops; a submitted task continues. Ask again, another process answers",
  { retryAfterMs: 1_000 },
);

function assembleApi(
  parts: ProcessParts,
  { config }: Ports,
  {
    permissions,
    tokens,
    onReady,
  }: {
    permissions: FollowedPermissions | undefined;
    tokens: FollowedTokens | undefined;
    onReady: (facts: ApiReady) => void;
  },
): Assembly {
  const { transport, meter, log, tracer } = parts;
  const { traceUrl } = config;
  const tasks = createTaskClient({ transport, meter, log, tracer });
  const writer = createProcessAudit(parts, "api");
  const auditor = auditThrough(writer);
  const refused = auditRefusedOperations({ audit: writer.audit, log });
  const office = createOfficeClient({ transport });
  const scaling =
    permissions === undefined
      ? undefined
      : new GroupWorkCounter({ transport, office, groups: () => groupsOf(permissions.now) });
  const facts = createSwarmFacts({ transport, dead: tasks.dead, scaling, meter });
  const problems = new ProblemWatch({ transport, office, shared: facts, meter });
  // `<p>.submit` names no user, so it is answered only where permissions are off; `<p>.operate` needs the rights of its users.
  const door =
    permissions === undefined
      ? createFrontDoor({ transport, client: tasks, log })
      : createOperateDoor({
          ...{ transport, tasks, scaling, problems, traceUrl, meter, log, auditor, operations: OPERATIONS },
          rightsOf: (user) => locateRights(user, permissions.contents),
          advise: (refused) => adviceFor(refused, permissions.contents, transport.prefix),
          onRefused: refused.onRefused,
        });
  let apiUrl = "";
  return {
    services: {
      records: [
        ...writer.services,
        refused.service,
        noteStart({
          transport,
          installation: describeInstallation(config, permissions?.hash ?? null),
          log,
        }),
        ...(permissions === undefined ? [] : [permissions.follow(noteOf(writer.audit))]),
        ...(tokens === undefined ? [] : [tokens.follow(noteTokens(writer.audit))]),
        endWith("task client", () => tasks.close()),
      ],
      listeners: [],
      core: [],
      doors: [
        door,
        createMover({ transport, meter, log }),
        createBlobRenewer({ transport, meter, log }),
        createJournalSweeper({
          transport,
          meter,
          log,
          isOpenBallot: async (taskId) => (await tasks.findBallot(taskId)) !== null,
        }),
        keepFacts({
          facts: [...Object.values(facts), ...problems.facts],
          meter,
          isConnected: () => transport.state === "connected",
          log,
        }),
      ],
    },
    checks: [
      ...(permissions === undefined
        ? []
        : [{ name: "permissions-file", isWarning: true as const, look: () => permissions.problem }]),
      ...(tokens === undefined
        ? []
        : [{ name: "api-tokens-file", isWarning: true as const, look: () => tokens.problem }]),
    ],
    async serve(probes) {
      const { httpHost: host, httpPort: port } = config;
      const token = createApiToken(config, { log });
      const stopping = new AbortController();
      const routes = apiRoutes({
        ...{
          transport,
          tasks,
          scaling,
          problems,
          traceUrl,
          log,
          meter,
          host,
          token,
          tokens,
          probes,
          auditor,
        },
        onRefused: refused.onRefused,
        stopping: stopping.signal,
      });
      const listening = await listen(routes, { host, port, what: "the HTTP API" });
      apiUrl = listening.url;
      return {
        close: () => {
          stopping.abort(STOPPING);
          return listening.close();
        },
      };
    },
    onReady: (probesUrl) => onReady({ apiUrl, probesUrl }),
    drain: async () => undefined,
  };
}
