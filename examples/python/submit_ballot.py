"""Asks several agents the same question and prints the verdict, with nats-py alone: the program needs no Murmur package.

    pip install -r requirements.txt
    murmur up --detach --agents classify-words,classify-letters,classify-pairs,classify-triples,classify-endings
    NATS_URL=nats://127.0.0.1:4222 python submit_ballot.py "Das Wetter ist heute schön" 5

It prints one line of JSON for the verdict, and one for each seat. A ballot without agreement is a failed task: its error is
`tie` or `no_quorum`, and it still has a verdict.
"""

import asyncio
import json
import os
import sys
import uuid

import nats

# The swarm's prefix. Streams carry it in upper case.
PREFIX = os.environ.get("MURMUR_PREFIX", "murmur")
# The time limit of the whole ballot, including the wait for enough agents.
BALLOT_SECONDS = 30


async def main() -> None:
    task_id = f"py-{uuid.uuid4().hex}"
    text = sys.argv[1] if len(sys.argv) > 1 else "Das Wetter ist heute schön"
    seats = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    task = {
        "id": task_id,
        "capability": "classify",
        "input": {"text": text},
        "ballot": {
            "seats": seats,
            "strategy": "majority",
            # The part of an agent's output that is compared; the other parts may differ.
            "pointer": "/label",
            "timeoutMs": BALLOT_SECONDS * 1000,
        },
    }

    connection = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    try:
        # Subscribe first, on the same connection: the server publishes `done` as soon as the result is stored.
        done = await connection.subscribe(f"{PREFIX}.done.classify.*.{task_id}")
        await connection.jetstream().publish(
            f"{PREFIX}.task.classify.normal.-.{task_id}",
            json.dumps(task).encode(),
            headers={
                "Nats-Msg-Id": task_id,
                "Content-Type": "application/json",
                "Murmur-Version": "1",
            },
        )
        result = json.loads((await done.next_msg(timeout=2 * BALLOT_SECONDS)).data)
    finally:
        await connection.close()

    if "verdict" not in result:
        # The ballot itself was invalid: the error names the field.
        sys.exit(f"{result['status']}: {result.get('error')}")
    verdict = result["verdict"]
    print(
        json.dumps(
            {
                "status": result["status"],
                "outcome": verdict["outcome"],
                "value": verdict.get("value"),
                "agreement": verdict["agreement"],
                "decidedBy": verdict["decidedBy"],
            }
        )
    )
    for seat in verdict["seats"]:
        print(json.dumps({key: seat.get(key) for key in ("seat", "agent", "value", "abstained")}))


if __name__ == "__main__":
    asyncio.run(main())
