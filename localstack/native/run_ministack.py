"""Starts MiniStack with three things put right, which AWS does and MiniStack 1.5.33 doesn't:

- an API's `ANY` method, as SAM writes it into an OpenAPI document, is imported; MiniStack passes over it, though it serves
  methods called ANY.
  https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-any-method.html
- an event source mapping's BatchSize and MaximumConcurrency are numbers, also where a template takes them from parameters,
  whose values CloudFormation passes on as text;
- a function is told the id of the API key that a request came with: MiniStack checks the key and says nothing of it.
  https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
"""

from ministack.app import main
from ministack.services import apigateway_v1 as rest
from ministack.services import lambda_svc as functions

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


if __name__ == "__main__":
    rest._OPENAPI_HTTP_METHODS.add("any")
    rest._import_path_item = import_any(rest._import_path_item)
    rest._build_lambda_event_v1 = with_key_id(rest._build_lambda_event_v1)
    functions._sqs_esm_concurrency = as_number(functions._sqs_esm_concurrency)
    main()
