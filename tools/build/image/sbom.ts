// The bill of materials of the image in CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/): every package whose code is in the
// image, bundled or as files, from the lockfile. Pure: equal packages give equal bytes.
import { createHash } from "node:crypto";
import type { ImagePackage, LockedPackage } from "./packages.ts";

interface Component {
  type: "library";
  "bom-ref": string;
  name: string;
  group?: string;
  version: string;
  purl: string;
  licenses?: ({ license: { id: string } } | { expression: string })[];
  hashes?: { alg: "SHA-512"; content: string }[];
  properties?: { name: string; value: string }[];
}

/** The document. `bundled` are packages whose code is inside the program's own files. */
export function createSbom(options: {
  program: { name: string; version: string; license: string };
  packages: readonly ImagePackage[];
  bundled: readonly ImagePackage[];
}): string {
  const { program, packages, bundled } = options;
  const asFiles = new Set(packages.map(({ path }) => path));
  const all = [...packages, ...bundled.filter(({ path }) => !asFiles.has(path))].sort((a, b) =>
    a.path < b.path ? -1 : 1,
  );
  const refs = new Map(all.map(({ path, name, locked }) => [path, purlOf(name, locked.version)]));
  const bundledPaths = new Set(bundled.map(({ path }) => path));
  const root = purlOf(program.name, program.version);
  const components = all.map((entry) => describe(entry, bundledPaths.has(entry.path)));
  const direct = new Set(all.flatMap(({ needs }) => needs));
  const body = {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": root,
        name: program.name,
        version: program.version,
        purl: root,
        licenses: licencesOf(program.license),
      },
    },
    components: uniqueByRef(components),
    dependencies: [
      { ref: root, dependsOn: refsOf(all.filter(({ path }) => !direct.has(path)).map(({ path }) => path)) },
      ...uniqueByRef(
        all.map(({ path, needs }) => ({
          "bom-ref": refs.get(path)!,
          dependsOn: refsOf(needs),
        })),
      ).map(({ "bom-ref": ref, dependsOn }) => ({ ref, dependsOn })),
    ],
  };
  const serialNumber = `urn:uuid:${uuidOf(JSON.stringify(body))}`;
  const { bomFormat, specVersion, ...rest } = body;
  return `${JSON.stringify({ bomFormat, specVersion, serialNumber, ...rest }, null, 2)}\n`;

  function refsOf(paths: readonly string[]): string[] {
    return [...new Set(paths.flatMap((path) => refs.get(path) ?? []))].sort();
  }
}

function describe({ name, locked }: ImagePackage, isBundled: boolean): Component {
  const purl = purlOf(name, locked.version);
  const [scope, rest] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const licenses = licencesOf(locked.license);
  const hash = hashOf(locked);
  return {
    type: "library",
    "bom-ref": purl,
    ...(scope === undefined ? {} : { group: scope }),
    name: rest ?? name,
    version: locked.version,
    ...(hash === undefined ? {} : { hashes: [hash] }),
    ...(licenses === undefined ? {} : { licenses }),
    purl,
    ...(isBundled ? { properties: [{ name: "murmur:bundled", value: "true" }] } : {}),
  };
}

/** A package URL (https://github.com/package-url/purl-spec): the `@` of a scope is escaped. */
function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

function licencesOf(license: string | undefined): Component["licenses"] {
  if (license === undefined) return undefined;
  return / (?:AND|OR|WITH) /.test(license) ? [{ expression: license }] : [{ license: { id: license } }];
}

/** The hash of the package's archive, as the lockfile records it: base64 there, hexadecimal here. */
function hashOf({ integrity }: LockedPackage): { alg: "SHA-512"; content: string } | undefined {
  const [, text] = /^sha512-(\S+)$/.exec(integrity ?? "") ?? [];
  return text === undefined
    ? undefined
    : { alg: "SHA-512", content: Buffer.from(text, "base64").toString("hex") };
}

function uniqueByRef<T extends { "bom-ref": string }>(entries: readonly T[]): T[] {
  return [...new Map(entries.map((entry) => [entry["bom-ref"], entry])).values()];
}

/** A UUID of the content (RFC 9562, version 8), so that equal documents have equal serial numbers. */
function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
