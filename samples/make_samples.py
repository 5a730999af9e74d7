#!/usr/bin/env python3
"""Makes the sample log files: one invented day of account 111122223333, with a break-in in it.

    python3 samples/make_samples.py
    python3 samples/make_samples.py --check

With `--check` it writes nothing and says whether the log files in the tree are what it makes.
Otherwise it writes `AWSLogs/` beside this script, anew, and the tables of `README.md` between their markers. The same script
gives the same records in every run: all chance comes from one fixed seed and no clock is read. (The compressed bytes
depend on the zlib that Python was built with; the records and the hash values in the digest files do not.)

Events are made first (`everyday`, `story`), then delivered into log files (`deliver`), then vouched for by digest
files (`digests`). `EXPECTED` says in plain Python what each filter looks for, so that the table of alarms comes from
what was written and not from the tool that is to be tried on it.

Everything is made up. Addresses are from the documentation ranges and 10.0.0.0/8, account ids and access keys are
those of AWS's own examples or shaped like them. The digest files carry no signatures.
"""

import dataclasses
import datetime
import gzip
import hashlib
import json
import pathlib
import random
import shutil
import sys
import uuid

HERE = pathlib.Path(__file__).resolve().parent
DAY = datetime.datetime(2026, 3, 2, tzinfo=datetime.timezone.utc)
ACCOUNT = "111122223333"
STRANGER_ACCOUNT = "444455556666"
TRAIL_BUCKET = "example-audit-trail"
# The trail that delivered these files. The one that is stopped in the story is `management-events`.
TRAIL = "security-audit"
HOME_REGION = "us-east-1"
REGIONS = ["us-east-1", "eu-west-1", "us-west-2"]

OFFICE = "192.0.2.44"
GUESSER = "198.51.100.23"
INTRUDER = "203.0.113.77"
DOWNLOADER = "203.0.113.150"

BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
CLI = "aws-cli/2.31.4 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.7 md/command#{}"
GO_SDK = "aws-sdk-go-v2/1.39.2 ua/2.1 os/linux lang/go#1.25.1 md/GOOS#linux md/GOARCH#amd64 metrics-poller/7.2.1"
PYTHON_SDK = "Boto3/1.40.39 md/Botocore#1.40.39 ua/2.1 os/linux lang/python#3.13.7 md/pyimpl#CPython"

EXPORTS = "example-customer-exports"
APPLICATION_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/0987dcba-09fe-87dc-65ba-ab0987654321"
# The key that is condemned in the story; nothing else uses it.
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{KEY_ID}"
SECURITY_GROUP = "sg-0a1b2c3d4e5f60718"

# What each service's records say in `eventVersion`: CloudTrail's services move on one by one.
VERSIONS = {
    "signin.amazonaws.com": "1.09",
    "sts.amazonaws.com": "1.08",
    "lambda.amazonaws.com": "1.08",
    "config.amazonaws.com": "1.08",
    "monitoring.amazonaws.com": "1.09",
    "elasticloadbalancing.amazonaws.com": "1.09",
    "s3.amazonaws.com": "1.11",
    "kms.amazonaws.com": "1.11",
}


# How the names of calls begin that CloudTrail marks `readOnly`.
READING = ("Describe", "List", "Get", "Head", "Lookup", "Simulate", "AssumeRole", "Decrypt", "GenerateDataKey")


# --- Chance, time and names -------------------------------------------------------------------------------------------


