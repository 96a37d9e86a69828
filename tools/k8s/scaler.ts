// An autoscaler as KEDA would be with the trigger metrics-api: it divides the work of a group by the slots of a pod. The tests run it
// where KEDA's operator is not there.

/** The number of pods that an autoscaler wants. Pure. */
export function wantedPods({
  work,
  slots,
  min,
  max,
}: {
  work: number;
  slots: number;
  min: number;
  max: number;
}): number {
  return Math.max(min, Math.min(max, Math.ceil(work / slots)));
}

/** The answer of `GET /v1/scaling/<group>`. @throws Error for another status than 200. */
export async function readWork(api: string, token: string, group: string): Promise<{ work: number }> {
  const response = await fetch(`${api}/v1/scaling/${group}`, {
    headers: { Authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(3_000),
  });
  if (!response.ok) throw new Error(`the API answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as { work: number };
}
