"""The stack on an emulator: infra/template.yaml as it is, built and deployed as for AWS."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import tools
from emulators import CREDENTIALS, REGION
from tools import ROOT, program, run, say

TEMPLATE = ROOT / "infra/template.yaml"
HTTP_API = ROOT / "infra/http-api.yaml"
BUCKET = "cloakroom-deployments"


def variables(state):
    """What SDKs and command-line tools need to find the emulator."""
    return {**CREDENTIALS, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": state["endpoint"]}


def built_in(folder, template):
    """Where the built template is, once it is built."""
    return folder / ("build" if template == TEMPLATE else f"build-{template.stem}") / "template.yaml"


def build(folder, release, native, template):
    """Builds the functions for this machine, and packs them for the template. Those that run as processes of it are built
    without optimisation; the others as for AWS."""
    tools.cargo()
    programs = debug_programs(folder) if native and not release else lambda_programs(folder, release)
    built = built_in(folder, template)
    shutil.rmtree(built.parent, ignore_errors=True)

    def put(found):
        name = found["name"]
        pack(programs(name), built.parent / f"{name}.zip")
        return f"CodeUri: {name}.zip"

    built.parent.mkdir(parents=True)
    built.write_text(re.sub(r"CodeUri: \.\./target/lambda/(?P<name>[a-z-]+)", put, template.read_text()))


def target():
    """The folder that cargo builds into."""
    metadata = subprocess.check_output(["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT)
    return Path(json.loads(metadata)["target_directory"])


def debug_programs(folder):
    """Builds the functions by cargo. Those of this repository are the tests' own, which saves a second build of everything."""
    if "CLOAKROOM_TEST_PROGRAMS" not in os.environ:  # else they are built
        say("building the functions")
        command = ["build", "--bins", "--features", "lambda"] if tools.PROJECT else ["test", "--workspace", "--locked", "--no-run"]
        run(["cargo", *command], folder / "build.log", cwd=ROOT)
    programs = target() / "debug"
    return lambda name: programs / name


def lambda_programs(folder, release):
    """Builds the functions by cargo-lambda."""
    say(f"building the functions ({'release' if release else 'debug'})")
    features = "lambda" if tools.PROJECT else "lambda,handlers"
    command = [program("cargo-lambda"), "lambda", "build", "--no-default-features", "--features", features]
    command += ["--release"] if release else []
    command += ["--arm64"] if architecture() == "arm64" else ["--x86-64"]
    environment = {**os.environ, "PATH": f"{program('cargo-lambda').parent}:{os.environ['PATH']}"}
    run(command, folder / "build.log", env=environment, cwd=ROOT)
    programs = target() / "lambda"
    return lambda name: programs / name / "bootstrap"


def pack(program, archive):
    """Packs a function: here, as `sam deploy` would do it with each deployment, and take several times as long."""
    # A date of its own would make another archive of the same program.
    entry = ZipInfo("bootstrap")
    entry.external_attr = 0o755 << 16
    entry.compress_type = ZIP_DEFLATED
    with ZipFile(archive, "w") as packed:
        packed.writestr(entry, program.read_bytes(), compresslevel=1)


def architecture():
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def digest(built, parameters):
    """Of all that is deployed."""
    whole = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for file in sorted(built.parent.rglob("*")):
        if file.is_file():
            whole.update(str(file.relative_to(built.parent)).encode() + b"\0" + file.read_bytes())
    return whole.hexdigest()


# A function's name has 64 characters, and the longest of ours ends with this.
LONGEST_NAME = 64 - len("-dead-letters")


