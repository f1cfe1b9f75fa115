"""Amazon's SQS Extended Client for Python, for the tests: the library itself, asked by one JSON document.

    extended_client.py send    < {"queue", "bucket", "messages": [{"legacy", "body", "attributes": {NAME: TEXT}}]}
    extended_client.py receive < {"queue", "bucket", "most", "delete"}

`receive` prints the messages that it was handed, as they are given to its user: body, attributes, receipt handle.
"""

import json
import sys

import botocore.session
from botocore.config import Config
from sqs_extended_client import SQSExtendedClientSession


def client(asked):
    session = botocore.session.get_session()
    # Emulators have no host name for each bucket.
    session.set_default_client_config(Config(s3={"addressing_style": "path"}, retries={"max_attempts": 3}))
    sqs = SQSExtendedClientSession(botocore_session=session).client("sqs")
    sqs.large_payload_support = asked["bucket"]
    return sqs


def send(sqs, asked):
    for message in asked["messages"]:
        sqs.use_legacy_attribute = message["legacy"]
        attributes = {name: {"DataType": "String", "StringValue": text} for name, text in message["attributes"].items()}
        sqs.send_message(QueueUrl=asked["queue"], MessageBody=message["body"], MessageAttributes=attributes)


def receive(sqs, asked):
    received = []
    while len(received) < asked["most"]:
        answer = sqs.receive_message(
            QueueUrl=asked["queue"], MaxNumberOfMessages=10, WaitTimeSeconds=5, MessageAttributeNames=["All"]
        )
        messages = answer.get("Messages", [])
        if not messages:
            break
        received += messages
    sqs.delete_payload_from_s3 = asked["delete"]
    for message in received if asked["delete"] else []:
        sqs.delete_message(QueueUrl=asked["queue"], ReceiptHandle=message["ReceiptHandle"])
    attributes = lambda message: {name: it["StringValue"] for name, it in message.get("MessageAttributes", {}).items()}
    told = [{"body": it["Body"], "attributes": attributes(it), "handle": it["ReceiptHandle"]} for it in received]
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    {"send": send, "receive": receive}[sys.argv[1]](client(asked), asked)
