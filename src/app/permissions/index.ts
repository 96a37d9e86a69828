// The door of the permissions of a swarm: the file permissions.yaml and everything that follows from it.
//
//   const file = await readPermissions("deploy/permissions.yaml");
//   rightsOf("web", file);   // { user: "web", role: "publisher/web", access: "submit", capabilities: ["echo"] }
//   groupsOf(file);          // the groups of agents that scale together
export {
  agentUser,
  CLASS_PATTERN,
  DEFAULT_CLASS,
  type Permissions,
  parsePermissions,
  permissionsSchema,
  readPermissions,
} from "./file.ts";
export {
  capabilitiesOf,
  classNamesOf,
  groupsOf,
  rightsOf,
  type ScaledGroup,
  type UserRights,
} from "./rights.ts";
