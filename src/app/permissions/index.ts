// The door of the permissions of a swarm: the file permissions.yaml and everything that follows from it.
//
//   const file = await readPermissions("deploy/permissions.yaml");
//   rightsOf("web", file);                          // the operations and capabilities of a user at the front door
//   permissionsOf(findRole("agent/default", file), file);   // its subjects on NATS
//   renderAccounts(file, requirePublicKeys("keys", usersOf(file)));   // the accounts of nats-server
export { type Advisor, adviceFor, createAdvisor } from "./advice.ts";
export {
  agentUser,
  CLASS_PATTERN,
  DEFAULT_CLASS,
  type LocatedPermissions,
  type Permissions,
  parseLocated,
  parsePermissions,
  permissionsSchema,
  readLocated,
  readPermissions,
} from "./file.ts";
export { FollowedPermissions } from "./followed.ts";
export { findGrant, type Grant, type NatsOperation, type RolePermissions } from "./grants.ts";
export {
  type MadeKeys,
  makeApiToken,
  makeKeys,
  type PublicKeys,
  readSeed,
  replaceFile,
  requirePublicKeys,
  seedFile,
} from "./keys.ts";
export { renderSecrets } from "./kubernetes.ts";
export { permissionsOf } from "./permissions-of.ts";
export { type Reloaded, reloadServers } from "./reload.ts";
export { accountOf, renderAccounts, renderServer, type ServerOptions } from "./render.ts";
export {
  capabilitiesOf,
  classNamesOf,
  findIdle,
  groupsOf,
  keyOf,
  locateRights,
  rightsOf,
  type ScaledGroup,
  type UserRights,
} from "./rights.ts";
export { entryOf, findRole, type Role, rolesOf, usersOf } from "./role.ts";
export { type Attempt, planTrial, type TrialPlan } from "./trial.ts";
