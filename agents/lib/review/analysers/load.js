// Imports a package of this folder's node_modules, for the agents: Node does not find it from their own folder.
export const load = (name) => import(name);
