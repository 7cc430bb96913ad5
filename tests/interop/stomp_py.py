"""stomp.py, unmodified, over WebSocket: BROKER_URL=ws://host:port/ws python stomp_py.py."""

import os
import threading
from urllib.parse import urlsplit

import stomp

PATIENCE = 20
URL = urlsplit(os.environ["BROKER_URL"])


class Listener(stomp.ConnectionListener):
    """Collects what the broker sends and wakes whoever waits for it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.messages, self.receipts, self.errors = [], [], []
        self.beats = 0

    def _add(self, to, frame):
        with self.changed:
            to.append(frame)
            self.changed.notify_all()

    def on_message(self, frame):
        self._add(self.messages, frame)

    def on_receipt(self, frame):
        self._add(self.receipts, frame.headers["receipt-id"])

    def on_error(self, frame):
        self._add(self.errors, frame)

    def on_heartbeat(self):
        self.beats += 1

    def wait(self, condition, what):
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), f"no {what} within {PATIENCE} s"


def connect(**options):
    connection = stomp.WSStompConnection([(URL.hostname, URL.port)], ws_path=URL.path, **options)
    listener = Listener()
    connection.set_listener("", listener)
    connection.connect(wait=True)
    return connection, listener


def text_with_receipts():
    connection, listener = connect()
    connection.subscribe("/topic/stomp-py", id="1", headers={"receipt": "sub"})
    listener.wait(lambda: "sub" in listener.receipts, "RECEIPT of SUBSCRIBE")
    for number in range(100):
        connection.send("/topic/stomp-py", f"Grüße {number}", headers={"receipt": f"r{number}", "odd": "a:b\\c"})
    listener.wait(lambda: len(listener.messages) == 100, "100 messages")
    listener.wait(lambda: len(listener.receipts) == 101, "101 receipts")
    assert [frame.body for frame in listener.messages] == [f"Grüße {number}" for number in range(100)]
    assert all(frame.headers["odd"] == "a:b\\c" for frame in listener.messages)
    assert listener.receipts[1:] == [f"r{number}" for number in range(100)], "receipts in order"
    connection.unsubscribe("1")
    connection.disconnect(receipt="bye")
    assert not listener.errors


def heart_beats():
    # A busy machine may be late with one; they are counted below.
    connection, listener = connect(heartbeats=(500, 500), heart_beat_receive_scale=6)
    connection.subscribe("/topic/beats", id="1", headers={"receipt": "sub"})
    listener.wait(lambda: "sub" in listener.receipts, "RECEIPT of SUBSCRIBE")
    assert not threading.Event().wait(4) and connection.is_connected(), "it lives on heart-beats alone"
    assert listener.beats >= 5, f"{listener.beats} beats of the server in 4 s"
    connection.disconnect()


def own_user_destination():
    connection, listener = connect()
    connection.subscribe("/user/queue/notes", id="1", headers={"receipt": "sub"})
    listener.wait(lambda: "sub" in listener.receipts, "RECEIPT of SUBSCRIBE")
    connection.send("/user/queue/notes", "mine")
    listener.wait(lambda: listener.messages, "a message")
    assert listener.messages[0].headers["destination"] == "/user/queue/notes"
    connection.disconnect()


def subscribe(listener, connection, destination, ack="auto"):
    connection.subscribe(destination, id="1", ack=ack, headers={"receipt": "sub"})
    listener.wait(lambda: "sub" in listener.receipts, "RECEIPT of SUBSCRIBE")


def acknowledgement():
    for ack, rest in (("auto", []), ("client", ["3"]), ("client-individual", ["0", "1", "3"])):
        queue = f"/queue/py-{ack}"
        connection, listener = connect()
        subscribe(listener, connection, queue, ack)
        for number in range(4):
            connection.send(queue, str(number))
        listener.wait(lambda: len(listener.messages) == 4, "4 messages")
        if ack != "auto":
            connection.ack(listener.messages[2].headers["ack"], receipt="ack")
            listener.wait(lambda: "ack" in listener.receipts, "RECEIPT of ACK")
        connection.disconnect(receipt="bye")
        listener.wait(lambda: "bye" in listener.receipts, "RECEIPT of DISCONNECT")
        connection, listener = connect()
        subscribe(listener, connection, queue)
        connection.send(queue, "the end")
        listener.wait(lambda: listener.messages and listener.messages[-1].body == "the end", "the end")
        assert [frame.body for frame in listener.messages[:-1]] == rest, ack
        assert all(frame.headers["redelivered"] == "true" for frame in listener.messages[:-1])
        connection.disconnect()


def nack():
    connection, listener = connect()
    subscribe(listener, connection, "/queue/py-nack", "client-individual")
    connection.send("/queue/py-nack", "once more")
    listener.wait(lambda: len(listener.messages) == 1, "a message")
    connection.nack(listener.messages[0].headers["ack"])
    listener.wait(lambda: len(listener.messages) == 2, "it again")
    first, second = listener.messages
    assert second.headers["redelivered"] == "true" and "redelivered" not in first.headers
    assert first.headers["message-id"] == second.headers["message-id"]
    connection.ack(second.headers["ack"])
    connection.disconnect()


def transactions():
    connection, listener = connect()
    subscribe(listener, connection, "/topic/py-transactions")
    aborted = connection.begin()
    connection.send("/topic/py-transactions", "never", transaction=aborted)
    connection.abort(aborted)
    committed = connection.begin()
    for body in ("1", "2"):
        connection.send("/topic/py-transactions", body, transaction=committed)
    connection.send("/topic/py-transactions", "0")
    connection.commit(committed)
    listener.wait(lambda: len(listener.messages) == 3, "3 messages")
    assert [frame.body for frame in listener.messages] == ["0", "1", "2"]
    connection.disconnect()


def large_bodies_with_receipts():
    connection, listener = connect()
    subscribe(listener, connection, "/queue/py-large")
    for length in (0, 1, 256, 60 * 1024):
        body = "0123456789abcdef" * (length // 16) + "x" * (length % 16)
        connection.send("/queue/py-large", body, headers={"receipt": f"large-{length}"})
        listener.wait(lambda: f"large-{length}" in listener.receipts, "a RECEIPT")
        listener.wait(lambda: listener.messages, "a message")
        assert listener.messages.pop().body == body
    connection.disconnect()


for check in (
    text_with_receipts,
    heart_beats,
    own_user_destination,
    acknowledgement,
    nack,
    transactions,
    large_bodies_with_receipts,
):
    check()
    print(f"ok - {check.__name__.replace('_', ' ')}")
