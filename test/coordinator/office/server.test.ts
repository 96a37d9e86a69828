// The server of the office: requests while the office changes hands.
import { expect, onTestFinished, test } from "vitest";
import { silentLogger } from "../../../src/base/index.ts";
import { createOfficeServer, type Office, type OfficeTenure } from "../../../src/coordinator/index.ts";
import { decode, SwarmError } from "../../../src/protocol/index.ts";
import { connectMemory, MemoryServer } from "../../../src/transport/index.ts";

test("a request on its way to a coordinator that leaves the office is refused at once, and does not time out", async () => {
  const transport = connectMemory({ prefix: "murmur", server: new MemoryServer() });
  let tell: (tenure: OfficeTenure | null) => void = () => undefined;
  const office = {
    onTenure: (listener: typeof tell) => {
      tell = listener;
    },
    barrier: () => Promise.reject(new SwarmError("not_leader", "this coordinator left the office")),
  } as unknown as Office;
  const server = createOfficeServer({ transport, office, members: ["c1"], log: silentLogger });
  await server.start();
  onTestFinished(async () => {
    await server.stop();
    await transport.close();
  });
  tell({ id: "c1", pid: 1, term: 1, since: "" });
  const asked = transport.bus.request("murmur.office.locks", new Uint8Array(), { timeoutMs: 2_000 });
  tell(null);
  const { error } = decode((await asked).data).value as { error: { code: string } };
  expect(error.code).toBe("not_leader");
});
