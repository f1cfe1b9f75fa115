"""Starts MiniStack with four things put right, which AWS does and MiniStack 1.5.33 doesn't:

- an API's `ANY` method, as SAM writes it into an OpenAPI document, is imported; MiniStack passes over it, though it serves
  methods called ANY.
  https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-any-method.html
- an event source mapping's BatchSize and MaximumConcurrency are numbers, also where a template takes them from parameters,
  whose values CloudFormation passes on as text;
- a function is told the id of the API key that a request came with: MiniStack checks the key and says nothing of it.
  https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
- a template's conditions may split a parameter.
  https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference-split.html
"""

from ministack.app import main
from ministack.services import apigateway_v1 as rest
from ministack.services import lambda_svc as functions
from ministack.services.cloudformation import changesets, engine, handlers, stacks

ANY = "x-amazon-apigateway-any-method"


def import_any(import_path_item):
    def imported(api_id, path, item, *rest_of_it):
        named = {"any" if method == ANY else method: operation for method, operation in item.items()}
        return import_path_item(api_id, path, named, *rest_of_it)

    return imported


def as_number(concurrency):
    def counted(mapping, *rest_of_it):
        if "BatchSize" in mapping:
            mapping["BatchSize"] = int(mapping["BatchSize"])
        scaling = mapping.get("ScalingConfig") or {}
        if "MaximumConcurrency" in scaling:
            scaling["MaximumConcurrency"] = int(scaling["MaximumConcurrency"])
        return concurrency(mapping, *rest_of_it)

    return counted


def with_key_id(build_event):
    def built(*given, **named):
        event = build_event(*given, **named)
        key = rest._resolve_api_key(rest._api_key_from_request(event["headers"]))
        if key:
            event["requestContext"]["identity"] |= {"apiKey": key["value"], "apiKeyId": key["id"]}
        return event

    return built


def split_in(value, params):
    """The value without the function that MiniStack does not know in conditions."""
    if isinstance(value, list):
        return [split_in(each, params) for each in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Split" in value:
        separator, whole = value["Fn::Split"]
        return str(params[whole["Ref"]]["Value"]).split(separator)
    return {name: split_in(each, params) for name, each in value.items()}


def with_split(evaluate):
    def evaluated(template, params):
        return evaluate({**template, "Conditions": split_in(template.get("Conditions", {}), params)}, params)

    return evaluated


if __name__ == "__main__":
    rest._OPENAPI_HTTP_METHODS.add("any")
    rest._import_path_item = import_any(rest._import_path_item)
    rest._build_lambda_event_v1 = with_key_id(rest._build_lambda_event_v1)
    functions._sqs_esm_concurrency = as_number(functions._sqs_esm_concurrency)
    evaluate = with_split(engine._evaluate_conditions)
    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate
    main()
