// Downloads one file over HTTP(S): bounded in time and size, through the proxies of the environment, with a few redirects.
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, get as httpsGet } from "node:https";

/** GitHub redirects a release to its store once; some mirrors add a hop or two. */
const MAX_REDIRECTS = 5;
/** No answer or no byte for this long ends a download, in ms. */
const IDLE_MS = 20_000;

/**
 * Downloads `url`. `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` of `environment` hold, in both spellings, as for pip and npm.
 * @throws Error naming the address and the reason: a status, a limit, an interrupted or silent connection.
 */
export async function download(
  url: string,
  options: {
    environment: Readonly<Record<string, string | undefined>>;
    maxBytes: number;
    /** Ends the download: the caller's interrupt, and its limit in time. */
    signal: AbortSignal;
    idleMs?: number;
  },
): Promise<Buffer> {
  let at = new URL(url);
  const proxyEnv = { ...options.environment } as NodeJS.ProcessEnv;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const response = await request(at, proxyEnv, options.signal, options.idleMs ?? IDLE_MS);
    const { statusCode = 0, headers } = response;
    if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
      response.destroy();
      const next = new URL(headers.location, at);
      if (at.protocol === "https:" && next.protocol !== "https:")
        throw new Error(`${at.host} redirects to ${next.protocol}, expected https:`);
      at = next;
      continue;
    }
    if (statusCode !== 200) {
      response.destroy();
      throw new Error(`${at.origin}${at.pathname} answered ${statusCode}`);
    }
    return await readAll(response, at, options.maxBytes);
  }
  throw new Error(`${url} redirects more than ${MAX_REDIRECTS} times`);
}

function request(
  url: URL,
  proxyEnv: NodeJS.ProcessEnv,
  signal: AbortSignal,
  idleMs: number,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const isSecure = url.protocol === "https:";
    const started = isSecure
      ? httpsGet(url, { agent: new HttpsAgent({ proxyEnv }), signal, timeout: idleMs })
      : httpGet(url, { agent: new HttpAgent({ proxyEnv }), signal, timeout: idleMs });
    let received: IncomingMessage | undefined;
    started.once("timeout", () => {
      // A response that is destroyed with its request would only say that it was aborted.
      (received ?? started).destroy(new Error(`${url.host} was silent for ${idleMs} ms`));
    });
    started.on("error", reject);
    started.once("response", (response) => {
      received = response;
      resolve(response);
    });
  });
}

async function readAll(response: IncomingMessage, url: URL, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`${url.origin}${url.pathname} is over ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  const declared = response.headers["content-length"];
  if (declared !== undefined && Number(declared) !== bytes)
    throw new Error(`${url.origin}${url.pathname} ended after ${bytes} of ${declared} bytes`);
  return Buffer.concat(chunks);
}
