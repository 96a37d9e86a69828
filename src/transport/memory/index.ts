// The in-memory transport, for tests and for a swarm inside one process.
//
//   const server = new MemoryServer({ clock });
//   const transport = connectMemory({ prefix: "murmur", server });
//   await transport.init();

export { MemoryServer } from "./server.ts";
export { connectMemory, type MemoryTransportOptions } from "./transport.ts";
