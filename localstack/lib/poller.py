"""In place of Lambda's event source mapping: receives from a queue, invokes a function, deletes what it is done with.

    poller.py QUEUE_URL INVOKE_URL

The function's answer names the messages that stay (a partial batch response); one that fails keeps them all.
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

import base64
import json
import sys
import threading
import time
import urllib.request

import boto3

REGION = "us-east-1"

# An invocation that is under way when the function is built anew is never answered: after so many seconds its messages are
# left to come back, and meanwhile the other pollers go on.
PATIENCE = 60
POLLERS = 4


def main(queue_url, invoke_url):
    for _ in range(POLLERS):
        threading.Thread(target=poll_for_ever, args=(queue_url, invoke_url)).start()


def poll_for_ever(queue_url, invoke_url):
    sqs = boto3.client("sqs", region_name=REGION)
    while True:
        try:
            poll(sqs, queue_url, invoke_url)
        except Exception as error:  # whatever it is: the messages stay, and are received again
            print(f"failed: {error}", flush=True)
            time.sleep(1)


def poll(sqs, queue_url, invoke_url):
    asked = {"QueueUrl": queue_url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20, "MessageSystemAttributeNames": ["All"], "MessageAttributeNames": ["All"]}
    messages = sqs.receive_message(**asked).get("Messages", [])
    if not messages:
        return
    answer = invoke(invoke_url, {"Records": [record(message) for message in messages]})
    stay = {failure["itemIdentifier"] for failure in (answer or {}).get("batchItemFailures", [])}
    done = [message for message in messages if message["MessageId"] not in stay]
    print(f"received {len(messages)}, done {len(done)}", flush=True)
    for message in done:
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def record(message):
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {name: attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "eventSource": "aws:sqs",
        "awsRegion": REGION,
    }


def attribute(value):
    """As Lambda writes it."""
    told = {"dataType": value["DataType"], "stringListValues": [], "binaryListValues": []}
    if "BinaryValue" in value:
        return {**told, "binaryValue": base64.b64encode(value["BinaryValue"]).decode()}
    return {**told, "stringValue": value["StringValue"]}


def invoke(url, event):
    request = urllib.request.Request(url, json.dumps(event).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        body = json.load(answer)
        if answer.headers.get("X-Amz-Function-Error"):
            raise RuntimeError(body)
        return body


if __name__ == "__main__":
    main(*sys.argv[1:])
