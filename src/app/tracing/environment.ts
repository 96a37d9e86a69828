// Reads OpenTelemetry's standard variables that Murmur has to read itself; the exporter reads `OTEL_EXPORTER_OTLP_…` and the
// resource reads `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES`. Loads no library. Pure.
// Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
import { SwarmError, showValue } from "../../protocol/index.ts";

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>;

const ROOTS = ["always_on", "always_off", "traceidratio"] as const;
/** The samplers of the specification that need no further service. */
const SAMPLERS = ROOTS.flatMap((root) => [root, `parentbased_${root}`]);
const DEFAULT_SAMPLER = "parentbased_always_on";
const PARENT_BASED = "parentbased_";
/** The one protocol whose exporter Murmur has. */
const PROTOCOL = "http/protobuf";

/** The settings of tracing. */
export interface TracingSettings {
  /** The sampler's name in the specification. */
  readonly sampler: string;
  /** The decision for spans without a parent. */
  readonly root: (typeof ROOTS)[number];
  /** True: a span with a parent is sampled as its parent. */
  readonly isParentBased: boolean;
  /** The share of traces to sample, 0–1, for `traceidratio`. */
  readonly share: number;
  /** The limits of the batches; an absent one is the default of the specification. */
  readonly batch: {
    readonly maxQueueSize?: number;
    readonly maxExportBatchSize?: number;
    readonly scheduledDelayMillis?: number;
    readonly exportTimeoutMillis?: number;
  };
}

/** True when the environment names an endpoint for traces and does not switch them off. */
export function isTracingWanted(env: Environment): boolean {
  if (env.OTEL_SDK_DISABLED?.toLowerCase() === "true" || env.OTEL_TRACES_EXPORTER === "none") return false;
  return Boolean(env.OTEL_EXPORTER_OTLP_ENDPOINT || env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT);
}

/**
 * Reads the settings of tracing.
 * @throws SwarmError `invalid_input` that names the variable: an unknown sampler, a share outside 0–1, a batch limit that is no
 *   number above 0, a protocol other than `http/protobuf`, an endpoint that is no URL.
 */
export function readTracingSettings(env: Environment): TracingSettings {
  for (const name of ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]) {
    const protocol = env[name];
    if (protocol !== undefined && protocol !== "" && protocol !== PROTOCOL)
      throw refuse(name, protocol, `${PROTOCOL}, the one protocol that Murmur sends`);
  }
  for (const name of ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]) {
    const endpoint = env[name];
    if (endpoint && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? ""))
      throw refuse(name, "a value that is no such URL", "an http or https URL"); // the value may contain a secret
  }
  const sampler = env.OTEL_TRACES_SAMPLER || DEFAULT_SAMPLER;
  if (!SAMPLERS.includes(sampler)) throw refuse("OTEL_TRACES_SAMPLER", sampler, SAMPLERS.join(", "));
  const isParentBased = sampler.startsWith(PARENT_BASED);
  const root = (isParentBased ? sampler.slice(PARENT_BASED.length) : sampler) as (typeof ROOTS)[number];
  const argument = env.OTEL_TRACES_SAMPLER_ARG || "1";
  const share = root === "traceidratio" ? Number(argument) : 1;
  if (!(share >= 0 && share <= 1)) throw refuse("OTEL_TRACES_SAMPLER_ARG", argument, "a share from 0 to 1");
  return { sampler, root, isParentBased, share, batch: readBatch(env) };
}

const BATCH_VARIABLES = {
  maxQueueSize: "OTEL_BSP_MAX_QUEUE_SIZE",
  maxExportBatchSize: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
  scheduledDelayMillis: "OTEL_BSP_SCHEDULE_DELAY",
  exportTimeoutMillis: "OTEL_BSP_EXPORT_TIMEOUT",
} as const;

function readBatch(env: Environment): TracingSettings["batch"] {
  const limits: Record<string, number> = {};
  for (const [key, name] of Object.entries(BATCH_VARIABLES)) {
    const text = env[name];
    if (text === undefined || text === "") continue;
    const value = Number(text);
    if (!(Number.isInteger(value) && value > 0)) throw refuse(name, text, "a whole number above 0");
    limits[key] = value;
  }
  return limits;
}

function refuse(name: string, got: string, expected: string): SwarmError {
  return new SwarmError("invalid_input", `${name} must be ${expected}, got ${showValue(got)}`, {
    field: name,
  });
}
