import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { download } from "../../../src/app/install/download.ts";

async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const options = { environment: {}, maxBytes: 1_000, signal: new AbortController().signal };

test("a few redirects are followed, and a circle is not", async () => {
  const url = await serve((request, response) => {
    if (request.url === "/a") response.writeHead(302, { location: "/b" }).end();
    else if (request.url === "/b") response.end("content");
    else response.writeHead(302, { location: "/circle" }).end();
  });
  expect((await download(`${url}/a`, options)).toString()).toBe("content");
  await expect(download(`${url}/circle`, options)).rejects.toThrow("redirects more than 5 times");
});

test("a body over the limit, and a server that is silent, end the download", async () => {
  const url = await serve((request, response) => {
    if (request.url === "/large") response.end(Buffer.alloc(1_001));
    else if (request.url === "/half") response.writeHead(200, { "content-length": "9" }).write("half");
  });
  await expect(download(`${url}/large`, options)).rejects.toThrow("is over 1000 bytes");
  for (const path of ["/half", "/never"])
    await expect(download(url + path, { ...options, idleMs: 50 })).rejects.toThrow("was silent for 50 ms");
});
