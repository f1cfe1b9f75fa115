"""Starts LocalStack on this machine, without Docker: LocalStack, with an executor of our own for Lambda functions.

Four things of LocalStack are changed, each because it can't be set:
- Lambda functions run as processes (executor.py) instead of in containers;
- the gateway listens on the host of GATEWAY_LISTEN alone; LocalStack listens on every interface whatever it says;
- the events of function URLs have a whole number for `timeEpoch`, as AWS's have; LocalStack's float is no such event;
- an API whose binary media types are `*/*` sends every body that is base64 as bytes: LocalStack passes over `*/*`.
  https://docs.aws.amazon.com/apigateway/latest/developerguide/lambda-proxy-binary-media.html
"""

import localstack.runtime.server.twisted as server
from localstack import config
from localstack.services.lambda_.invocation import runtime_executor

from executor import ProcessExecutor


class LoopbackEndpoints:
    """Twisted's endpoints, but for where they listen."""

    def __init__(self, endpoints):
        self.endpoints = endpoints

    def __getattr__(self, name):
        return getattr(self.endpoints, name)

    def TCP4ServerEndpoint(self, reactor, port, **options):
        options.setdefault("interface", config.GATEWAY_LISTEN[0].host)
        return self.endpoints.TCP4ServerEndpoint(reactor, port, **options)


def main():
    # Before anything is imported that imports this function by name.
    runtime_executor.get_runtime_executor = lambda: ProcessExecutor
    from localstack.services.lambda_ import urlrouter

    server.endpoints = LoopbackEndpoints(server.endpoints)
    time_of = urlrouter.mktime
    urlrouter.mktime = lambda ts, millis=False: int(time_of(ts=ts, millis=millis))

    from localstack.services.apigateway.next_gen.execute_api.integrations import aws as proxy

    matches = proxy.mime_type_matches_binary_media_types
    proxy.mime_type_matches_binary_media_types = lambda mime_type, binary_media_types: (
        "*/*" in (binary_media_types or []) or matches(mime_type, binary_media_types)
    )

    from localstack.runtime.main import main as run

    run()


if __name__ == "__main__":
    main()
