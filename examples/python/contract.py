"""Everything that a service needs from a swarm, with nats-py and msgpack alone. docs/other-languages.md explains each function.

    pip install -r requirements.txt
    murmur up --detach
    NATS_URL=nats://127.0.0.1:4222 python contract.py

It runs each function once and prints one line of JSON for each.
"""

import asyncio
import hashlib
import json
import os
import uuid
import zlib
from datetime import datetime, timedelta, timezone

import msgpack
import nats
from nats.js.errors import APIError, NotFoundError

PREFIX = os.environ.get("MURMUR_PREFIX", "murmur")
STREAMS = PREFIX.upper()
JSON = {"Content-Type": "application/json", "Murmur-Version": "1"}
MSGPACK = {"Content-Type": "application/msgpack", "Murmur-Version": "1"}
# A body over this size travels as a blob.
INLINE_BYTES = 512 * 1024


async def connect():
    return await nats.connect(
        os.environ.get("NATS_URL", "nats://127.0.0.1:4222"), max_reconnect_attempts=-1
    )


async def submit(connection, task, wait_ms=None):
    headers = dict(JSON)
    if wait_ms is not None:
        headers["Murmur-Wait"] = str(wait_ms)
    seconds = 5 if wait_ms is None else wait_ms / 1000 + 5
    reply = await connection.request(
        f"{PREFIX}.submit", json.dumps(task).encode(), timeout=seconds, headers=headers
    )
    body = await unpack(connection, reply)
    if "error" in body:
        raise RuntimeError(f"{body['error']['code']}: {body['error']['message']}")
    return body


async def publish(connection, task, priority="normal", scope="-", encoding=JSON):
    body = await pack(connection, task, encoding)
    subject = f"{PREFIX}.task.{task['capability']}.{priority}.{scope}.{task['id']}"
    return await connection.jetstream().publish(
        subject, body, headers={**encoding, "Nats-Msg-Id": task["id"]}
    )


async def read_result(connection, capability, task_id):
    subject = f"{PREFIX}.result.{capability}.*.{task_id}"
    try:
        stored = await connection.jetstream().get_last_msg(
            f"{STREAMS}_RESULTS", subject, direct=True
        )
    except NotFoundError:
        return None
    return await unpack(connection, stored)


async def run_once(connection, task, seconds=60, encoding=JSON):
    """Submits the task and returns its result; safe to call again with the same task, at any time."""
    capability, task_id = task["capability"], task["id"]
    done = await connection.subscribe(f"{PREFIX}.done.{capability}.*.{task_id}")
    try:
        # An earlier call may have ended the task: then `done` is over, and only the stored result tells.
        result = await read_result(connection, capability, task_id)
        if result is not None:
            return result
        try:
            await publish(connection, task, encoding=encoding)
        except APIError as error:
            if error.err_code != 10077:  # 10077: the task waits in its queue already
                raise
        ends_at = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < ends_at:
            try:
                return await unpack(connection, await done.next_msg(timeout=5))
            except nats.errors.TimeoutError:
                # An announcement can be lost, for example during a reconnect.
                result = await read_result(connection, capability, task_id)
                if result is not None:
                    return result
        raise TimeoutError(f"no result of {task_id} within {seconds} s; the task continues")
    finally:
        await done.unsubscribe()


async def pack(connection, value, encoding):
    body = msgpack.packb(value) if encoding is MSGPACK else json.dumps(value).encode()
    if len(body) <= INLINE_BYTES:
        return body
    name = hashlib.sha256(body).hexdigest()
    store = await connection.jetstream().object_store(f"{STREAMS}_BLOBS")
    await store.put(name, body)
    reference = {"$blob": name, "bytes": len(body)}
    return msgpack.packb(reference) if encoding is MSGPACK else json.dumps(reference).encode()


async def unpack(connection, message):
    headers = message.headers or {}
    is_json = headers.get("Content-Type", "application/json") == "application/json"
    decode = json.loads if is_json else msgpack.unpackb
    value = decode(message.data)
    if not (isinstance(value, dict) and "$blob" in value):
        return value
    store = await connection.jetstream().object_store(f"{STREAMS}_BLOBS")
    body = (await store.get(value["$blob"])).data
    if hashlib.sha256(body).hexdigest() != value["$blob"]:
        raise ValueError(f"blob {value['$blob']} is damaged")
    return decode(body)


async def publish_later(connection, task, seconds, priority="normal", scope="-"):
    due_at = datetime.now(timezone.utc) + timedelta(seconds=seconds)
    address = f"{task['capability']}.{priority}.{scope}.{task['id']}"
    return await connection.jetstream().publish(
        f"{PREFIX}.later.{scope}.{task['id']}",
        await pack(connection, task, JSON),
        headers={
            **JSON,
            "Nats-Schedule": f"@at {due_at.isoformat().replace('+00:00', 'Z')}",
            "Nats-Schedule-Target": f"{PREFIX}.due.{address}",
            "Nats-Expected-Last-Subject-Sequence": "0",
        },
    )


