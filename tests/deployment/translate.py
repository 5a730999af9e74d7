"""Writes what CloudFormation makes of a SAM template, as JSON, without asking AWS.

usage: translate.py TEMPLATE OUT
"""

import json
import os
import sys

from samtranslator.model.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


class ManagedPolicies:
    """The managed policies that functions name; the template gives each function a role of its own."""

    def load(self):
        return {}


def main(template: str, out: str) -> None:
    # The translator wants to know a Region; nothing in what it writes depends on it.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    with open(template, encoding="utf-8") as file:
        source = yaml_parse(file.read())
    # As `sam package` does it: code in a folder becomes an object in a bucket.
    for name, resource in source["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = {"Bucket": "artifacts", "Key": f"{name}.zip"}
    try:
        translated = transform(source, {}, ManagedPolicies())
    except InvalidDocumentException as error:
        sys.exit("\n".join([error.message, *(cause.message for cause in error.causes)]))
    with open(out, "w", encoding="utf-8") as file:
        json.dump(translated, file, indent=1)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
