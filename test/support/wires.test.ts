import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { between, Wires } from "./wires.ts";

/** A server that echoes, and a client that reaches it through a gate. */
async function setup() {
  const wires = new Wires();
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    wires.close();
    server.close();
  });
  const gate = await wires.openGate({ from: "a", to: "b" }, () => (server.address() as AddressInfo).port);
  const open = () => {
    const socket: Socket = connect(gate.port, "127.0.0.1");
    const client = { socket, received: "", isClosed: false };
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      client.received += text;
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      client.isClosed = true;
    });
    return client;
  };
  const expectReceived = (client: { received: string }, text: string) =>
    expect.poll(() => client.received).toBe(text);
  return { wires, open, expectReceived };
}

test.each([
  ["there", { from: "a", to: "b" }],
  ["back", { from: "b", to: "a" }],
])(
  "a connection that is held on the way %s loses no bytes and continues in order",
  async (_way, direction) => {
    const { wires, open, expectReceived } = await setup();
    const [client, late] = [open(), open()];
    client.socket.write("1");
    await expectReceived(client, "1");
    wires.cut([direction], "hold");
    client.socket.write("2");
    late.socket.write("new");
    const other = await setup();
    const witness = other.open();
    witness.socket.write("x");
    await other.expectReceived(witness, "x"); // bytes had enough time to arrive
    expect([client.received, late.received]).toEqual(["1", ""]);
    client.socket.write("3");
    wires.heal();
    await expectReceived(client, "123");
    await expectReceived(late, "new");
  },
);

test("a held direction does not deliver the end of a connection", async () => {
  const { wires, open, expectReceived } = await setup();
  const client = open();
  client.socket.write("1");
  await expectReceived(client, "1");
  wires.cut([{ from: "a", to: "b" }], "hold");
  client.socket.end();
  const other = open();
  wires.heal([{ from: "b", to: "a" }]);
  expect(client.isClosed).toBe(false);
  wires.heal();
  await expect.poll(() => client.isClosed).toBe(true);
  expect(other.isClosed).toBe(false);
});

test("a broken direction resets old and new connections until it is healed", async () => {
  const { wires, open, expectReceived } = await setup();
  const client = open();
  client.socket.write("1");
  await expectReceived(client, "1");
  wires.cut(between(["a"], ["b"]), "break");
  await expect.poll(() => client.isClosed).toBe(true);
  const refused = open();
  await expect.poll(() => refused.isClosed).toBe(true);
  wires.heal();
  const again = open();
  again.socket.write("2");
  await expectReceived(again, "2");
});
