// The types of console/src/types.ts beside the schemas of the operations. The compiler rejects this file when the console reads a field that an
// answer lacks, or that has another type there. Fields that the console does not read are free.
import type { z } from "zod";
import type {
  Agents,
  AuditPage,
  BallotPage,
  Ballots,
  BulkReport,
  DeadGroups,
  Office,
  Overview,
  RunReport,
  Runs,
  Session,
  Task,
  TaskPage,
} from "../../console/src/types.ts";
import type { sessionSchema } from "../../src/app/http/session/session.ts";
import type { listLivingAgents } from "../../src/app/operations/agents.ts";
import type { listAuditEntries } from "../../src/app/operations/audit.ts";
import type { listBallots, showBallot } from "../../src/app/operations/ballots.ts";
import type { bulkReportSchema } from "../../src/app/operations/bulk.ts";
import type { groupDeadLetters } from "../../src/app/operations/dead-letters.ts";
import type { showOffice } from "../../src/app/operations/office.ts";
import type { showOverview } from "../../src/app/operations/overview.ts";
import type { listTasks, showTask } from "../../src/app/operations/tasks.ts";
import type { listWorkflows, showWorkflow } from "../../src/app/operations/workflows.ts";

/** A value as JSON carries it: an absent field is never `undefined`. */
type Json<T> = T extends (infer Item)[]
  ? Json<Item>[]
  : T extends object
    ? { [Field in keyof T]: Json<Exclude<T[Field], undefined>> }
    : T;
/** An answer with this schema. */
type Shape<S extends z.ZodType> = Json<z.output<S>>;
/** The answer of an operation. */
type Answer<O extends { output: z.ZodType }> = Shape<O["output"]>;
/** Refuses an answer that lacks something that the console reads. */
type Reads<Read, A extends Read> = [Read, A];

/** Each type of the console beside its answer. */
export type ConsoleReads = [
  Reads<Session, Shape<typeof sessionSchema>>,
  Reads<Overview, Answer<typeof showOverview>>,
  Reads<TaskPage, Answer<typeof listTasks>>,
  Reads<Task, Answer<typeof showTask>>,
  Reads<DeadGroups, Answer<typeof groupDeadLetters>>,
  Reads<BulkReport, Shape<typeof bulkReportSchema>>,
  Reads<Agents, Answer<typeof listLivingAgents>>,
  Reads<Office, Answer<typeof showOffice>>,
  Reads<AuditPage, Answer<typeof listAuditEntries>>,
  Reads<Runs, Answer<typeof listWorkflows>>,
  Reads<RunReport, Answer<typeof showWorkflow>>,
  Reads<Ballots, Answer<typeof listBallots>>,
  Reads<BallotPage, Answer<typeof showBallot>>,
];