async def follow(connection, task_id, on_event):
    async def receive(message):
        on_event(message.subject.rsplit(".", 1)[1], json.loads(message.data))

    return await connection.subscribe(f"{PREFIX}.event.task.{task_id}.*", cb=receive)


def lane_of(scope):
    return "-" if scope == "-" else f"w{zlib.crc32(scope.encode()) % 8:02d}"


async def cancel(connection, capability, task_id, scope="-"):
    """Cancels a task; False when it had ended already."""
    jetstream = connection.jetstream()
    now = datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")
    result = {
        "taskId": task_id,
        "status": "cancelled",
        "error": {"code": "cancelled", "message": "the task was cancelled", "retryable": False},
        "attempt": 0,
        "agent": "-",
        "startedAt": now,
        "finishedAt": now,
        "queuedMs": 0,
        "ranMs": 0,
    }
    # The first result of a task stays, so this write decides between the cancel and the agent.
    try:
        await jetstream.publish(
            f"{PREFIX}.result.{capability}.{lane_of(scope)}.{task_id}",
            json.dumps(result).encode(),
            headers=JSON,
        )
        is_cancelled = True
    except APIError as error:
        if error.err_code != 10077:
            raise
        is_cancelled = False
    # A host aborts the running attempt, and a coordinator ends the ballot.
    await connection.publish(f"{PREFIX}.cancel.{scope}.{task_id}", b"{}")
    # Placed tasks are in a stream for each agent class.
    names = [info.config.name for info in await jetstream.streams_info()]
    classes = [name for name in names if name.startswith(f"{STREAMS}_PLACED-")]
    for stream, filter in [
        ("TASKS", f"{PREFIX}.task.*.*.*.{task_id}"),
        *((name[len(STREAMS) + 1 :], f"{PREFIX}.placed.*.*.*.*.{task_id}") for name in classes),
        ("LATER", f"{PREFIX}.later.*.{task_id}"),
        ("LATER", f"{PREFIX}.due.*.*.*.{task_id}"),
    ]:
        await jetstream.purge_stream(f"{STREAMS}_{stream}", subject=filter)
    return is_cancelled


def new_task(capability, value):
    return {"id": f"py-{uuid.uuid4().hex}", "capability": capability, "input": value}


def show(name, value):
    print(json.dumps({name: value}))


async def main():
    connection = await connect()
    try:
        # The front door: full validation, and the result as the reply.
        show("accepted", (await submit(connection, {"capability": "echo", "input": 1}))["status"])
        show("waited", (await submit(connection, {"capability": "echo", "input": 2}, 10_000))["output"])
        try:
            await submit(connection, {"capability": "echo", "retry": {"max": "many"}})
        except RuntimeError as error:
            show("refused", str(error))

        # A direct publish, repeated.
        task = new_task("echo", {"n": 3})
        first = await run_once(connection, task)
        show("first", first["output"])
        again = await publish(connection, task)
        show("repeatedPublishIsDuplicate", again.duplicate is True)
        show("repeatedRunIsEqual", await run_once(connection, task) == first)
        try:
            await publish(connection, new_task("echo", None), priority="hihg")
        except nats.js.errors.NoStreamResponseError:
            show("mistypedPriority", "no acknowledgement")

        # MessagePack, and bodies over 512 KiB in both directions.
        packed = await run_once(connection, new_task("echo", {"bytes": b"\x00\x01"}), encoding=MSGPACK)
        show("msgpack", list(packed["output"]["bytes"]))
        large = await run_once(connection, new_task("echo", "x" * 700_000))
        show("largeOutput", len(large["output"]))

        # A delayed task, and its events.
        delayed = new_task("echo", {"n": 4, "$sleepMs": 300})
        events = []
        following = await follow(connection, delayed["id"], lambda name, fact: events.append(name))
        await publish_later(connection, delayed, seconds=0.3)
        show("whileDelayed", await read_result(connection, "echo", delayed["id"]))
        result = None
        while result is None:
            await asyncio.sleep(0.05)
            result = await read_result(connection, "echo", delayed["id"])
        show("afterDelay", result["output"]["n"])
        show("events", sorted(set(events)))
        await following.unsubscribe()

        # A cancel of a task that waits, and of a task that has ended.
        waiting = new_task("offered-by-no-agent", None)
        await publish(connection, waiting)
        show("cancelled", await cancel(connection, waiting["capability"], waiting["id"]))
        show("status", (await read_result(connection, waiting["capability"], waiting["id"]))["status"])
        show("cancelledTooLate", await cancel(connection, "echo", task["id"]))
        scoped = {**new_task("offered-by-no-agent", None), "scope": "nightly"}
        await publish(connection, scoped, scope="nightly")
        show("cancelledInScope", await cancel(connection, scoped["capability"], scoped["id"], "nightly"))
    finally:
        await connection.close()


if __name__ == "__main__":
    asyncio.run(main())
