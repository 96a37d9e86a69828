"""Submits one task and reads its result, with nats-py alone: the program needs no Murmur package and follows only its contract.

    pip install -r requirements.txt
    NATS_URL=nats://127.0.0.1:4222 python publish_task.py '{"hello": "from Python"}'

It prints two lines of JSON: the announced result, and the same result, read from its stream.
"""

import asyncio
import json
import os
import sys
import uuid

import nats

# The swarm's prefix. Streams carry it in upper case.
PREFIX = os.environ.get("MURMUR_PREFIX", "murmur")
# The longest wait for the result. The task is stored, so the end of the wait does not cancel it.
WAIT_SECONDS = 30


async def main() -> None:
    task_id = f"py-{uuid.uuid4().hex}"
    given = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {"hello": "from Python"}
    task = {"id": task_id, "capability": "echo", "input": given}

    connection = await nats.connect(os.environ.get("NATS_URL", "nats://127.0.0.1:4222"))
    try:
        # Subscribe first, on the same connection: the server publishes `done` as soon as the result is stored.
        done = await connection.subscribe(f"{PREFIX}.done.echo.*.{task_id}")

        # A durable publish: when it returns, a stream has stored the task.
        jetstream = connection.jetstream()
        await jetstream.publish(
            f"{PREFIX}.task.echo.normal.-.{task_id}",
            json.dumps(task).encode(),
            headers={
                "Nats-Msg-Id": task_id,
                "Content-Type": "application/json",
                "Murmur-Version": "1",
            },
        )

        announced = await done.next_msg(timeout=WAIT_SECONDS)
        print(json.dumps(json.loads(announced.data)))

        # Any client can read the result later: it is the one message on the task's result subject.
        stored = await jetstream.get_last_msg(
            f"{PREFIX.upper()}_RESULTS", f"{PREFIX}.result.echo.*.{task_id}", direct=True
        )
        print(json.dumps(json.loads(stored.data)))
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
