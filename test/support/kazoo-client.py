"""ZooKeeper's Python client, driven by lines of JSON: a writer that shares no code with Sluice. See kazoo.ts."""
import base64
import json
import sys

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError
from kazoo.security import make_digest_acl

hosts, timeout = sys.argv[1], float(sys.argv[2])
client = KazooClient(hosts=hosts, timeout=timeout)
client.start(timeout=20)


def act(order):
    op, path = order["op"], order.get("path")
    if op == "create":
        return client.create(
            path,
            base64.b64decode(order["data"]),
            ephemeral=order["ephemeral"],
            sequence=order["sequence"],
            makepath=True,
        )
    if op == "put":
        data = base64.b64decode(order["data"])
        try:
            client.set(path, data)
        except NoNodeError:
            client.create(path, data, makepath=True)
        return path
    if op == "delete":
        client.delete(path, recursive=True)
        return path
    if op == "login":
        client.add_auth("digest", order["login"])
        return ""
    if op == "protect":
        user, _, password = order["login"].partition(":")
        client.set_acls(path, [make_digest_acl(user, password, all=True)])
        return path
    raise ValueError(op)


for line in sys.stdin:
    try:
        answer = {"ok": act(json.loads(line))}
    except Exception as error:  # each order is answered
        answer = {"error": type(error).__name__ + ": " + str(error)}
    print(json.dumps(answer), flush=True)
