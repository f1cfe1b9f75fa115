"""Writes what a SAM template says of tables, queues, buckets and secrets as a template of its own. Run with SAM's own Python."""

import json
import sys

from samcli.yamlhelper import yaml_parse

DATA = {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SQS::Queue", "AWS::SecretsManager::Secret"}


def main(template, written):
    with open(template) as file:
        whole = yaml_parse(file.read())
    part = {name: whole[name] for name in ("AWSTemplateFormatVersion", "Parameters", "Mappings", "Conditions")}
    part["Resources"] = {name: it for name, it in whole["Resources"].items() if it["Type"] in DATA}
    with open(written, "w") as file:
        json.dump(part, file, indent=2)


if __name__ == "__main__":
    main(*sys.argv[1:])
