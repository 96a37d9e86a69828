// Serves the files of the console: one page, one script, one style sheet, made by tools/build/console.ts. The page runs only the script of
// this API, loads nothing from elsewhere, and no other page may show it in a frame.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { type Context, Hono } from "hono";
import { SwarmError } from "../../../protocol/index.ts";
import { PACKAGE_ROOT } from "../../own-package.ts";

/** The folder of the files, in the checkout and in the package. */
const FOLDER = join(PACKAGE_ROOT, "console/page");

/** The files by their paths in the API. */
const FILES = {
  "/": { name: "index.html", type: "text/html; charset=utf-8" },
  "/console.js": { name: "console.js", type: "text/javascript; charset=utf-8" },
  "/console.css": { name: "console.css", type: "text/css; charset=utf-8" },
  "/console.svg": { name: "console.svg", type: "image/svg+xml" },
} as const;

/** The paths of the files. They need no token: they hold no facts about a swarm. */
export const PAGE_PATHS: readonly string[] = Object.keys(FILES);

/** The Content-Security-Policy: own files only, no script or style in the page, no frame around it, no text that becomes HTML. */
export const PAGE_POLICY = [
  "default-src 'none'",
  ...["script-src", "style-src", "img-src", "connect-src"].map((kind) => `${kind} 'self'`),
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const PAGE_HEADERS = {
  "Content-Security-Policy": PAGE_POLICY,
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  // A new version counts with the next load; an unchanged file costs one small answer.
  "Cache-Control": "no-cache",
  Vary: "Accept-Encoding",
};

/** A file as it is sent. */
interface PageFile {
  readonly type: string;
  readonly tag: string;
  readonly bodies: Readonly<Record<"br" | "gzip" | "identity", Uint8Array<ArrayBuffer>>>;
}

/** The routes of the files. Each file is read and compressed at its first request. */
export function pageRoutes(folder: string = FOLDER): Hono {
  const read = new Map<string, PageFile>();
  const routes = new Hono();
  for (const [path, { name, type }] of Object.entries(FILES)) {
    routes.get(path, (context) => {
      const file = read.get(name) ?? readFile(join(folder, name), type);
      read.set(name, file);
      return send(context, file);
    });
  }
  return routes;
}

function readFile(path: string, type: string): PageFile {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new SwarmError(
      "not_found",
      "this installation has no console: its folder console/page is missing; install the package again",
      { cause },
    );
  }
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  return {
    type,
    tag: `"${createHash("sha256").update(bytes).digest("base64url").slice(0, 22)}"`,
    bodies: {
      br: new Uint8Array(brotliCompressSync(bytes, quality)),
      gzip: new Uint8Array(gzipSync(bytes)),
      identity: new Uint8Array(bytes),
    },
  };
}

function send(context: Context, { type, tag, bodies }: PageFile): Response {
  for (const [name, value] of Object.entries(PAGE_HEADERS)) context.header(name, value);
  context.header("ETag", tag);
  if (context.req.header("if-none-match") === tag) return context.body(null, 304);
  const accepted = context.req.header("accept-encoding") ?? "";
  const encoding = (["br", "gzip"] as const).find((each) => accepted.includes(each)) ?? "identity";
  if (encoding !== "identity") context.header("Content-Encoding", encoding);
  context.header("Content-Type", type);
  return context.body(bodies[encoding], 200);
}
