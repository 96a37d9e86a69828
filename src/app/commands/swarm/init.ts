// `init`: creates the swarm's streams and buckets, or verifies them.
import { initStreams } from "../../operations/streams.ts";
import { defineFace } from "../face.ts";

export const command = defineFace(initStreams, {
  examples: ["init --server nats://nats:4222", "init --prefix staging", "init --update"],
  details:
    "Safe to repeat: existing streams are compared and never changed. A setting that differs and that correctness needs is an\nerror (exit code 1) naming stream, setting, expected and found value. Streams have three copies in a cluster and one on a\nsingle server. MURMUR_REPLICAS sets another number, and then existing streams must have that many.\nStreams that an earlier version created also take subjects that no process reads. They work, with a warning; --update gives\nthem the subjects of this version, once all processes of the swarm run it. Stored messages stay. --update also applies the\nsettings resultDays and deadDays to streams that have another age; a shorter age removes what is older.",
  render: ({ created, updated, verified, warnings }) =>
    [
      ...created.map((name) => `created   ${name}`),
      ...updated.map((name) => `updated   ${name}`),
      ...verified.map((name) => `verified  ${name}`),
      ...warnings.map((warning) => `warning   ${warning}`),
    ].join("\n"),
});
