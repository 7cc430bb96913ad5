"""stomp.py, unmodified, as a client of the study room: STUDY_ROOM_URL, COOKIE and ROOM say where and as whom."""

import json
import os
import threading
from urllib.parse import urlsplit

import stomp

PATIENCE = 20
URL = urlsplit(os.environ["STUDY_ROOM_URL"])
ROOM = os.environ["ROOM"]


class Listener(stomp.ConnectionListener):
    def __init__(self):
        self.changed = threading.Condition()
        self.bodies, self.receipts = [], []

    def on_message(self, frame):
        body = json.loads(frame.body)
        if body["type"] == "system":  # who came and went, from the tenth second on
            return
        with self.changed:
            self.bodies.append(body)
            self.changed.notify_all()

    def on_receipt(self, frame):
        with self.changed:
            self.receipts.append(frame.headers["receipt-id"])
            self.changed.notify_all()


connection = stomp.WSStompConnection([(URL.hostname, URL.port)], ws_path="/ws", header={"Cookie": os.environ["COOKIE"]})
listener = Listener()
connection.set_listener("", listener)
connection.connect(wait=True)
connection.subscribe(f"/topic/rooms/{ROOM}/chat", id="1")
connection.send(f"/app/rooms/{ROOM}/chat", json.dumps({"text": "from stomp.py", "key": "stomp-py-1"}),
                headers={"receipt": "said"})
with listener.changed:
    done = listener.changed.wait_for(lambda: len(listener.bodies) == 2 and "said" in listener.receipts, PATIENCE)
assert done, (listener.bodies, listener.receipts)
assert listener.bodies[0]["type"] == "history"
assert listener.bodies[1]["message"]["text"] == "from stomp.py"
connection.disconnect()
print("ok - stomp.py enters, chats and leaves")
