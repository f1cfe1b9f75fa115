"""The functions by `cargo lambda watch`, which builds them anew when a file changes, over the emulator's services.

Of the template only the table, the queues, the bucket and the secret are deployed. A poller takes the place of the event
source mapping, and the routes of [workspace.metadata.lambda.watch.router] in Cargo.toml that of API Gateway. No function reads
the table's stream, so no webhook and no reply is sent.
"""

import json
import os

import processes
import stack
from emulators import REGION
from tools import HERE, ROOT, program, run as run_to_its_end, say

NAMESPACE = "c10a6300-0000-4000-8000-000000000001"


def up(run, one):
    names = deploy_data(run, one)
    for process in run.state["others"].values():
        processes.stop(process)
    variables = {
        **stack.variables(run.state),
        "CLOAKROOM_TABLE": names["Table"],
        "CLOAKROOM_BUCKET": names["Bucket"],
        "CLOAKROOM_QUEUE_URL": names["Queue"],
        "CLOAKROOM_DELIVERIES_URL": names["Deliveries"],
        "CLOAKROOM_KEYS_SECRET": names["Keys"],
        "CLOAKROOM_NAMESPACE": NAMESPACE,
        "CLOAKROOM_LEASE_SECONDS": "10",
        "CLOAKROOM_DIAGNOSTICS": "on",
        "PATH": f"{program('cargo-lambda').parent}:{os.environ['PATH']}",
    }
    port = processes.free_port()
    command = [program("cargo-lambda"), "lambda", "watch", "--invoke-address", "127.0.0.1", "--invoke-port", str(port)]
    command += ["--features", "lambda"]
    command += ["--concurrency", "4"]  # a poll that waits must not keep the others waiting
    say("building the functions; a change of a file builds them anew")
    watch = processes.start(command, run.folder / "watch.log", variables, ROOT)
    url = f"http://127.0.0.1:{port}"
    poller = [program("python"), HERE / "lib/poller.py", names["Queue"], f"{url}/2015-03-31/functions/worker/invocations"]
    run.state["others"] = {"watch": watch, "poller": processes.start(poller, run.folder / "poller.log", variables)}
    run.save()
    processes.wait_for(f"{url}/openapi.json", watch, 900)
    one.update(url=url, queue=names["Queue"], dead_letters=names["DeadLetters"])
    one.pop("deployed", None)
    run.save()


def deploy_data(run, one):
    """Deploys the resources that keep data, as the template has them. Returns their names and URLs."""
    name = f"{one['stack']}-data"
    say(f"deploying the table, the queues, the bucket and the secret of infra/template.yaml as stack {name}")
    template = run.folder / "data.json"
    run_to_its_end([program("python"), HERE / "lib/data_template.py", stack.TEMPLATE, template])
    stack.aws(one, ["cloudformation", "deploy", "--stack-name", name, "--template-file", str(template), "--region", REGION,
                    "--no-fail-on-empty-changeset", "--parameter-overrides", "WorkerTimeout=10"])  # fmt: skip
    answer = stack.aws(one, ["cloudformation", "describe-stack-resources", "--stack-name", name, "--output", "json"])
    listed = json.loads(answer)["StackResources"]
    return {resource["LogicalResourceId"]: resource["PhysicalResourceId"] for resource in listed}
