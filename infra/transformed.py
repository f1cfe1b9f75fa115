"""Checks what AWS SAM makes of a template: the stage, its throttle, its deployment, and who may call what.

    python infra/transformed.py TEMPLATE             checks it
    python infra/transformed.py TEMPLATE --summary   prints the resources by type, and the stages

Runs in the environment that localstack/requirements/deploy.txt pins, without AWS.
"""

import collections
import json
import sys
from pathlib import Path
from unittest.mock import patch

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

# Functions need a value for CodeUri that `sam package` would make.
CODE = "s3://bucket/key"


def transformed(path, now=0):
    """The resources that SAM makes of a template at a time, in seconds since 1970."""
    template = yaml_parse(path.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = CODE
    with patch("time.time", return_value=now):
        return transform(template, {}, None)["Resources"]


def of_type(resources, kind):
    return {name: it["Properties"] for name, it in resources.items() if it["Type"] == kind}


def check_gateway(resources, again):
    """One stage, throttled, with only the free metrics, and deployed by each deployment of the stack."""
    stages = of_type(resources, "AWS::ApiGateway::Stage")
    assert list(stages) == ["ApiStage"], f"one stage, with the name of the parameter: {list(stages)}"
    [stage] = stages.values()
    assert stage["StageName"] == {"Ref": "StageName"}, stage
    [settings] = stage["MethodSettings"]
    assert settings["ThrottlingRateLimit"] == {"Ref": "RateLimit"}, settings
    assert settings["ThrottlingBurstLimit"] == {"Ref": "BurstLimit"}, settings
    assert "MetricsEnabled" not in settings, "metrics of single methods are paid for"
    [deployment] = of_type(resources, "AWS::ApiGateway::Deployment")
    assert stage["DeploymentId"] == {"Ref": deployment}, stage
    assert "StageName" not in resources[deployment]["Properties"], "a deployment with a name makes a stage of its own"
    assert deployment not in again, "AlwaysDeploy: a template that did not change is deployed all the same"


def check_gateway_responses(resources):
    """Each of the gateway's own responses is a document, and a page of another origin may read it."""
    [api] = of_type(resources, "AWS::ApiGateway::RestApi").values()
    responses = api["Body"]["x-amazon-apigateway-gateway-responses"]
    assert {"DEFAULT_4XX", "DEFAULT_5XX", "API_CONFIGURATION_ERROR"} <= responses.keys(), responses.keys()
    for kind, response in responses.items():
        document = json.loads(response["responseTemplates"]["application/json"])
        assert document["status"] == int(response["statusCode"]), kind
        origin = response["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
        assert origin == {"Fn::If": ["HasCors", "'*'", {"Ref": "AWS::NoValue"}]}, (kind, origin)


def check_functions(resources):
    """Lambda's own lines are warnings alone, and no name is longer than Lambda allows for a stack's name of 51 characters."""
    functions = of_type(resources, "AWS::Lambda::Function")
    assert len(functions) == 8, functions.keys()
    for name, function in functions.items():
        assert function["LoggingConfig"]["SystemLogLevel"] == "WARN", name
        suffix = function["FunctionName"]["Fn::Sub"].replace("${AWS::StackName}", "")
        assert len(suffix) <= 64 - 51, f"{name}: {suffix}"


def check_queues(resources):
    """Each queue has a policy of its own, whose statements are about it alone."""
    policies = of_type(resources, "AWS::SQS::QueuePolicy").values()
    queues = [policy["Queues"] for policy in policies]
    assert sorted(queue["Ref"] for [queue] in queues) == sorted(of_type(resources, "AWS::SQS::Queue")), queues
    for policy in policies:
        [queue] = policy["Queues"]
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Resource"] == {"Fn::GetAtt": [queue["Ref"], "Arn"]}, policy


def check_rights(resources):
    """A role of a service is for this stack's resources, and is passed to that service alone."""
    roles = of_type(resources, "AWS::IAM::Role")
    [trust] = roles["ScheduleRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"]["StringEquals"].keys() == {"aws:SourceAccount", "aws:SourceArn"}, trust
    passed = [it for it in statements(roles) if it["Action"] == "iam:PassRole"]
    assert passed, "submit passes the role of schedules"
    for statement in passed:
        assert statement["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}, statement


def statements(roles):
    for role in roles.values():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield statement["Fn::If"][1] if "Fn::If" in statement else statement


def summary(resources):
    counts = collections.Counter(it["Type"] for it in resources.values())
    lines = [f"{count:4}  {kind}" for kind, count in sorted(counts.items())]
    for name, stage in of_type(resources, "AWS::ApiGateway::Stage").items():
        lines.append(f"stage {name}: {json.dumps(stage)}")
    for name in of_type(resources, "AWS::ApiGateway::Deployment"):
        lines.append(f"deployment {name}: {json.dumps(resources[name]['Properties'])}")
    return "\n".join(lines)


def main(path, *options):
    resources = transformed(Path(path))
    if "--summary" in options:
        print(summary(resources))
        return
    if of_type(resources, "AWS::ApiGateway::RestApi"):
        check_gateway(resources, transformed(Path(path), now=60))
        check_gateway_responses(resources)
    check_functions(resources)
    check_queues(resources)
    check_rights(resources)


if __name__ == "__main__":
    main(*sys.argv[1:])
