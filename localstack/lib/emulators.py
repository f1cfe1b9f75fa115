"""The emulators: how each is started, and where it listens. All of them listen on loopback only."""

import os
import shutil
import sys
from pathlib import Path

import processes
import tools
from tools import HERE

EMULATORS = ["localstack", "ministack", "dynamodb-local"]
REGION = "us-east-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
SERVICES = "s3,sqs,dynamodb,dynamodbstreams,lambda,apigateway,cloudformation,sts,iam,events,logs,cloudwatch,ssm,secretsmanager"


class LocalStack:
    """LocalStack's Python package as a process of this machine, with our executor for functions."""

    name = "localstack"  # what the tests know it by
    kind = "LocalStack 2026.3.0 on this machine, functions as processes"
    health = "/_localstack/health"

    def start(self, folder, port):
        java = tools.java()
        python = tools.program("python", of="localstack")
        root = folder / "root"
        home = root / "var/lib/localstack"
        # LocalStack looks for DynamoDB Local and its Java here, and fetches others if they are missing.
        link(tools.dynamodb_local(), home / "lib/dynamodb-local/2")
        link(HERE / "native/java", home / "lib/java/21/bin/java")
        (folder / "tmp").mkdir(exist_ok=True)
        variables = {
            "GATEWAY_LISTEN": f"127.0.0.1:{port}",
            "LOCALSTACK_HOST": f"localhost:{port}",
            "SQS_ENDPOINT_STRATEGY": "path",
            "SERVICES": SERVICES,
            "PROVIDER_OVERRIDE_DYNAMODB": "v2",
            "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "v2",  # the other one loses what is written early
            "S3_SKIP_SIGNATURE_VALIDATION": "0",  # signed links are checked, as AWS does
            "DYNAMODB_IN_MEMORY": "1",
            "DYNAMODB_REMOVE_EXPIRED_ITEMS": "1",
            "SQS_DISABLE_CLOUDWATCH_METRICS": "1",
            "EAGER_SERVICE_LOADING": "0",
            "DISABLE_EVENTS": "1",  # nothing is reported to anyone
            "SKIP_SSL_CERT_DOWNLOAD": "1",
            "USE_SSL": "0",
            "DNS_ADDRESS": "0",
            "CLOAKROOM_JAVA": java,
            "OVERRIDE_IN_DOCKER": "0",
            "FILESYSTEM_ROOT": str(root),
            "TMPDIR": str(folder / "tmp"),
            # A process that is kept for a function that nobody calls costs memory, and nothing is gained by it.
            "LAMBDA_KEEPALIVE_MS": "600000",
        }
        log = folder / "localstack.log"
        return processes.start([python, HERE / "native/run_localstack.py"], log, variables)

    def stop(self, known):
        processes.stop(known)


class LocalStackInDocker:
    """LocalStack's image, by Docker Compose."""

    name = "localstack-docker"
    kind = "LocalStack 4.14.0 in Docker"
    health = "/_localstack/health"

    def start(self, folder, port):
        self._compose(folder, port, "up", "--detach", "--wait")
        # What follows the container's log stands for it: it ends when the container does.
        command = ["docker", "compose", "--file", HERE / "compose.yaml", "logs", "--follow", "--no-log-prefix"]
        return processes.start(command, folder / "localstack.log", {"CLOAKROOM_LOCALSTACK_PORT": str(port)})

    def stop(self, known):
        processes.stop(known)
        self._compose(Path(known["log"]).parent, 0, "down", "--volumes")

    def _compose(self, folder, port, *what):
        command = ["docker", "compose", "--file", HERE / "compose.yaml", *what]
        tools.run(command, folder / "compose.log", env={**os.environ, "CLOAKROOM_LOCALSTACK_PORT": str(port)})


class MiniStack:
    """MiniStack as a process of this machine: a second opinion on what AWS does."""

    name = "ministack"
    kind = "MiniStack 1.5.33 on this machine"
    health = "/_ministack/health"

    def start(self, folder, port):
        python = tools.program("python", of="ministack")
        for name in ("state", "tmp"):
            (folder / name).mkdir(exist_ok=True)
        variables = {
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "localhost",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",  # where its functions find it
            "LAMBDA_EXECUTOR": "local",
            "IOT_MTLS_ENABLED": "0",  # it would listen on every interface
            "PERSIST_STATE": "0",
            "STATE_DIR": str(folder / "state"),
            "TMPDIR": str(folder / "tmp"),
        }
        log = folder / "ministack.log"
        return processes.start([python, HERE / "native/run_ministack.py"], log, variables)

    def stop(self, known):
        processes.stop(known)


class DynamoDbLocal:
    """Amazon's DynamoDB Local alone: what DynamoDB does, by those who make it."""

    name = "dynamodb-local"
    kind = "DynamoDB Local 3.3 on this machine"
    health = "/"

    def start(self, folder, port):
        variables = {"CLOAKROOM_JAVA": tools.java()}
        jar = tools.dynamodb_local()
        command = [HERE / "native/java", f"-Djava.library.path={jar}/DynamoDBLocal_lib", "-jar", jar / "DynamoDBLocal.jar"]
        command += ["-inMemory", "-disableTelemetry", "-port", str(port)]
        return processes.start(command, folder / "dynamodb-local.log", variables)

    def stop(self, known):
        processes.stop(known)


def chosen(name, native=False):
    """The emulator of this name; LocalStack by Docker where an engine answers, unless `native`."""
    if name == "ministack":
        return MiniStack()
    if name == "dynamodb-local":
        return DynamoDbLocal()
    if native or not tools.docker():
        return LocalStack()
    return LocalStackInDocker()


def of(state):
    """The emulator that was started."""
    kinds = {kind.__name__: kind for kind in (LocalStack, LocalStackInDocker, MiniStack, DynamoDbLocal)}
    return kinds[state["class"]]()


def link(target, at):
    at.parent.mkdir(parents=True, exist_ok=True)
    if at.is_symlink():
        at.unlink()
    at.symlink_to(target)


def forget(folder):
    """Takes away what an emulator kept, but for the logs."""
    for name in ("root", "state", "tmp"):
        shutil.rmtree(folder / name, ignore_errors=True)


if sys.version_info < (3, 9):
    sys.exit("the scripts of localstack/ need Python 3.9 or later")
