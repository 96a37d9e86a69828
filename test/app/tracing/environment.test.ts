import { describe, expect, it, test } from "vitest";
import { isTracingWanted, readTracingSettings } from "../../../src/app/tracing/environment.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };

test("traces are wanted with an endpoint, unless the environment switches them off", () => {
  expect(isTracingWanted({})).toBe(false);
  expect(isTracingWanted({ OTEL_EXPORTER_OTLP_ENDPOINT: "" })).toBe(false);
  expect(isTracingWanted(ENDPOINT)).toBe(true);
  expect(isTracingWanted({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://c/v1/traces" })).toBe(true);
  expect(isTracingWanted({ ...ENDPOINT, OTEL_SDK_DISABLED: "TRUE" })).toBe(false);
  expect(isTracingWanted({ ...ENDPOINT, OTEL_TRACES_EXPORTER: "none" })).toBe(false);
});

describe("the settings of tracing", () => {
  it("samples every trace, and follows the parent, without variables", () => {
    expect(readTracingSettings(ENDPOINT)).toEqual({
      sampler: "parentbased_always_on",
      root: "always_on",
      isParentBased: true,
      share: 1,
      batch: {},
    });
  });

  it("reads each sampler of the specification, the share, and the limits of batches", () => {
    const env = {
      OTEL_TRACES_SAMPLER: "traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.01",
      OTEL_BSP_SCHEDULE_DELAY: "50",
    };
    expect(readTracingSettings(env)).toMatchObject({
      root: "traceidratio",
      isParentBased: false,
      share: 0.01,
      batch: { scheduledDelayMillis: 50 },
    });
    expect(readTracingSettings({ OTEL_TRACES_SAMPLER: "parentbased_always_off" })).toMatchObject({
      root: "always_off",
      isParentBased: true,
    });
  });

  it.each([
    [{ OTEL_TRACES_SAMPLER: "jaeger_remote" }, "OTEL_TRACES_SAMPLER"],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "1.5" }, "OTEL_TRACES_SAMPLER_ARG"],
    [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "much" }, "OTEL_TRACES_SAMPLER_ARG"],
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" }, "OTEL_EXPORTER_OTLP_PROTOCOL"],
    [{ OTEL_BSP_MAX_QUEUE_SIZE: "0" }, "OTEL_BSP_MAX_QUEUE_SIZE"],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" }, "OTEL_EXPORTER_OTLP_ENDPOINT"],
  ])("refuses %j and names the variable", (env, field) => {
    expect(() => readTracingSettings(env)).toThrow(
      expect.objectContaining({
        code: "invalid_input",
        field,
        message: expect.stringContaining(`${field} must be`),
      }),
    );
  });
});