class Dice:
    """Chance with a fixed seed. Only `random()` is used: its sequence is the same in every version of Python."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._ids = 0

    def between(self, low, high):
        """A whole number from `low` to `high`, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def pick(self, choices):
        return choices[self.between(0, len(choices) - 1)]

    def one_in(self, n):
        return self.between(1, n) == 1

    def token(self, length, alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"):
        return "".join(self.pick(alphabet) for _ in range(length))

    def uuid(self):
        self._ids += 1
        return str(uuid.UUID(bytes=digest_of(f"id {self._ids}")[:16], version=4))


DICE = Dice(20260302)


def digest_of(text):
    return hashlib.sha256(text.encode()).digest()


def example_id(prefix, name, length):
    """An identifier in the style of AWS's examples: the prefix, some characters of its own, the word EXAMPLE."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    own = "".join(alphabet[byte % 32] for byte in digest_of(prefix + name))
    return prefix + own[: length - len(prefix) - len("EXAMPLE")] + "EXAMPLE"


def seconds(clock):
    """The second of the day of `02:12:08` or `02:12`."""
    hours, minutes, *rest = (int(part) for part in clock.split(":"))
    return hours * 3600 + minutes * 60 + sum(rest)


def timestamp(second):
    return (DAY + datetime.timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(second):
    return timestamp(second)[11:19]


def long_date(second):
    """The form of dates inside `responseElements`: `Mar 2, 2026, 2:43:05 AM`."""
    at = DAY + datetime.timedelta(seconds=second)
    return f"{at:%b} {at.day}, {at.year}, {(at.hour - 1) % 12 + 1}:{at:%M:%S %p}"


# --- Who acts ---------------------------------------------------------------------------------------------------------


def iam_user(name, access_key=None, session_at=None, mfa=False):
    """An IAM user: with a long-term access key, or in a session that began at `session_at`."""
    identity = {
        "type": "IAMUser",
        "principalId": example_id("AIDA", name, 21),
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
    }
    if access_key is not None:
        identity["accessKeyId"] = access_key
    elif session_at is not None:
        identity["accessKeyId"] = example_id("ASIA", f"{name} {session_at}", 20)
    identity["userName"] = name
    if session_at is not None:
        identity["sessionContext"] = {"attributes": session_attributes(session_at, mfa)}
    return identity


def session_attributes(second, mfa):
    return {"creationDate": timestamp(second), "mfaAuthenticated": "true" if mfa else "false"}


def role(name, session, second, path="", invoked_by=None):
    """A session of a role. Credentials are renewed every hour."""
    began = second - second % 3600 + 7
    role_id = example_id("AROA", name, 21)
    identity = {
        "type": "AssumedRole",
        "principalId": f"{role_id}:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": example_id("ASIA", f"{name} {session} {began}", 20),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{path}{name}",
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": session_attributes(began, mfa=False),
        },
    }
    if invoked_by:
        identity["invokedBy"] = invoked_by
    return identity


def root(session_at=None):
    identity = {
        "type": "Root",
        "principalId": ACCOUNT,
        "arn": f"arn:aws:iam::{ACCOUNT}:root",
        "accountId": ACCOUNT,
        "accessKeyId": "" if session_at is None else example_id("ASIA", f"root {session_at}", 20),
    }
    if session_at is not None:
        identity["sessionContext"] = {"attributes": session_attributes(session_at, mfa=False)}
    return identity


def service(name):
    return {"type": "AWSService", "invokedBy": name}


# --- What a record says -----------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Event:
    """A record, when it happened and, where that matters, which deliveries (minutes of the day) contain it."""

    second: int
    region: str
    record: dict
    deliveries: list = None


def event(
    second,
    identity,
    call,
    *,
    region=HOME_REGION,
    ip=OFFICE,
    agent=BROWSER,
    request=None,
    response=None,
    error=None,
    extra=None,
    resources=None,
    data_event=False,
    kind="AwsApiCall",
    shared=False,
    from_console=False,
    vpc_endpoint=None,
    addendum=None,
    deliveries=None,
):
    """The event of one `call` (`iam:ListUsers`), its members in CloudTrail's order."""
    prefix, name = call.split(":")
    source = f"{prefix}.amazonaws.com"
    by_service = ip.endswith(".amazonaws.com") or ip == "AWS Internal"
    record = {
        "eventVersion": VERSIONS.get(source, "1.10"),
        "userIdentity": identity,
        "eventTime": timestamp(second),
        "eventSource": source,
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": ip,
        "userAgent": agent,
    }
    if error:
        # A failed sign-in has a message and no code.
        code, record["errorMessage"] = error
        if code:
            record["errorCode"] = code
    record["requestParameters"] = request
    record["responseElements"] = response
    if extra:
        record["additionalEventData"] = extra
    if kind == "AwsApiCall":
        record["requestID"] = DICE.token(16) if source == "s3.amazonaws.com" else DICE.uuid()
    record["eventID"] = DICE.uuid()
    record["readOnly"] = name.startswith(READING)
    if resources:
        record["resources"] = [{"accountId": ACCOUNT, "type": kind_, "ARN": arn} for kind_, arn in resources]
    record["eventType"] = kind
    if addendum:
        record["addendum"] = addendum
    record["managementEvent"] = not data_event
    record["recipientAccountId"] = ACCOUNT
    if shared:
        record["sharedEventID"] = DICE.uuid()
    if vpc_endpoint:
        record["vpcEndpointId"] = vpc_endpoint
        record["vpcEndpointAccountId"] = ACCOUNT
    record["eventCategory"] = "Data" if data_event else "Management"
    if kind != "AwsServiceEvent" and not by_service:
        record["tlsDetails"] = tls_details(source, prefix, region, request)
    if from_console:
        record["sessionCredentialFromConsole"] = "true"
    return Event(second, region, record, deliveries)


def tls_details(source, prefix, region, request):
    host = (request or {}).get("Host") or (
        f"{region}.signin.aws.amazon.com"
        if prefix == "signin"
        else source
        if prefix in ("iam", "organizations")
        else f"{prefix}.{region}.amazonaws.com"
    )
    modern = prefix not in ("ec2", "autoscaling")
    return {
        "tlsVersion": "TLSv1.3" if modern else "TLSv1.2",
        "cipherSuite": "TLS_AES_128_GCM_SHA256" if modern else "ECDHE-RSA-AES128-GCM-SHA256",
        "clientProvidedHostHeader": host,
    }


def sign_in(second, identity, mfa, ip, failed=False, deliveries=None):
    outcome = "Failure" if failed else "Success"
    return event(
        second,
        identity,
        "signin:ConsoleLogin",
        ip=ip,
        response={"ConsoleLogin": outcome},
        error=(None, "Failed authentication") if failed else None,
        extra={
            "LoginTo": "https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true",
            "MobileVersion": "No",
            "MFAUsed": "Yes" if mfa else "No",
        },
        kind="AwsConsoleSignIn",
        deliveries=deliveries,
    )


def sign_in_with_mfa(second, name):
    """The two events of a sign-in with MFA: the code is checked, then the user is in."""
    check = event(
        second - 9,
        iam_user(name, access_key=""),
        "signin:CheckMfa",
        response={"CheckMfa": "Success"},
        extra={"MfaType": "Virtual MFA"},
        kind="AwsConsoleSignIn",
    )
    return [check, sign_in(second, iam_user(name), True, OFFICE)]


def object_call(second, identity, name, bucket, key, size, region=HOME_REGION, **more):
    """A data event: one object read or written."""
    reading = name == "GetObject"
    return event(
        second,
        identity,
        f"s3:{name}",
        region=region,
        request={"bucketName": bucket, "key": key, "Host": f"{bucket}.s3.{region}.amazonaws.com"},
        response=None if reading else {"x-amz-server-side-encryption": "aws:kms"},
        extra={
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": 0 if reading else size,
            "AuthenticationMethod": "AuthHeader",
            "x-amz-id-2": DICE.token(24) + "EXAMPLE=",
            "bytesTransferredOut": size if reading else 0,
        },
        resources=[("AWS::S3::Object", f"arn:aws:s3:::{bucket}/{key}"), ("AWS::S3::Bucket", f"arn:aws:s3:::{bucket}")],
        data_event=True,
        **more,
    )


def denied(identity, action):
    """The error of a refused call, in the words of the service that refuses."""
    who = identity["arn"]
    if action.startswith("ec2:"):
        return (
            "Client.UnauthorizedOperation",
            f"You are not authorized to perform this operation. User: {who} is not authorized to perform: {action} "
            f"because no identity-based policy allows the {action} action",
        )
    reason = f"because no identity-based policy allows the {action} action"
    code = "AccessDenied" if action.startswith(("iam:", "s3:", "sts:", "cloudformation:")) else "AccessDeniedException"
    return code, f"User: {who} is not authorized to perform: {action} {reason}"


# --- An everyday day --------------------------------------------------------------------------------------------------


def everyday():
    """What happens on any day: software that looks around, services at work, two people and their small mistakes."""
    return [
        *metrics_poller(),
        *configuration_recorder(),
        *functions(),
        *orders_application(),
        *nightly_report(),
        *status_checker(),
        *scaling(),
        *deployments(),
        *office_hours(),
        *key_rotation(),
    ]


def metrics_poller():
    """A monitoring product that reads the state of everything every ten minutes, in all regions."""
    calls = {
        "us-east-1": ["ec2:DescribeInstances", "monitoring:DescribeAlarms", "ec2:DescribeVolumes"],
        "eu-west-1": ["ec2:DescribeInstances", "elasticloadbalancing:DescribeTargetHealth"],
        "us-west-2": ["ec2:DescribeInstances"],
    }
    requests = {
        "ec2:DescribeInstances": {"maxResults": 1000, "instancesSet": {}, "filterSet": {}},
        "ec2:DescribeVolumes": {"maxResults": 500, "volumeSet": {}, "filterSet": {}},
        "monitoring:DescribeAlarms": {"maxRecords": 100},
        "elasticloadbalancing:DescribeTargetHealth": {
            "targetGroupArn": f"arn:aws:elasticloadbalancing:eu-west-1:{ACCOUNT}:targetgroup/shop/0123456789abcdef"
        },
    }
    for start in range(seconds("00:02"), seconds("23:46"), 600):
        for region, names in calls.items():
            for index, call in enumerate(names):
                second = start + index * 2 + DICE.between(0, 40)
                who = role("MonitoringRole", "metrics-poller", second)
                yield event(second, who, call, region=region, ip="192.0.2.60", agent=GO_SDK, request=requests[call])


def configuration_recorder():
    """AWS Config, which describes resources through its service-linked role."""
    calls = [
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeNetworkAcls",
        "s3:GetBucketPolicy",
        "kms:ListKeys",
        "iam:ListRoles",
    ]
    name = "config.amazonaws.com"
    for start in range(seconds("00:05"), seconds("23:40"), 1500):
        for region in REGIONS[:2]:
            for call in calls[:3] if region == HOME_REGION else calls[:2]:
                second = start + DICE.between(0, 120)
                who = role(
                    "AWSServiceRoleForConfig",
                    "AWSConfig-Describe",
                    second,
                    path="aws-service-role/config.amazonaws.com/",
                    invoked_by=name,
                )
                bucket = {"bucketName": "example-orders-data", "policy": "", "Host": "s3.amazonaws.com"}
                request = bucket if call.startswith("s3:") else None
                yield event(second, who, call, region=region, ip=name, agent=name, request=request)


def functions():
    """Lambda assumes the role of a function that starts, and the function reads its settings with a KMS key."""
    for start in range(seconds("00:07"), seconds("23:44"), 660):
        second = start + DICE.between(0, 200)
        function = DICE.pick(["orders-export", "thumbnails", "invoice-mailer"])
        arn = f"arn:aws:iam::{ACCOUNT}:role/{function}-role"
        yield event(
            second,
            service("lambda.amazonaws.com"),
            "sts:AssumeRole",
            ip="lambda.amazonaws.com",
            agent="lambda.amazonaws.com",
            request={"roleArn": arn, "roleSessionName": function},
            response={
                "credentials": {
                    "accessKeyId": example_id("ASIA", f"{function} {second}", 20),
                    "sessionToken": "IQoJb3JpZ2luX2VjEXAMPLETOKEN",
                    "expiration": long_date(second + 43200),
                },
                "assumedRoleUser": {
                    "assumedRoleId": f"{example_id('AROA', function + '-role', 21)}:{function}",
                    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{function}-role/{function}",
                },
            },
            resources=[("AWS::IAM::Role", arn)],
            shared=True,
        )
        yield event(
            second + 1,
            role(f"{function}-role", function, second),
            "kms:Decrypt",
            ip="lambda.amazonaws.com",
            agent="lambda.amazonaws.com",
            request={
                "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
                "encryptionContext": {
                    "aws:lambda:FunctionArn": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:{function}"
                },
            },
            resources=[("AWS::KMS::Key", APPLICATION_KEY)],
        )


def orders_application():
    """An application on EC2 that reads and writes objects; more by day than by night."""
    second = seconds("00:01")
    instance = "i-0c1d2e3f405162738"
    while second < seconds("23:48"):
        region = "eu-west-1" if DICE.one_in(3) else HOME_REGION
        bucket = "example-orders-data" if region == HOME_REGION else "example-orders-data-eu"
        who = role("OrdersAppRole", instance, second)
        who["sessionContext"]["ec2RoleDelivery"] = "2.0"
        writing = DICE.one_in(4)
        key = f"2026/03/02/order-{DICE.between(100000, 999999)}.json"
        yield object_call(
            second,
            who,
            "PutObject" if writing else "GetObject",
            bucket,
            key,
            DICE.between(700, 9000),
            region=region,
            ip=f"10.0.4.{DICE.between(10, 13)}",
            agent="[aws-sdk-java/2.34.5 ua/2.1 os/Linux#6.1 lang/java#21.0.8]",
            vpc_endpoint="vpce-0123456789abcdef0",
        )
        if writing and DICE.one_in(2):
            who = dict(who, invokedBy="s3.amazonaws.com") if DICE.one_in(2) else who
            yield event(
                second,
                who,
                "kms:GenerateDataKey",
                region=region,
                ip="s3.amazonaws.com",
                agent="s3.amazonaws.com",
                request={
                    "keyId": APPLICATION_KEY.replace("us-east-1", region),
                    "encryptionContext": {"aws:s3:arn": f"arn:aws:s3:::{bucket}/{key}"},
                    "keySpec": "AES_256",
                },
                resources=[("AWS::KMS::Key", APPLICATION_KEY.replace("us-east-1", region))],
            )
        busy = seconds("07:00") < second < seconds("19:00")
        second += DICE.between(20, 130) if busy else DICE.between(90, 420)


def nightly_report():
    """A report that reads the customers' exports, and for months has lacked four permissions that it does not need."""
    for index in range(9):
        second = seconds("01:31:04") + index * 7
        who = role("ReportRole", "nightly", second)
        key = f"customers/2026-03-01/part-{index:04}.parquet"
        yield object_call(
            second,
            who,
            "GetObject",
            EXPORTS,
            key,
            DICE.between(600_000, 900_000),
            ip="10.0.3.17",
            agent=f"[{PYTHON_SDK}]",
        )
    for index, action in enumerate(
        ["iam:ListUsers", "ec2:DescribeSnapshots", "kms:ListAliases", "s3:ListAllMyBuckets"]
    ):
        second = seconds("01:33:20") + index * 3
        who = role("ReportRole", "nightly", second)
        call = "s3:ListBuckets" if action == "s3:ListAllMyBuckets" else action
        yield event(second, who, call, ip="10.0.3.17", agent=PYTHON_SDK, error=denied(who, action))


def status_checker():
    """A probe with a long-term access key. One of the buckets it looks at does not let it in."""
    who = iam_user("svc-status-checker", access_key=example_id("AKIA", "svc-status-checker", 20))
    agent = CLI.format("s3api.head-bucket")
    for start in range(seconds("00:04"), seconds("23:45"), 900):
        second = start + DICE.between(0, 5)
        yield event(
            second,
            who,
            "sts:GetCallerIdentity",
            region="us-west-2",
            ip="192.0.2.71",
            agent=CLI.format("sts.get-caller-identity"),
        )
        if start % 3600 < 900:
            refused = start % 14400 < 3600
            bucket = "example-archive" if refused else "example-website"
            yield event(
                second + 2,
                who,
                "s3:HeadBucket",
                region="us-west-2",
                ip="192.0.2.71",
                agent=f"[{agent}]",
                request={"bucketName": bucket, "Host": f"{bucket}.s3.us-west-2.amazonaws.com"},
                error=("AccessDenied", "Access Denied") if refused else None,
                resources=[("AWS::S3::Bucket", f"arn:aws:s3:::{bucket}")],
            )


def scaling():
    """Auto Scaling adds an instance in the morning and at noon and takes both away in the evening."""
    name = "autoscaling.amazonaws.com"
    path = "aws-service-role/autoscaling.amazonaws.com/"
    for at, call in [
        ("07:30:11", "RunInstances"),
        ("11:45:42", "RunInstances"),
        ("17:20:05", "TerminateInstances"),
        ("19:05:37", "TerminateInstances"),
    ]:
        second = seconds(at)
        instance = f"i-0{DICE.token(16, '0123456789abcdef')}"
        launching = call == "RunInstances"
        request = (
            {
                "instancesSet": {"items": [{"imageId": "ami-0123456789abcdef0", "minCount": 1, "maxCount": 1}]},
                "instanceType": "t3.medium",
                "launchTemplate": {"launchTemplateId": "lt-0123456789abcdef0", "version": "7"},
            }
            if launching
            else {"instancesSet": {"items": [{"instanceId": instance}]}}
        )
        yield event(
            second,
            role("AWSServiceRoleForAutoScaling", "AutoScaling", second, path=path, invoked_by=name),
            f"ec2:{call}",
            region="eu-west-1",
            ip=name,
            agent=name,
            request=request,
            response={"instancesSet": {"items": [{"instanceId": instance}]}},
        )


def deployments():
    """The build server: it signs in with its own identity provider, looks around, and puts a new version in place."""
    for at in ["06:10", "09:25", "10:50", "12:15", "14:04", "15:35", "16:40", "18:05"]:
        second = seconds(at) + DICE.between(0, 50)
        arn = f"arn:aws:iam::{ACCOUNT}:role/DeployRole"
        yield event(
            second,
            build_job(),
            "sts:AssumeRoleWithWebIdentity",
            ip="192.0.2.130",
            agent=CLI.format("sts.assume-role-with-web-identity"),
            request={"roleArn": arn, "roleSessionName": "ci-runner", "durationSeconds": 3600},
            response={
                "credentials": {
                    "accessKeyId": example_id("ASIA", f"ci {second}", 20),
                    "sessionToken": "FwoGZXIvYXdzEXAMPLETOKEN",
                    "expiration": long_date(second + 3600),
                },
                "subjectFromWebIdentityToken": "repo:example/shop:ref:refs/heads/main",
                "audience": "sts.amazonaws.com",
            },
            resources=[("AWS::IAM::Role", arn)],
        )
        for call in [
            "cloudformation:DescribeStacks",
            "cloudformation:CreateChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:ExecuteChangeSet",
            "lambda:GetFunction20150331v2",
            "lambda:UpdateFunctionCode20150331v2",
            "lambda:PublishVersion20150331",
            "cloudformation:DescribeStackEvents",
            "cloudformation:DescribeStacks",
        ]:
            second += DICE.between(2, 14)
            yield deploy_call(
                second, call, {"stackName": "shop"} if call.startswith("cloudf") else {"functionName": "orders-export"}
            )
        if at == "14:04":
            policy = (
                '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sqs:SendMessage","Resource":"*"}]}'
            )
            request = {"roleName": "orders-export-role", "policyName": "queue", "policyDocument": policy}
            yield deploy_call(seconds("14:05:33"), "iam:PutRolePolicy", request)
            yield rotated_access_key(seconds("14:06:10"))


def build_job():
    """The identity under which the build server asks for a session: that of its own identity provider."""
    provider = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.ci.example.com"
    subject = "repo:example/shop:ref:refs/heads/main"
    return {
        "type": "WebIdentityUser",
        "principalId": f"{provider}:sts.amazonaws.com:{subject}",
        "userName": subject,
        "identityProvider": provider,
    }


def deploy_call(second, call, request, response=None):
    who = role("DeployRole", "ci-runner", second)
    agent = CLI.format("cloudformation.deploy")
    return event(second, who, call, ip="192.0.2.130", agent=agent, request=request, response=response)


def rotated_access_key(second):
    key = access_key("svc-mailer", example_id("AKIA", "svc-mailer new", 20), second)
    return deploy_call(second, "iam:CreateAccessKey", {"userName": "svc-mailer"}, {"accessKey": key})


def access_key(user, key, second):
    return {"accessKeyId": key, "status": "Active", "userName": user, "createDate": long_date(second)}


def office_hours():
    """Dana and Erin at the console, with MFA. Erin mistypes a password and opens a page that she may not see."""
    yield sign_in(seconds("08:57:20"), iam_user("erin"), True, OFFICE, failed=True)
    for at, name, pages in [
        ("08:11:32", "dana", 16),
        ("08:58:05", "erin", 14),
        ("13:04:48", "dana", 10),
        ("15:12:19", "erin", 12),
    ]:
        began = seconds(at)
        yield from sign_in_with_mfa(began, name)
        second = began
        for _ in range(pages):
            second += DICE.between(15, 140)
            who = iam_user(name, session_at=began, mfa=True)
            call = DICE.pick(
                [
                    "ec2:DescribeInstances",
                    "ec2:DescribeSecurityGroups",
                    "monitoring:DescribeAlarms",
                    "iam:ListUsers",
                    "iam:GetAccountSummary",
                    "cloudtrail:DescribeTrails",
                    "lambda:ListFunctions20150331",
                    "s3:ListBuckets",
                ]
            )
            yield event(second, who, call, from_console=True)
    for index in range(5):
        second = seconds("15:41:02") + index * 4
        who = iam_user("erin", session_at=seconds("15:12:19"), mfa=True)
        action = [
            "ce:GetCostAndUsage",
            "ce:GetCostForecast",
            "ce:GetTags",
            "ce:GetDimensionValues",
            "budgets:ViewBudget",
        ][index]
        call = action.replace("ViewBudget", "DescribeBudgets")
        yield event(second, who, call, from_console=True, error=denied(who, action))


def key_rotation():
    """KMS rotates a key by itself: an event with no caller at all."""
    yield event(
        seconds("05:16:44"),
        {"accountId": ACCOUNT, "invokedBy": "AWS Internal"},
        "kms:RotateKey",
        ip="AWS Internal",
        agent="AWS Internal",
        resources=[("AWS::KMS::Key", APPLICATION_KEY)],
        kind="AwsServiceEvent",
    )


# --- The story --------------------------------------------------------------------------------------------------------


def story():
    """The night of 2 March: a guessed password, a root user without MFA, an expensive hour, and the morning after."""
    return [
        *guessed_password(),
        *refused_calls(),
        *root_makes_a_user(),
        *door_is_opened(),
        *machines_are_bought(),
        *traces_and_data(),
        *dana_cleans_up(),
    ]


def guessed_password():
    """02:12: five wrong passwords in four minutes, across a 5-minute boundary and two log files; then the right one.

    The third failure is delivered twice, in both files.
    """
    deliveries = [["02:15"], ["02:15"], ["02:15", "02:20"], ["02:20"], ["02:20"]]
    for at, minutes in zip(["02:12:08", "02:13:01", "02:14:17", "02:15:12", "02:15:49"], deliveries, strict=True):
        yield sign_in(seconds(at), iam_user("alice"), False, GUESSER, failed=True, deliveries=minutes)
    yield sign_in(seconds("02:16:31"), iam_user("alice"), False, GUESSER)


def refused_calls():
    """02:18: the session tries out what it may do. It may do nothing."""
    began = seconds("02:16:31")
    who = iam_user("alice", session_at=began)
    agent = CLI.format("{}")
    second = seconds("02:18:05")
    yield event(
        second,
        who,
        "sts:GetCallerIdentity",
        ip=GUESSER,
        agent=agent.format("sts.get-caller-identity"),
        from_console=True,
    )
    actions = [
        "iam:ListUsers", "s3:ListAllMyBuckets", "iam:ListRoles", "iam:GetAccountAuthorizationDetails",
        "iam:ListAccessKeys", "ec2:DescribeInstances", "ec2:DescribeSecurityGroups", "ec2:DescribeKeyPairs",
        "ec2:DescribeSnapshots", "ec2:DescribeVpcs", "lambda:ListFunctions", "secretsmanager:ListSecrets",
        "ssm:DescribeParameters", "dynamodb:ListTables", "rds:DescribeDBInstances", "kms:ListKeys",
        "cloudtrail:DescribeTrails", "guardduty:ListDetectors", "organizations:DescribeOrganization",
        "iam:ListGroups", "iam:ListAttachedUserPolicies", "iam:SimulatePrincipalPolicy", "iam:CreateAccessKey",
        "sts:AssumeRole", "ec2:RunInstances", "lambda:CreateFunction", "cloudformation:ListStacks",
        "sqs:ListQueues", "sns:ListTopics", "ecr:DescribeRepositories", "eks:ListClusters", "ses:GetSendQuota",
        "athena:ListWorkGroups", "glue:GetDatabases", "logs:DescribeLogGroups", "iam:ListMFADevices",
        "iam:CreateLoginProfile", "iam:AddUserToGroup", "s3:GetBucketPolicy", "ec2:DescribeImages",
        "ec2:GetPasswordData", "secretsmanager:GetSecretValue",
    ]  # fmt: skip
    renamed = {
        "s3:ListAllMyBuckets": "s3:ListBuckets",
        "lambda:CreateFunction": "lambda:CreateFunction20150331",
        "lambda:ListFunctions": "lambda:ListFunctions20150331",
    }
    requests = {
        "iam:CreateAccessKey": {"userName": "dana"},
        "iam:CreateLoginProfile": {"userName": "svc-terraform"},
        "iam:AddUserToGroup": {"groupName": "administrators", "userName": "alice"},
        "sts:AssumeRole": {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/DeployRole", "roleSessionName": "test"},
        "s3:GetBucketPolicy": {"bucketName": EXPORTS, "Host": "s3.amazonaws.com"},
        "secretsmanager:GetSecretValue": {"secretId": "prod/orders/database"},
        "ec2:RunInstances": {"instancesSet": {"items": [{"minCount": 1, "maxCount": 1}]}, "instanceType": "t3.micro"},
    }
    for action in actions:
        second += DICE.between(6, 11)
        service_name, operation = action.split(":")
        yield event(
            second,
            who,
            renamed.get(action, action),
            ip=GUESSER,
            agent=agent.format(f"{service_name}.{operation}"),
            request=requests.get(action),
            error=denied(who, action),
            from_console=True,
        )


def root_makes_a_user():
    """02:41: root signs in without MFA, from elsewhere, and makes an administrator of its own."""
    began = seconds("02:41:10")
    yield sign_in(began, root(), False, INTRUDER)
    user, key = "svc-backup2", intruder_key()

    def call(at, name, request=None, response=None):
        return event(
            seconds(at), root(began), f"iam:{name}", ip=INTRUDER, request=request, response=response, from_console=True
        )

    made = {
        "path": "/",
        "userName": user,
        "userId": example_id("AIDA", user, 21),
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{user}",
    }
    yield call("02:41:32", "GetAccountSummary")
    yield call("02:42:20", "ListUsers")
    yield call(
        "02:43:05", "CreateUser", {"userName": user}, {"user": {**made, "createDate": long_date(seconds("02:43:05"))}}
    )
    yield call(
        "02:43:48", "AttachUserPolicy", {"userName": user, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    )
    yield call(
        "02:44:31", "CreateAccessKey", {"userName": user}, {"accessKey": access_key(user, key, seconds("02:44:31"))}
    )


def intruder_key():
    return "AKIAI44QH8DHBEXAMPLE"


def intruder(at, call, **more):
    who = iam_user("svc-backup2", access_key=intruder_key())
    return event(seconds(at), who, call, ip=INTRUDER, agent=CLI.format(call.replace(":", ".")), **more)


def door_is_opened():
    """02:52: the new user looks around; 02:58: it opens SSH to the world."""
    yield intruder("02:52:14", "sts:GetCallerIdentity")
    yield intruder("02:52:40", "ec2:DescribeSecurityGroups", request={"securityGroupSet": {}, "filterSet": {}})
    yield intruder("02:53:02", "ec2:DescribeInstanceTypeOfferings", request={"LocationType": "region"})
    rule = {"fromPort": 22, "toPort": 22, "ipProtocol": "tcp"}
    yield intruder(
        "02:58:22",
        "ec2:AuthorizeSecurityGroupIngress",
        request={"groupId": SECURITY_GROUP, "ipPermissions": ssh_from_everywhere()},
        response={
            "_return": True,
            "securityGroupRuleSet": {
                "items": [
                    {
                        "groupOwnerId": ACCOUNT,
                        "groupId": SECURITY_GROUP,
                        "securityGroupRuleId": "sgr-0f1e2d3c4b5a69788",
                        "isEgress": False,
                        **rule,
                        "cidrIpv4": "0.0.0.0/0",
                    }
                ]
            },
        },
    )


def ssh_from_everywhere():
    rule = {"ipProtocol": "tcp", "fromPort": 22, "toPort": 22, "groups": {}, "ipv6Ranges": {}, "prefixListIds": {}}
    return {"items": [{**rule, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}


LAUNCHES_BEGIN, LAUNCH_MINUTES, LAUNCHES_SUCCEED = seconds("03:06"), 5, 9
LAUNCH_COUNTS = [11, 14, 13, 12, 10]


def machines_are_bought():
    """03:06: launches of the largest machines, a dozen a minute, until and after the account's limit is reached."""
    done = 0
    for minute, count in enumerate(LAUNCH_COUNTS):
        for index in range(count):
            second = LAUNCHES_BEGIN + minute * 60 + 2 + index * 55 // count
            instance_type = "c5.8xlarge" if done % 3 else "p3.8xlarge"
            launched = done < LAUNCHES_SUCCEED
            instance = launched_instance(done)
            yield intruder(
                clock(second),
                "ec2:RunInstances",
                request={
                    "instancesSet": {
                        "items": [{"imageId": "ami-0fedcba9876543210", "minCount": 1, "maxCount": 1, "keyName": "k1"}]
                    },
                    "groupSet": {"items": [{"groupId": SECURITY_GROUP}]},
                    "instanceType": instance_type,
                    "clientToken": DICE.uuid(),
                },
                response={"instancesSet": {"items": [{"instanceId": instance, "instanceType": instance_type}]}}
                if launched
                else None,
                error=None
                if launched
                else (
                    "Client.VcpuLimitExceeded",
                    "You have requested more vCPU capacity than your current vCPU limit of 256 allows for the instance "
                    "bucket that the specified instance type belongs to.",
                ),
            )
            done += 1


def launched_instance(number):
    return f"i-0{digest_of(f'launched {number}').hex()[:16]}"


def traces_and_data():
    """03:14 to 03:33: a trail is stopped, a bucket opened to another account and emptied, its key condemned.

    The event of the opened bucket is held up on its way and says so in its `addendum`.
    """
    trail = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/management-events"
    yield intruder("03:14:40", "cloudtrail:StopLogging", request={"name": trail})
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{STRANGER_ACCOUNT}:root"},
                "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": [f"arn:aws:s3:::{EXPORTS}", f"arn:aws:s3:::{EXPORTS}/*"],
            }
        ],
    }
    host = f"{EXPORTS}.s3.us-east-1.amazonaws.com"
    yield intruder(
        "03:21:17",
        "s3:PutBucketPolicy",
        request={"bucketName": EXPORTS, "bucketPolicy": policy, "policy": "", "Host": host},
        resources=[("AWS::S3::Bucket", f"arn:aws:s3:::{EXPORTS}")],
        addendum={"reason": "DELIVERY_DELAY"},
        deliveries=["04:15"],
    )
    second = seconds("03:25:03")
    for index in range(40):
        yield object_call(
            second,
            {
                "type": "AWSAccount",
                "principalId": f"{example_id('AROA', 'sync', 21)}:sync",
                "accountId": STRANGER_ACCOUNT,
            },
            "GetObject",
            EXPORTS,
            f"customers/2026-02-28/part-{index:04}.parquet",
            DICE.between(2_400_000, 5_100_000),
            ip=DOWNLOADER,
            agent=f"[{CLI.format('s3.sync')}]",
            shared=True,
        )
        second += DICE.between(6, 11)
    key = {"keyId": KEY_ARN, "keyState": "PendingDeletion", "deletionDate": long_date(seconds("03:33:40") + 7 * 86400)}
    yield intruder(
        "03:33:40",
        "kms:ScheduleKeyDeletion",
        request={"keyId": KEY_ID, "pendingWindowInDays": 7},
        response={**key, "pendingWindowInDays": 7},
        resources=[("AWS::KMS::Key", KEY_ARN)],
    )


def dana_cleans_up():
    """04:18: Dana signs in with MFA and takes back, step by step, what was done."""
    began = seconds("04:18:40")
    yield from sign_in_with_mfa(began, "dana")
    who = iam_user("dana", session_at=began, mfa=True)
    trail = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/management-events"
    launched = [{"instanceId": launched_instance(number)} for number in range(LAUNCHES_SUCCEED)]
    for at, call, request in [
        (
            "04:21:02",
            "cloudtrail:LookupEvents",
            {"lookupAttributes": [{"attributeKey": "Username", "attributeValue": "svc-backup2"}]},
        ),
        ("04:30:05", "cloudtrail:StartLogging", {"name": trail}),
        (
            "04:31:40",
            "ec2:RevokeSecurityGroupIngress",
            {"groupId": SECURITY_GROUP, "ipPermissions": ssh_from_everywhere()},
        ),
        (
            "04:33:02",
            "iam:DetachUserPolicy",
            {"userName": "svc-backup2", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        ),
        (
            "04:33:45",
            "iam:UpdateAccessKey",
            {"userName": "svc-backup2", "status": "Inactive", "accessKeyId": intruder_key()},
        ),
        ("04:35:20", "s3:DeleteBucketPolicy", {"bucketName": EXPORTS, "Host": f"{EXPORTS}.s3.us-east-1.amazonaws.com"}),
        ("04:37:11", "kms:CancelKeyDeletion", {"keyId": KEY_ID}),
        ("04:39:30", "ec2:TerminateInstances", {"instancesSet": {"items": launched}}),
    ]:
        yield event(seconds(at), who, call, request=request, from_console=True)


def insights():
    """What CloudTrail Insights says about the launches: a Start and an End record, each in its own delivery."""
    shared = DICE.uuid()
    attacker = f"arn:aws:iam::{ACCOUNT}:user/svc-backup2"
    scaler = f"arn:aws:sts::{ACCOUNT}:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling"
    usual = 0.0013888889
    agent = CLI.format("ec2.RunInstances")
    mean = sum(LAUNCH_COUNTS) / LAUNCH_MINUTES

    def record(state, second, rate, duration, accepted):
        per_minute = rate / sum(LAUNCH_COUNTS[:duration])
        codes = [("Client.VcpuLimitExceeded", rate - accepted * per_minute), ("null", accepted * per_minute)]
        codes = sorted((pair for pair in codes if pair[1] > 0), key=lambda pair: -pair[1])
        attributions = [
            ("userIdentityArn", [(attacker, rate)], [(scaler, usual)]),
            ("userAgent", [(agent, rate)], [("autoscaling.amazonaws.com", usual)]),
            ("errorCode", codes, [("null", usual)]),
        ]
        return {
            "eventVersion": "1.08",
            "eventTime": timestamp(second),
            "awsRegion": HOME_REGION,
            "eventID": DICE.uuid(),
            "eventType": "AwsCloudTrailInsight",
            "recipientAccountId": ACCOUNT,
            "sharedEventID": shared,
            "insightDetails": {
                "state": state,
                "eventSource": "ec2.amazonaws.com",
                "eventName": "RunInstances",
                "insightType": "ApiCallRateInsight",
                "insightContext": {
                    "statistics": {
                        "baseline": {"average": usual},
                        "insight": {"average": round(rate, 10)},
                        "insightDuration": duration,
                        "baselineDuration": 10080,
                    },
                    "attributions": [
                        {"attribute": name, "insight": averages(unusual), "baseline": averages(normal)}
                        for name, unusual, normal in attributions
                    ],
                },
            },
            "eventCategory": "Insight",
        }

    end = LAUNCHES_BEGIN + LAUNCH_MINUTES * 60
    started = record("Start", LAUNCHES_BEGIN, float(LAUNCH_COUNTS[0]), 1, min(LAUNCHES_SUCCEED, LAUNCH_COUNTS[0]))
    ended = record("End", end, mean, LAUNCH_MINUTES, LAUNCHES_SUCCEED)
    return [(seconds("03:30"), started), (seconds("03:40"), ended)]


def averages(pairs):
    return [{"value": value, "average": round(average, 10)} for value, average in pairs]


# --- Delivery ---------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class LogFile:
    key: str
    region: str
    delivered: int
    text: bytes
    times: list


def delivery_times(region):
    """When log files arrive: in the quiet seldom, in us-east-1 during the story every five minutes."""
    if region == "us-east-1":
        quiet, busy = range(0, 86400, 900), range(seconds("02:00"), seconds("04:50"), 300)
        times = {*quiet, *busy}
    elif region == "eu-west-1":
        times = set(range(seconds("00:10"), 86400, 1800))
    else:
        times = set(range(seconds("00:25"), 86400, 3600))
    return sorted(times - {0} | {seconds("23:55")})


def deliver(events):
    """Puts each event into the log file of its delivery: mostly minutes after it happened, sometimes much later."""
    batches = {(region, time): [] for region in REGIONS for time in delivery_times(region)}
    for one in sorted(events, key=lambda one: (one.second, one.record["eventID"])):
        for time in [seconds(minute) for minute in one.deliveries or []] or [usual_delivery(one)]:
            batches[one.region, time].append(one.record)
    for (region, time), records in sorted(batches.items()):
        if records:
            # Records of a log file are in no order.
            records.sort(key=lambda record: digest_of(record["eventID"]))
            yield log_file("CloudTrail", region, time, records)


def usual_delivery(one):
    delay = DICE.between(1200, 2400) if DICE.one_in(60) else DICE.between(70, 300)
    times = delivery_times(one.region)
    return next((time for time in times if time >= one.second + delay), times[-1])


def log_file(folder, region, delivered, records):
    minute = timestamp(delivered).replace("-", "").replace(":", "")[:13] + "Z"
    name = f"{ACCOUNT}_{folder}_{region}_{minute}_{DICE.token(16, ALPHANUMERIC)}.json.gz"
    text = compact({"Records": records})
    times = sorted(record["eventTime"] for record in records)
    return LogFile(f"AWSLogs/{ACCOUNT}/{folder}/{region}/2026/03/02/{name}", region, delivered, text, times)


ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def digests(log_files):
    """Hourly digest files for each region. They say what was delivered; nobody signed them."""
    for region, end_of_hour in zip(REGIONS, ["57:12", "56:40", "58:25"], strict=True):
        previous = None
        minute, second = (int(part) for part in end_of_hour.split(":"))
        for hour in range(24):
            end = hour * 3600 + minute * 60 + second
            listed = [one for one in log_files if one.region == region and end - 3600 <= one.delivered < end]
            digest = digest_file(region, end, listed, previous)
            yield digest
            previous = digest


def digest_file(region, end, listed, previous):
    stamp = timestamp(end).replace("-", "").replace(":", "")
    name = f"{ACCOUNT}_CloudTrail-Digest_{region}_{TRAIL}_{HOME_REGION}_{stamp}.json.gz"
    key = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{region}/2026/03/02/{name}"
    times = sorted(time for one in listed for time in one.times)
    text = compact(
        {
            "awsAccountId": ACCOUNT,
            "digestStartTime": timestamp(end - 3600),
            "digestEndTime": timestamp(end),
            "digestS3Bucket": TRAIL_BUCKET,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": digest_of(f"public key {region}").hex()[:32],
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": times[-1] if times else None,
            "oldestEventTime": times[0] if times else None,
            "previousDigestS3Bucket": TRAIL_BUCKET if previous else None,
            "previousDigestS3Object": previous.key if previous else None,
            "previousDigestHashValue": hashlib.sha256(previous.text).hexdigest() if previous else None,
            "previousDigestHashAlgorithm": "SHA-256" if previous else None,
            "previousDigestSignature": None,
            "logFiles": [
                {
                    "s3Bucket": TRAIL_BUCKET,
                    "s3Object": one.key,
                    "hashValue": hashlib.sha256(one.text).hexdigest(),
                    "hashAlgorithm": "SHA-256",
                    "newestEventTime": one.times[-1],
                    "oldestEventTime": one.times[0],
                }
                for one in listed
            ],
        }
    )
    return LogFile(key, region, end, text, times)


def write(files):
    shutil.rmtree(HERE / "AWSLogs", ignore_errors=True)
    for one in files:
        path = HERE / one.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(one.text, compresslevel=9, mtime=0))


# --- What is to be found ----------------------------------------------------------------------------------------------


def named(*names, source=None):
    """Looks for events by name and, where the filter does, by source."""
    wanted_source = source and f"{source}.amazonaws.com"
    return lambda record: record["eventName"] in names and wanted_source in (None, record["eventSource"])


def member(record, path):
    for name in path.split("."):
        record = record.get(name) if isinstance(record, dict) else None
    return record


def refused(record):
    code = record.get("errorCode", "")
    left_out = record["sourceIPAddress"] == "delivery.logs.amazonaws.com" or record["eventName"] == "HeadBucket"
    return (code.endswith("UnauthorizedOperation") or code.startswith("AccessDenied")) and not left_out


def large_launch(record):
    size = member(record, "requestParameters.instanceType") or ""
    return record["eventName"] == "RunInstances" and size.endswith((".4xlarge", ".8xlarge"))


def without_mfa(record):
    return member(record, "userIdentity.sessionContext.attributes.mfaAuthenticated") == "false"


def root_used(record):
    identity = record["userIdentity"]
    return identity.get("type") == "Root" and "invokedBy" not in identity and record["eventType"] != "AwsServiceEvent"


IAM_POLICY_CALLS = [
    *(f"{verb}{kind}Policy" for verb in ["Put", "Delete", "Attach", "Detach"] for kind in ["User", "Role", "Group"]),
    *["CreatePolicy", "DeletePolicy", "CreatePolicyVersion", "DeletePolicyVersion"],
]
BUCKET_CALLS = ["PutBucketAcl"] + [
    f"{verb}Bucket{what}" for verb in ["Put", "Delete"] for what in ["Policy", "Cors", "Lifecycle", "Replication"]
]
GROUP_CALLS = [f"{verb}SecurityGroup{way}" for verb in ["Authorize", "Revoke"] for way in ["Ingress", "Egress"]]
INSTANCE_CALLS = ["RunInstances", "RebootInstances", "StartInstances", "StopInstances", "TerminateInstances"]

# Filter, does it look at this record, threshold in five minutes, shadow mode: the built-in filters, profile
# `recommended`.
EXPECTED = [
    (
        "ConsoleSignInFailures",
        lambda r: r["eventName"] == "ConsoleLogin" and r.get("errorMessage") == "Failed authentication",
        3,
        False,
    ),
    (
        "ConsoleSignInWithoutMfa",
        lambda r: r["eventName"] == "ConsoleLogin" and r["additionalEventData"]["MFAUsed"] == "No",
        1,
        True,
    ),
    (
        "ConsoleSignInNotWithMfa",
        lambda r: r["eventName"] == "ConsoleLogin" and r["additionalEventData"]["MFAUsed"] != "Yes",
        1,
        False,
    ),
    ("RootAccountUsage", root_used, 1, False),
    ("ApiActivityWithoutMFA", without_mfa, 1, True),
    ("AuthorizationFailures", refused, 10, False),
    ("IAMPolicyChanges", named(*IAM_POLICY_CALLS), 1, False),
    ("CloudTrailChanges", named("CreateTrail", "UpdateTrail", "DeleteTrail", "StartLogging", "StopLogging"), 1, False),
    (
        "ConfigChanges",
        lambda r: r["eventSource"] == "config.amazonaws.com" and r["eventName"].startswith(("Stop", "Delete", "Put")),
        1,
        False,
    ),
    ("KmsKeyDisableOrDelete", named("DisableKey", "ScheduleKeyDeletion", source="kms"), 1, False),
    (
        "OrganizationsChanges",
        lambda r: r["eventSource"] == "organizations.amazonaws.com" and not r["readOnly"],
        1,
        False,
    ),
    ("S3BucketActivity", named(*BUCKET_CALLS, source="s3"), 1, False),
    (
        "SecurityGroupEvents",
        named(*GROUP_CALLS, "CreateSecurityGroup", "DeleteSecurityGroup", "ModifySecurityGroupRules"),
        1,
        False,
    ),
    ("NetworkACLEvents", lambda r: "NetworkAcl" in r["eventName"] and not r["readOnly"], 1, False),
    ("GatewayChanges", lambda r: "Gateway" in r["eventName"] and not r["readOnly"], 1, False),
    ("RouteTableChanges", lambda r: "Route" in r["eventName"] and not r["readOnly"], 1, False),
    ("VpcChanges", lambda r: "Vpc" in r["eventName"] and not r["readOnly"], 1, False),
    (
        "EC2InstanceChanges",
        lambda r: r["eventSource"] == "ec2.amazonaws.com" and r["eventName"] in INSTANCE_CALLS,
        1,
        True,
    ),
    ("EC2LargeInstanceChanges", large_launch, 1, False),
]

# The same for filters.yaml: filter, does it look, is a match suppressed, what a match is worth, threshold.
OWN_EXPECTED = [
    (
        "AccessKeyMade",
        lambda r: named("CreateAccessKey", source="iam")(r) and "errorCode" not in r,
        lambda r: member(r, "userIdentity.sessionContext.sessionIssuer.userName") == "DeployRole",
        lambda r: 1,
        1,
    ),
    (
        "CustomerExportsRead",
        lambda r: named("GetObject", source="s3")(r) and r["requestParameters"]["bucketName"] == EXPORTS,
        lambda r: False,
        lambda r: r["additionalEventData"]["bytesTransferredOut"],
        50_000_000,
    ),
    (
        "LaunchesOverTheLimit",
        lambda r: named("RunInstances", source="ec2")(r) and r.get("errorCode", "").endswith("LimitExceeded"),
        lambda r: False,
        lambda r: 1,
        None,
    ),
]


def alarms(samples, threshold, period=300):
    """Sliding windows: each sample opens a span of five minutes.

    Breaching spans that lie less than a period apart are one alarm. Gives the first and last event and the number of
    events of each alarm.
    """
    starts = [at for at, _ in samples if sum(value for time, value in samples if at <= time < at + period) >= threshold]
    groups = []
    for start in starts:
        if groups and start < groups[-1][-1] + 2 * period:
            groups[-1].append(start)
        else:
            groups.append([start])
    for group in groups:
        times = [time for time, _ in samples if any(start <= time < start + period for start in group)]
        yield times[0], times[-1], len(times)


def distinct(events):
    """One record per event: a second delivery is the same event."""
    return list({one.record["eventID"]: one for one in events}.values())


def alarm_table(events):
    lines = ["| filter | alarm | first event | last event | events |", "| --- | --- | --- | --- | ---: |"]
    silent = []
    for name, looks_at, threshold, shadow in EXPECTED:
        samples = sorted((one.second, 1) for one in events if looks_at(one.record))
        found = list(alarms(samples, threshold))
        for first, last, count in found:
            lines.append(f"| {name} | {'shadow' if shadow else 'told'} | {clock(first)} | {clock(last)} | {count} |")
        if not found:
            silent.append(name + (f" ({len(samples)} events below its threshold)" if samples else ""))
    return lines + ["", "Silent: " + ", ".join(silent) + "."]


def own_table(events):
    lines = [
        "| filter | matches | of these suppressed | alarm: first event | last event | events |",
        "| --- | ---: | ---: | --- | --- | ---: |",
    ]
    for name, looks_at, is_suppressed, worth, threshold in OWN_EXPECTED:
        matches = [one for one in events if looks_at(one.record)]
        kept = [one for one in matches if not is_suppressed(one.record)]
        samples = sorted((one.second, worth(one.record)) for one in kept)
        begin = f"| {name} | {len(matches)} | {len(matches) - len(kept)} |"
        if threshold is None:
            lines.append(f"{begin} has no alarm | | |")
        else:
            lines += [
                f"{begin} {clock(first)} | {clock(last)} | {count} |"
                for first, last, count in alarms(samples, threshold)
            ]
    return lines


def contents_table(events, logs, insight_files, digest_files):
    delivered = sum(len(one.times) for one in logs)
    rows = [
        ("log files", len(logs), f"{delivered} records, {len(events)} distinct events"),
        ("Insights files", len(insight_files), f"{len(insight_files)} records"),
        ("digest files", len(digest_files), "one an hour for each region, without signatures"),
    ]
    return ["| files | number | contents |", "| --- | ---: | --- |", *(f"| {a} | {b} | {c} |" for a, b, c in rows)]


def write_tables(tables):
    readme = HERE / "README.md"
    text = readme.read_text()
    for name, lines in tables.items():
        begin, end = f"<!-- {name}: written by make_samples.py -->", f"<!-- end of {name} -->"
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = before + begin + "\n\n" + "\n".join(lines) + "\n\n" + end + after
    readme.write_text(text)


def stale(files):
    """The files that lie in the tree and hold something else than what would be written, or are missing or too many."""
    there = {path.relative_to(HERE).as_posix(): path for path in (HERE / "AWSLogs").rglob("*.json.gz")}
    wanted = {one.key: one.text for one in files}
    differ = (key for key, text in wanted.items() if key in there and gzip.decompress(there[key].read_bytes()) != text)
    return sorted([*differ, *(wanted.keys() ^ there.keys())])


def main():
    check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not check:
        sys.exit(__doc__)
    events = [*everyday(), *story()]
    logs = list(deliver(events))
    insight_files = [log_file("CloudTrail-Insight", HOME_REGION, time, [record]) for time, record in insights()]
    digest_files = list(digests(logs + insight_files))
    files = logs + insight_files + digest_files
    if check:
        wrong = stale(files)
        if wrong:
            sys.exit("not what make_samples.py makes:\n" + "\n".join(wrong))
        print(f"{len(files)} files are what make_samples.py makes")
        return
    write(files)
    events = distinct(events)
    write_tables(
        {
            "contents": contents_table(events, logs, insight_files, digest_files),
            "alarms": alarm_table(events),
            "own filters": own_table(events),
        }
    )


if __name__ == "__main__":
    main()
