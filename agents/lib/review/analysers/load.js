// Imports a package that is installed here, for the agents, whose own folder cannot see this one's node_modules.
export const load = (name) => import(name);
