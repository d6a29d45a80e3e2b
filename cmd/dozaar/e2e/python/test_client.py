"""The contract once more, with python-socketio: a second, independent client implementation."""
import base64
import hashlib
import hmac
import json
import os
import queue
import time
import unittest
import uuid

import requests
import socketio

GATEWAYS, SECRET = os.environ["DOZAAR_URLS"].split(","), os.environ["DOZAAR_JWT_SECRET"]
URL = GATEWAYS[0]


def token(user, **claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")

    body = {"sub": user["id"], "username": user["username"], "exp": int(time.time()) + 3600, **claims}
    signed = part({"alg": "HS256", "typ": "JWT"}) + b"." + part(body)
    signature = base64.urlsafe_b64encode(hmac.digest(SECRET.encode(), signed, hashlib.sha256)).rstrip(b"=")
    return (signed + b"." + signature).decode()


def user(name):
    return {"id": str(uuid.uuid4()), "username": name}


def conversation(*users):
    answer = requests.post(
        f"{URL}/v1/conversations",
        headers={"Authorization": "Bearer " + token(user("marketplace"), scope="service")},
        json={"members": [{"userId": u["id"], "username": u["username"]} for u in users]},
        timeout=10,
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


class Client:
    """A connected client that keeps the events of each name in a queue."""

    def __init__(self, who, transports, by_header=False, gateway=URL):
        self.socket = socketio.Client(reconnection=False)
        self.events = {}
        self.socket.on("*", self.keep, namespace="/chat")
        credentials = {"headers": {"Authorization": "Bearer " + token(who)}} if by_header else {"auth": {"token": token(who)}}
        self.socket.connect(gateway, namespaces=["/chat"], transports=transports, wait_timeout=10, **credentials)

    def keep(self, event, data):
        self.queue(event).put(data)

    def queue(self, event):
        return self.events.setdefault(event, queue.Queue())

    def next(self, event, timeout=10):
        return self.queue(event).get(timeout=timeout)

    def ask(self, event, payload):
        return self.socket.call(event, payload, namespace="/chat", timeout=10)

    def emit(self, event, payload):
        self.socket.emit(event, payload, namespace="/chat")


class Contract(unittest.TestCase):
    def talk(self, transports, by_header=False):
        bea, sam = user("Bea"), user("Sam")
        conversation_id = conversation(bea, sam)
        # Each at a gateway of their own, if there are several.
        buyer, seller = Client(bea, transports, by_header, GATEWAYS[0]), Client(sam, transports, by_header, GATEWAYS[-1])
        self.addCleanup(buyer.socket.disconnect)
        self.addCleanup(seller.socket.disconnect)
        for client in (buyer, seller):
            client.emit("join:conversation", {"conversationId": conversation_id})
            self.assertEqual(client.next("joined:conversation")["conversationId"], conversation_id)

        sent = buyer.ask("send:message", {"conversationId": conversation_id, "message": "Grüße 😀", "attachmentUrls": ["https://example.com/a.jpg"]})
        self.assertTrue(sent["ok"], sent)
        for client in (buyer, seller):
            message = client.next("new:message")
            self.assertEqual(message["id"], sent["messageId"])
            self.assertEqual((message["seq"], message["message"], message["sender"]), (1, "Grüße 😀", bea))

        seller.emit("typing:start", {"conversationId": conversation_id})
        self.assertEqual(buyer.next("user:typing"), {"conversationId": conversation_id, "userId": sam["id"]})
        seller.emit("typing:stop", {"conversationId": conversation_id})
        self.assertEqual(buyer.next("user:stopped_typing")["userId"], sam["id"])

        seller.emit("mark:read", {"messageId": sent["messageId"]})
        self.assertEqual(buyer.next("message:read")["readBy"], sam["id"])

        buyer.emit("get:online_status", {"userIds": [sam["id"], "nobody"]})
        self.assertEqual(buyer.next("online:status")["statuses"]["nobody"], {"online": False})

        for n in range(80):
            buyer.emit("send:message", {"conversationId": conversation_id, "message": str(n)})
        # This client gives each event a thread of its own, and threads overtake each other.
        told = sorted((seller.next("new:message") for _ in range(80)), key=lambda m: m["seq"])
        self.assertEqual([(m["seq"], m["message"]) for m in told], [(n + 2, str(n)) for n in range(80)])

        seller.emit("leave:conversation", {"conversationId": conversation_id})
        refused = seller.ask("send:message", {"conversationId": conversation_id, "message": "x"})
        self.assertEqual((refused["ok"], refused["code"]), (False, "not_joined"))
        self.assertEqual(seller.next("exception")["event"], "send:message")

    def test_websocket(self):
        self.talk(["websocket"])

    def test_polling(self):
        self.talk(["polling"])

    def test_upgrade(self):
        self.talk(["polling", "websocket"])

    def test_token_in_header(self):
        self.talk(["websocket"], by_header=True)

    def test_refused_without_a_valid_token(self):
        for claims in ({"exp": int(time.time()) - 60}, {"sub": "bea"}):
            with self.subTest(claims=claims), self.assertRaises(socketio.exceptions.ConnectionError):
                client = socketio.Client(reconnection=False)
                client.connect(URL, namespaces=["/chat"], auth={"token": token(user("Bea"), **claims)}, wait_timeout=5)


if __name__ == "__main__":
    unittest.main()
