// Packs an image archive without docker: the layers of a base archive, and the tree as one layer more. `docker load`,
// `ctr images import` and `skopeo copy docker-archive:…` take it. Equal inputs give equal bytes.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ImageConfig } from "./dockerfile.ts";
import { writeTar } from "./tar.ts";

/** The configuration file of an image, as far as this file reads it. */
interface ImageFile {
  architecture: string;
  os: string;
  created?: string;
  config?: Partial<ImageConfig>;
  rootfs: { type: "layers"; diff_ids: string[] };
  history?: object[];
}

/** The list of images in an archive of `docker save`. */
type ArchiveManifest = { Config: string; RepoTags: string[] | null; Layers: string[] }[];

/**
 * Writes the archive to `to`.
 * @param options.base an archive of `docker save`, or of a tool that writes this form, with one image. @param options.name
 *   `murmur:0.1.0`.
 * @throws Error for a base that holds no image or more than one.
 */
export function packImage(options: {
  base: string;
  tree: string;
  config: ImageConfig;
  name: string;
  to: string;
}): { bytes: number; layers: number } {
  const { base, tree, config, name, to } = options;
  const scratch = mkdtempSync(join(tmpdir(), "murmur-archive-"));
  try {
    const unpacked = join(scratch, "base");
    mkdirSync(unpacked);
    const { status, stderr } = spawnSync("tar", ["-xf", base, "-C", unpacked], { encoding: "utf8" });
    if (status !== 0) throw new Error(`${base} cannot be read: ${stderr.trim()}`);
    const images = readJson<ArchiveManifest>(join(unpacked, "manifest.json"));
    const [image, ...more] = images;
    if (image === undefined || more.length > 0) {
      throw new Error(`expected one image in ${base}, got ${images.length}; docker save it alone`);
    }
    const file = readJson<ImageFile>(join(unpacked, image.Config));
    const parts = join(scratch, "parts");
    mkdirSync(parts);
    const layers = image.Layers.map((layer, index) => {
      const named = `layer-${index}.tar`;
      copyFileSync(join(unpacked, layer), join(parts, named));
      return named;
    });
    const own = `layer-${layers.length}.tar`;
    writeTar(tree, join(parts, own));
    const diffId = `sha256:${createHash("sha256")
      .update(readFileSync(join(parts, own)))
      .digest("hex")}`;
    const text = JSON.stringify({
      architecture: file.architecture,
      os: file.os,
      created: file.created ?? new Date(0).toISOString(),
      config: overBase(file.config ?? {}, config),
      rootfs: { type: "layers", diff_ids: [...file.rootfs.diff_ids, diffId] },
      history: [
        ...(file.history ?? []),
        { created: new Date(0).toISOString(), created_by: "tools/build/image.ts" },
      ],
    });
    const configName = `${createHash("sha256").update(text).digest("hex")}.json`;
    writeFileSync(join(parts, configName), text);
    const manifest: ArchiveManifest = [{ Config: configName, RepoTags: [name], Layers: [...layers, own] }];
    writeFileSync(join(parts, "manifest.json"), JSON.stringify(manifest));
    return { bytes: writeTar(parts, to), layers: layers.length + 1 };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The configuration of an image over that of its base, as docker computes it: variables and labels are added. */
function overBase(base: Partial<ImageConfig>, own: ImageConfig): ImageConfig {
  const names = new Set(own.Env.map((entry) => entry.split("=", 1)[0]));
  const kept = (base.Env ?? []).filter((entry) => !names.has(entry.split("=", 1)[0]));
  const { Cmd: _, ...rest } = base;
  return { ...rest, ...own, Env: [...kept, ...own.Env], Labels: { ...base.Labels, ...own.Labels } };
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, "utf8")) as T;
}
