import { expect, test } from "vitest";
import { connectMemory } from "../../../src/transport/index.ts";
import { readNewest } from "../../../src/work/client/newest.ts";

test.each([1, 7, 300])(
  "messages are read newest first, once each, when every %dth fits the filter",
  async (every) => {
    const transport = connectMemory({ prefix: "murmur" });
    await transport.init();
    const log = transport.log("results");
    const count = 1_500;
    const expected: number[] = [];
    for (let seq = 1; seq <= count; seq++) {
      const isFit = seq % every === 0;
      await log.append(`murmur.result.${isFit ? "echo" : "other"}.-.t${seq}`, new Uint8Array());
      if (isFit) expected.unshift(seq);
    }
    const read = async (filters: string[], belowSeq?: number) => {
      const found: number[] = [];
      for await (const batch of readNewest(log, filters, belowSeq))
        found.push(...batch.map(({ seq }) => seq));
      return found;
    };
    expect(await read(["murmur.result.echo.>"])).toEqual(expected);
    expect(await read(["murmur.result.echo.>"], 900)).toEqual(expected.filter((seq) => seq < 900));
    expect(await read(["murmur.result.echo.>", "murmur.result.other.>"])).toHaveLength(count);
    await transport.close();
  },
);