def deploy(state, folder, template, given):
    """Deploys what was built, and notes in the state what came of it. Does nothing where nothing changed."""
    if len(state["stack"]) > LONGEST_NAME:
        raise tools.Problem(f"the name of the stack is too long for its functions: use at most {LONGEST_NAME} characters")
    built = built_in(folder, template)
    # The shortest timeout, so that what goes wrong shows soon. LocalStack's free edition keeps schedules and runs none.
    scheduler = "on" if state.get("on") == "ministack" else "off"
    streaming = {"Streaming": "off"} if template == TEMPLATE else {}  # no emulator streams; an HTTP API has no such parameter
    parameters = {
        "Architecture": architecture(),
        "WorkerTimeout": "10",
        "Diagnostics": "on",
        "Scheduler": scheduler,
        **streaming,
        "Authorizer": "none",  # the template has no default
        **given,
    }
    # LocalStack can't update a stage: it tries to create it again, and the whole deployment fails.
    built.write_text(re.sub(r"(?m)^ *AlwaysDeploy: true\n", "", built.read_text()))
    if state.get("on") == "ministack":
        # MiniStack has no alarms on metric math, and rejects the whole template for one.
        alarm = r"(?ms)^  ReturnedMessagesAlarm:\n.*?(?=^  \S)|^ *\"\${ReturnedMessagesAlarm\.Arn}\",\n"
        built.write_text(re.sub(alarm, "", built.read_text()))
    new = digest(built, parameters)
    if state.get("deployed") == new and "url" in state:
        say(f"stack {state['stack']} is as it should be")
        return
    say(f"deploying {template.relative_to(ROOT)} as stack {state['stack']}")
    aws(state, ["s3api", "create-bucket", "--bucket", BUCKET])
    for arn in filter(None, parameters.get("ReplyQueueArns", "").split(",")):
        # For SQS alone, the command prefers an old name of the service to the variable with the endpoint.
        aws(state, ["sqs", "create-queue", "--queue-name", arn.split(":")[-1], "--endpoint-url", state["endpoint"]])
    # Links in answers begin with the path of the API, and on an emulator that has the API's id in it, which is known
    # only once there is an API: so the first deployment is done twice.
    if "api" not in state and "PublicBaseUrl" not in given:
        _deploy(state, folder, built, parameters)
        state["api"] = outputs(state)["ApiId"]
    stage = parameters.get("StageName", "v1") if template == TEMPLATE else "$default"
    if "PublicBaseUrl" not in given:
        parameters["PublicBaseUrl"] = f"/_aws/execute-api/{state['api']}/{stage}"
    _deploy(state, folder, built, parameters)
    made = outputs(state)
    state["api"] = made["ApiId"]
    path = f"/_aws/execute-api/{state['api']}/{stage}"
    state.update(url=state["endpoint"] + path, queue=made["Queue"], dead_letters=made["DeadLetters"])
    # Of a stack that lets producers in: where they keep payloads.
    state.pop("producer_bucket", None)
    if parameters.get("Producers") and parameters.get("ProducerBucket"):
        state["producer_bucket"] = parameters["ProducerBucket"]
    # Of a stack that replies: the name of a queue for that.
    state.pop("reply_queue", None)
    if parameters.get("ReplyQueueArns"):
        state["reply_queue"] = parameters["ReplyQueueArns"].split(",")[0].split(":")[-1]
    # Of a stack whose callers have API keys: where keys are added.
    state.pop("usage_plan", None)
    if "UsagePlan" in made:
        state["usage_plan"] = made["UsagePlan"]
    if "Caution" in made:
        say(f"caution, says the stack: {made['Caution']}")
    state["deployed"] = new


def _deploy(state, folder, built, parameters):
    command = [program("sam"), "deploy", "--template-file", built, "--stack-name", state["stack"], "--s3-bucket", BUCKET]
    command += ["--capabilities", "CAPABILITY_IAM", "--no-confirm-changeset", "--no-fail-on-empty-changeset"]
    command += ["--region", REGION, "--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
    run(command, folder / "deploy.log", env={**quiet_sam(), **variables(state)}, cwd=folder)


def outputs(state):
    answer = aws(state, ["cloudformation", "describe-stacks", "--stack-name", state["stack"], "--output", "json"])
    listed = json.loads(answer)["Stacks"][0].get("Outputs", [])
    return {output["OutputKey"]: output["OutputValue"] for output in listed}


def aws(state, command):
    """Runs a command of the AWS CLI, and returns what it prints."""
    environment = {**os.environ, **variables(state), "AWS_PAGER": ""}
    ended = subprocess.run([str(program("aws")), *command], capture_output=True, text=True, env=environment)
    if ended.returncode:
        raise tools.Problem(f"aws {' '.join(command[:2])} failed: {ended.stderr.strip()}")
    return ended.stdout


def quiet_sam():
    return {**os.environ, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_POLL_DELAY": "1"}
