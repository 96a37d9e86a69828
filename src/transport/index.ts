// How a message travels: the ports, and the two ways to fulfil them.
//
//   const transport = connectMemory({ prefix: "murmur" });
//   await transport.init();
//   await transport.log("tasks").append(subject, body, { messageId });

export { connectMemory, MemoryServer, type MemoryTransportOptions } from "./memory/index.ts";
export * from "./ports.ts";
