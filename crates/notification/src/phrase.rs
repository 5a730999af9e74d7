//! What well-known calls are called in a sentence, and where their target and detail are found.
//!
//! Names of calls: the service authorization reference of each service; where the names of targets
//! stand: the records themselves.

use crate::detail;
use crate::request::{Place, Request};
use crate::words::with_article;

/// How one call is told: `stopped` + `logging on {target}`.
#[derive(Debug)]
pub(crate) struct Phrase {
    /// The service as in `ec2:RunInstances`.
    service: &'static str,
    /// The event name.
    name: &'static str,
    /// What was done: `stopped`.
    pub(crate) done: &'static str,
    /// What was tried: `stop`.
    pub(crate) to_do: &'static str,
    /// The rest of the phrase with `{target}` and `{detail}`; what stands in brackets is left out
    /// where the part in it is not known.
    rest: &'static str,
    targets: &'static [Place],
    detail: Detail,
}

/// Where the telling detail of a call is found.
#[derive(Debug)]
enum Detail {
    None,
    /// Names on one of these paths, with the noun they go by.
    Named(&'static str, &'static [&'static str]),
    /// What this function says, with the noun it goes by.
    Told(&'static str, fn(Request<'_>) -> Option<String>),
    /// The same, with a number in front that is added up over the calls told together.
    Counted(fn(Request<'_>) -> Option<String>),
}

impl Phrase {
    /// The phrase for a call, if it is a well-known one. `source` is its `eventSource`, or empty.
    pub(crate) fn find(source: &str, name: &str) -> Option<&'static Phrase> {
        let service = service(source);
        PHRASES
            .iter()
            .find(|phrase| phrase.name == name && (service.is_empty() || phrase.service == service))
    }

    /// What the call was made on, with its noun: `trail management-events`.
    pub(crate) fn target(&self, request: Request<'_>) -> Option<String> {
        request.target(self.targets)
    }

    /// The telling detail: `TCP 22 from 0.0.0.0/0`, `AdministratorAccess`.
    pub(crate) fn detail(&self, request: Request<'_>) -> Option<String> {
        match self.detail {
            Detail::None => None,
            Detail::Named(_, paths) => request.text(paths).map(|name| crate::request::short(&name)),
            Detail::Told(_, tell) | Detail::Counted(tell) => tell(request),
        }
    }

    /// The nouns targets go by.
    pub(crate) fn target_nouns(&self) -> impl Iterator<Item = &'static str> {
        self.targets.iter().map(|(noun, _)| *noun)
    }

    /// The noun details go by; empty if they stand alone.
    pub(crate) fn detail_noun(&self) -> &'static str {
        match self.detail {
            Detail::Named(noun, _) | Detail::Told(noun, _) => noun,
            Detail::None | Detail::Counted(_) => "",
        }
    }

    /// Do details begin with a number that is added up?
    pub(crate) fn counts(&self) -> bool {
        matches!(self.detail, Detail::Counted(_))
    }

    /// What stands before every target, if nothing in it differs from call to call.
    pub(crate) fn before_target(&self) -> Option<&'static str> {
        let (before, _) = self.rest.split_once("{target}")?;
        (!before.contains(['{', '['])).then_some(before)
    }

    /// The rest of the phrase with target and detail put in.
    pub(crate) fn rest(&self, target: Option<&str>, detail: Option<&str>) -> String {
        let is_known = |part: &str| match part.contains("{target}") {
            true => target.is_some(),
            false => detail.is_some(),
        };
        let some_target = || self.targets.first().map(|(noun, _)| with_article(noun));
        let shown_target = target.map(String::from).or_else(some_target);
        let some_detail = match self.detail {
            Detail::Named(noun, _) | Detail::Told(noun, _) => with_article(noun),
            Detail::None | Detail::Counted(_) => String::new(),
        };
        let mut rest = String::new();
        for (index, part) in self.rest.split(['[', ']']).enumerate() {
            if index % 2 == 1 && !is_known(part) {
                continue;
            }
            for piece in part.split('{') {
                if let Some(literal) = piece.strip_prefix("target}") {
                    rest.push_str(shown_target.as_deref().unwrap_or_default());
                    rest.push_str(literal);
                } else if let Some(literal) = piece.strip_prefix("detail}") {
                    rest.push_str(detail.unwrap_or(&some_detail));
                    rest.push_str(literal);
                } else {
                    rest.push_str(piece);
                }
            }
        }
        rest
    }
}

/// `ec2` of `ec2.amazonaws.com`.
pub(crate) fn service(source: &str) -> &str {
    let mut parts = source
        .match_indices('.')
        .map(|(dot, _)| source.split_at(dot));
    let service = parts.find(|(_, rest)| rest.starts_with(".amazonaws.com"));
    service.map_or(source, |(service, _)| service)
}

/// What any other call was made on.
pub(crate) fn any_target(request: Request<'_>) -> Option<String> {
    request.target(ANYTHING).or_else(|| request.resources())
}

/// The nouns of [`any_target`].
pub(crate) fn any_target_nouns() -> impl Iterator<Item = &'static str> {
    ANYTHING.iter().map(|(noun, _)| *noun)
}

/// Members that name what a call was made on, whatever the service; the most telling first.
const ANYTHING: &[Place] = &[
    ("bucket", "bucketName"),
    ("function", "functionName"),
    ("secret", "secretId"),
    ("policy", "policyArn"),
    ("user", "userName"),
    ("role", "roleName"),
    ("role", "roleArn"),
    ("group", "groupName"),
    ("instance profile", "instanceProfileName"),
    ("table", "tableName"),
    ("database", "dBInstanceIdentifier"),
    ("database cluster", "dBClusterIdentifier"),
    ("database snapshot", "dBSnapshotIdentifier"),
    ("key", "keyId"),
    ("trail", "trailName"),
    ("log group", "logGroupName"),
    ("stack", "stackName"),
    ("cluster", "clusterName"),
    ("repository", "repositoryName"),
    ("topic", "topicArn"),
    ("queue", "queueUrl"),
    ("detector", "detectorId"),
    ("instance", "instanceId"),
    ("instance", "instancesSet.items.instanceId"),
    ("image", "imageId"),
    ("snapshot", "snapshotId"),
    ("volume", "volumeId"),
    ("security group", "groupId"),
    ("subnet", "subnetId"),
    ("VPC", "vpcId"),
    ("model", "modelId"),
    ("document", "documentName"),
    ("resource", "resourceArn"),
    ("resource", "resourceId"),
];

const NOTHING: &[Place] = &[];
const TRAIL: &[Place] = &[("trail", "name"), ("trail", "trailName")];
const USER: &[Place] = &[("user", "userName")];
const KEY_OWNER: &[Place] = &[("user", "userName"), ("user", ">accessKey.userName")];
const ROLE: &[Place] = &[("role", "roleName")];
const GROUP: &[Place] = &[("group", "groupName")];
const POLICY: &[Place] = &[("policy", "policyName"), ("policy", "policyArn")];
const SECURITY_GROUP: &[Place] = &[
    ("security group", "groupId"),
    ("security group", ">groupId"),
    ("security group", "groupName"),
    ("security group", "ModifySecurityGroupRulesRequest.GroupId"),
];
const NEW_SECURITY_GROUP: &[Place] = &[
    ("security group", "groupName"),
    ("security group", ">groupId"),
];
const NETWORK_ACL: &[Place] = &[
    ("network ACL", "networkAclId"),
    ("network ACL", ">networkAcl.networkAclId"),
];
const CUSTOMER_GATEWAY: &[Place] = &[
    ("customer gateway", "customerGatewayId"),
    ("customer gateway", ">customerGateway.customerGatewayId"),
];
const INTERNET_GATEWAY: &[Place] = &[
    ("internet gateway", "internetGatewayId"),
    ("internet gateway", ">internetGateway.internetGatewayId"),
];
const ROUTE_TABLE: &[Place] = &[
    ("route table", "routeTableId"),
    ("route table", ">routeTable.routeTableId"),
];
const ASSOCIATION: &[Place] = &[("association", "associationId")];
const VPC: &[Place] = &[("VPC", "vpcId"), ("VPC", ">vpc.vpcId")];
const PEERING: &[Place] = &[
    ("VPC peering connection", "vpcPeeringConnectionId"),
    (
        "VPC peering connection",
        ">vpcPeeringConnection.vpcPeeringConnectionId",
    ),
];
const BUCKET: &[Place] = &[("bucket", "bucketName")];
const KEY: &[Place] = &[("key", "keyId"), ("key", ">keyId")];
const RECORDER: &[Place] = &[
    ("configuration recorder", "configurationRecorderName"),
    ("configuration recorder", "configurationRecorder.name"),
];
const CHANNEL: &[Place] = &[
    ("delivery channel", "deliveryChannelName"),
    ("delivery channel", "deliveryChannel.name"),
];
const INSTANCES: &[Place] = &[("instance", "instancesSet.items.instanceId")];
const LAUNCHED: &[Place] = &[
    ("instances", ""),
    ("instance", ">instancesSet.items.instanceId"),
];
const ORGANIZATION_TARGET: &[Place] = &[("target", "targetId")];
const ORGANIZATION_POLICY: &[Place] = &[
    ("organization policy", "policyId"),
    ("organization policy", "name"),
];
const UNIT: &[Place] = &[
    ("organizational unit", "name"),
    ("organizational unit", "organizationalUnitId"),
];
const ACCOUNT: &[Place] = &[
    ("account", "accountId"),
    ("account", "target.id"),
    ("account", "accountName"),
];
const HANDSHAKE: &[Place] = &[("handshake", "handshakeId")];
const ROOT_ID: &[Place] = &[("organization root", "rootId")];
const SECRET: &[Place] = &[("secret", "secretId"), ("secret", "name")];
const PARAMETER: &[Place] = &[("parameter", "name"), ("parameter", "names")];
const IMAGE: &[Place] = &[("image", "imageId")];
const SNAPSHOT: &[Place] = &[
    ("snapshot", "snapshotId"),
    ("snapshot", "dBSnapshotIdentifier"),
];
const ONE_INSTANCE: &[Place] = &[("instance", "instanceId")];
const SESSION_TARGET: &[Place] = &[("instance", "target"), ("instance", "instanceIds")];
const ASSUMED_ROLE: &[Place] = &[("role", "roleArn")];
const FUNCTION: &[Place] = &[("function", "functionName")];
const FLOW_LOG: &[Place] = &[
    ("flow log", "flowLogIds.items"),
    ("flow log", "DeleteFlowLogsRequest.FlowLogId.content"),
];
const DETECTOR: &[Place] = &[("GuardDuty detector", "detectorId")];

const MANAGED: Detail = Detail::Named("policy", &["policyArn"]);
const INLINE: Detail = Detail::Told("inline policy", detail::inline_policy);
const INLINE_NAME: Detail = Detail::Named("inline policy", &["policyName"]);
const INBOUND: Detail = Detail::Told("", detail::inbound_rules);
const OUTBOUND: Detail = Detail::Told("", detail::outbound_rules);
const IN_VPC: Detail = Detail::Named("VPC", &["vpcId"]);
const ACL_ENTRY: Detail = Detail::Told("", detail::acl_entry);
const A_ROUTE: Detail = Detail::Told("", detail::route);
const LET_IN: Detail = Detail::Told("", detail::let_in);
const SHARED: Detail = Detail::Told("", detail::shared_with);
const TO_GROUP: Detail = Detail::Named("group", &["groupName"]);
const ORGANIZATION_POLICY_NAME: Detail = Detail::Named("organization policy", &["policyId"]);

const fn phrase(
    service: &'static str,
    name: &'static str,
    done: &'static str,
    to_do: &'static str,
    rest: &'static str,
    targets: &'static [Place],
    detail: Detail,
) -> Phrase {
    Phrase {
        service,
        name,
        done,
        to_do,
        rest,
        targets,
        detail,
    }
}

#[rustfmt::skip]
static PHRASES: &[Phrase] = &[
    // Signing in.
    phrase("signin", "ConsoleLogin", "signed", "sign", "in to the console", NOTHING, Detail::None),
    phrase("signin", "SwitchRole", "switched", "switch", "role in the console", NOTHING, Detail::None),
    phrase("signin", "CheckMfa", "passed", "pass", "the MFA check of a console sign-in", NOTHING, Detail::None),
    phrase("signin", "PasswordUpdated", "changed", "change", "the password of the root user", NOTHING, Detail::None),
    phrase("signin", "PasswordRecoveryRequested", "asked", "ask", "for a new password of the root user", NOTHING, Detail::None),
    phrase("signin", "PasswordRecoveryCompleted", "set", "set", "a new password of the root user", NOTHING, Detail::None),
    phrase("signin", "EmailUpdated", "changed", "change", "the mail address of the root user", NOTHING, Detail::None),

    // Trails.
    phrase("cloudtrail", "CreateTrail", "created", "create", "{target}", TRAIL, Detail::None),
    phrase("cloudtrail", "UpdateTrail", "changed", "change", "{target}", TRAIL, Detail::None),
    phrase("cloudtrail", "DeleteTrail", "deleted", "delete", "{target}", TRAIL, Detail::None),
    phrase("cloudtrail", "StartLogging", "started", "start", "logging on {target}", TRAIL, Detail::None),
    phrase("cloudtrail", "StopLogging", "stopped", "stop", "logging on {target}", TRAIL, Detail::None),
    phrase("cloudtrail", "PutEventSelectors", "changed", "change", "what {target} records", TRAIL, Detail::None),
    phrase("cloudtrail", "PutInsightSelectors", "changed", "change", "the Insights of {target}", TRAIL, Detail::None),

    // IAM policies.
    phrase("iam", "PutUserPolicy", "put", "put", "{detail} on {target}", USER, INLINE),
    phrase("iam", "PutRolePolicy", "put", "put", "{detail} on {target}", ROLE, INLINE),
    phrase("iam", "PutGroupPolicy", "put", "put", "{detail} on {target}", GROUP, INLINE),
    phrase("iam", "DeleteUserPolicy", "deleted", "delete", "{detail} of {target}", USER, INLINE_NAME),
    phrase("iam", "DeleteRolePolicy", "deleted", "delete", "{detail} of {target}", ROLE, INLINE_NAME),
    phrase("iam", "DeleteGroupPolicy", "deleted", "delete", "{detail} of {target}", GROUP, INLINE_NAME),
    phrase("iam", "CreatePolicy", "created", "create", "{target}[, {detail}]", POLICY, Detail::Told("", detail::managed_policy)),
    phrase("iam", "DeletePolicy", "deleted", "delete", "{target}", POLICY, Detail::None),
    phrase("iam", "CreatePolicyVersion", "created", "create", "a new version of {target}[ {detail}]", POLICY, Detail::Told("", detail::policy_version)),
    phrase("iam", "DeletePolicyVersion", "deleted", "delete", "{detail} of {target}", POLICY, Detail::Named("version", &["versionId"])),
    phrase("iam", "SetDefaultPolicyVersion", "made", "make", "{detail} the default of {target}", POLICY, Detail::Named("version", &["versionId"])),
    phrase("iam", "AttachUserPolicy", "attached", "attach", "{detail} to {target}", USER, MANAGED),
    phrase("iam", "AttachRolePolicy", "attached", "attach", "{detail} to {target}", ROLE, MANAGED),
    phrase("iam", "AttachGroupPolicy", "attached", "attach", "{detail} to {target}", GROUP, MANAGED),
    phrase("iam", "DetachUserPolicy", "detached", "detach", "{detail} from {target}", USER, MANAGED),
    phrase("iam", "DetachRolePolicy", "detached", "detach", "{detail} from {target}", ROLE, MANAGED),
    phrase("iam", "DetachGroupPolicy", "detached", "detach", "{detail} from {target}", GROUP, MANAGED),

    // IAM identities.
    phrase("iam", "CreateUser", "created", "create", "{target}", USER, Detail::None),
    phrase("iam", "DeleteUser", "deleted", "delete", "{target}", USER, Detail::None),
    phrase("iam", "CreateRole", "created", "create", "{target}[, to be assumed by {detail}]", ROLE, LET_IN),
    phrase("iam", "DeleteRole", "deleted", "delete", "{target}", ROLE, Detail::None),
    phrase("iam", "UpdateAssumeRolePolicy", "changed", "change", "who may assume {target}[ (to {detail})]", ROLE, LET_IN),
    phrase("iam", "CreateAccessKey", "created", "create", "an access key[ for {target}]", KEY_OWNER, Detail::None),
    phrase("iam", "DeleteAccessKey", "deleted", "delete", "an access key of {target}", USER, Detail::None),
    phrase("iam", "UpdateAccessKey", "changed", "change", "an access key of {target}", USER, Detail::None),
    phrase("iam", "CreateLoginProfile", "created", "create", "a console password for {target}", USER, Detail::None),
    phrase("iam", "UpdateLoginProfile", "changed", "change", "the console password of {target}", USER, Detail::None),
    phrase("iam", "DeleteLoginProfile", "deleted", "delete", "the console password of {target}", USER, Detail::None),
    phrase("iam", "AddUserToGroup", "added", "add", "{target} to {detail}", USER, TO_GROUP),
    phrase("iam", "RemoveUserFromGroup", "removed", "remove", "{target} from {detail}", USER, TO_GROUP),
    phrase("iam", "DeactivateMFADevice", "deactivated", "deactivate", "an MFA device of {target}", USER, Detail::None),
    phrase("iam", "EnableMFADevice", "enabled", "enable", "an MFA device for {target}", USER, Detail::None),
    phrase("iam", "UpdateAccountPasswordPolicy", "changed", "change", "the password policy", NOTHING, Detail::None),
    phrase("iam", "DeleteAccountPasswordPolicy", "deleted", "delete", "the password policy", NOTHING, Detail::None),
    phrase("sts", "AssumeRole", "assumed", "assume", "{target}", ASSUMED_ROLE, Detail::None),
    phrase("sts", "AssumeRoleWithSAML", "assumed", "assume", "{target}", ASSUMED_ROLE, Detail::None),
    phrase("sts", "AssumeRoleWithWebIdentity", "assumed", "assume", "{target}", ASSUMED_ROLE, Detail::None),

    // Security groups.
    phrase("ec2", "AuthorizeSecurityGroupIngress", "opened", "open", "{target}[ ({detail})]", SECURITY_GROUP, INBOUND),
    phrase("ec2", "AuthorizeSecurityGroupEgress", "allowed", "allow", "outbound traffic of {target}[ ({detail})]", SECURITY_GROUP, OUTBOUND),
    phrase("ec2", "RevokeSecurityGroupIngress", "closed", "close", "{target}[ ({detail})]", SECURITY_GROUP, INBOUND),
    phrase("ec2", "RevokeSecurityGroupEgress", "revoked", "revoke", "outbound traffic of {target}[ ({detail})]", SECURITY_GROUP, OUTBOUND),
    phrase("ec2", "ModifySecurityGroupRules", "changed", "change", "the rules of {target}[ ({detail})]", SECURITY_GROUP, Detail::Told("", detail::modified_rules)),
    phrase("ec2", "CreateSecurityGroup", "created", "create", "{target}[ in {detail}]", NEW_SECURITY_GROUP, IN_VPC),
    phrase("ec2", "DeleteSecurityGroup", "deleted", "delete", "{target}", SECURITY_GROUP, Detail::None),

    // Network ACLs.
    phrase("ec2", "CreateNetworkAcl", "created", "create", "{target}[ in {detail}]", NETWORK_ACL, IN_VPC),
    phrase("ec2", "CreateNetworkAclEntry", "added", "add", "an entry to {target}[ ({detail})]", NETWORK_ACL, ACL_ENTRY),
    phrase("ec2", "DeleteNetworkAcl", "deleted", "delete", "{target}", NETWORK_ACL, Detail::None),
    phrase("ec2", "DeleteNetworkAclEntry", "deleted", "delete", "an entry of {target}[ ({detail})]", NETWORK_ACL, ACL_ENTRY),
    phrase("ec2", "ReplaceNetworkAclEntry", "replaced", "replace", "an entry of {target}[ ({detail})]", NETWORK_ACL, ACL_ENTRY),
    phrase("ec2", "ReplaceNetworkAclAssociation", "put", "put", "a subnet under {target}", NETWORK_ACL, Detail::None),

    // Gateways.
    phrase("ec2", "CreateCustomerGateway", "created", "create", "{target}[ for {detail}]", CUSTOMER_GATEWAY, Detail::Named("", &["ipAddress"])),
    phrase("ec2", "DeleteCustomerGateway", "deleted", "delete", "{target}", CUSTOMER_GATEWAY, Detail::None),
    phrase("ec2", "CreateInternetGateway", "created", "create", "{target}", INTERNET_GATEWAY, Detail::None),
    phrase("ec2", "DeleteInternetGateway", "deleted", "delete", "{target}", INTERNET_GATEWAY, Detail::None),
    phrase("ec2", "AttachInternetGateway", "attached", "attach", "{target} to {detail}", INTERNET_GATEWAY, IN_VPC),
    phrase("ec2", "DetachInternetGateway", "detached", "detach", "{target} from {detail}", INTERNET_GATEWAY, IN_VPC),

    // Route tables.
    phrase("ec2", "CreateRoute", "added", "add", "a route[ ({detail})] to {target}", ROUTE_TABLE, A_ROUTE),
    phrase("ec2", "ReplaceRoute", "replaced", "replace", "a route[ ({detail})] of {target}", ROUTE_TABLE, A_ROUTE),
    phrase("ec2", "DeleteRoute", "deleted", "delete", "a route[ ({detail})] of {target}", ROUTE_TABLE, A_ROUTE),
    phrase("ec2", "CreateRouteTable", "created", "create", "{target}[ in {detail}]", ROUTE_TABLE, IN_VPC),
    phrase("ec2", "DeleteRouteTable", "deleted", "delete", "{target}", ROUTE_TABLE, Detail::None),
    phrase("ec2", "AssociateRouteTable", "associated", "associate", "{target} with {detail}", ROUTE_TABLE, Detail::Named("subnet", &["subnetId", "gatewayId"])),
    phrase("ec2", "ReplaceRouteTableAssociation", "replaced", "replace", "the route table of {detail} by {target}", ROUTE_TABLE, Detail::Named("association", &["associationId"])),
    phrase("ec2", "DisassociateRouteTable", "removed", "remove", "route table {target}", ASSOCIATION, Detail::None),

    // VPCs.
    phrase("ec2", "CreateVpc", "created", "create", "{target}[ with {detail}]", VPC, Detail::Named("", &["cidrBlock"])),
    phrase("ec2", "DeleteVpc", "deleted", "delete", "{target}", VPC, Detail::None),
    phrase("ec2", "ModifyVpcAttribute", "changed", "change", "an attribute of {target}", VPC, Detail::None),
    phrase("ec2", "CreateVpcPeeringConnection", "asked", "ask", "for {target}[ with {detail}]", PEERING, Detail::Named("VPC", &["peerVpcId"])),
    phrase("ec2", "AcceptVpcPeeringConnection", "accepted", "accept", "{target}", PEERING, Detail::None),
    phrase("ec2", "RejectVpcPeeringConnection", "rejected", "reject", "{target}", PEERING, Detail::None),
    phrase("ec2", "DeleteVpcPeeringConnection", "deleted", "delete", "{target}", PEERING, Detail::None),
    phrase("ec2", "AttachClassicLinkVpc", "linked", "link", "{detail} to {target}", VPC, Detail::Named("instance", &["instanceId"])),
    phrase("ec2", "DetachClassicLinkVpc", "unlinked", "unlink", "{detail} from {target}", VPC, Detail::Named("instance", &["instanceId"])),
    phrase("ec2", "EnableVpcClassicLink", "enabled", "enable", "ClassicLink for {target}", VPC, Detail::None),
    phrase("ec2", "DisableVpcClassicLink", "disabled", "disable", "ClassicLink for {target}", VPC, Detail::None),
    phrase("ec2", "DeleteFlowLogs", "deleted", "delete", "{target}", FLOW_LOG, Detail::None),

    // Buckets.
    phrase("s3", "CreateBucket", "created", "create", "{target}", BUCKET, Detail::None),
    phrase("s3", "DeleteBucket", "deleted", "delete", "{target}", BUCKET, Detail::None),
    phrase("s3", "PutBucketAcl", "changed", "change", "the ACL of {target}[ to {detail}]", BUCKET, Detail::Told("", detail::bucket_acl)),
    phrase("s3", "PutBucketPolicy", "changed", "change", "the policy of {target}[ (allowing {detail})]", BUCKET, LET_IN),
    phrase("s3", "PutBucketCors", "changed", "change", "the CORS rules of {target}", BUCKET, Detail::None),
    phrase("s3", "PutBucketLifecycle", "changed", "change", "the lifecycle rules of {target}", BUCKET, Detail::None),
    phrase("s3", "PutBucketReplication", "changed", "change", "the replication of {target}", BUCKET, Detail::None),
    phrase("s3", "DeleteBucketPolicy", "deleted", "delete", "the policy of {target}", BUCKET, Detail::None),
    phrase("s3", "DeleteBucketCors", "deleted", "delete", "the CORS rules of {target}", BUCKET, Detail::None),
    phrase("s3", "DeleteBucketLifecycle", "deleted", "delete", "the lifecycle rules of {target}", BUCKET, Detail::None),
    phrase("s3", "DeleteBucketReplication", "deleted", "delete", "the replication of {target}", BUCKET, Detail::None),
    phrase("s3", "PutBucketPublicAccessBlock", "changed", "change", "the public access block of {target}", BUCKET, Detail::None),
    phrase("s3", "DeleteBucketPublicAccessBlock", "deleted", "delete", "the public access block of {target}", BUCKET, Detail::None),
    phrase("s3", "PutBucketVersioning", "changed", "change", "the versioning of {target}", BUCKET, Detail::None),
    phrase("s3", "PutBucketLogging", "changed", "change", "the logging of {target}", BUCKET, Detail::None),
    phrase("s3", "DeleteBucketEncryption", "deleted", "delete", "the encryption of {target}", BUCKET, Detail::None),

    // Keys.
    phrase("kms", "DisableKey", "disabled", "disable", "{target}", KEY, Detail::None),
    phrase("kms", "EnableKey", "enabled", "enable", "{target}", KEY, Detail::None),
    phrase("kms", "ScheduleKeyDeletion", "scheduled", "schedule", "the deletion of {target}[ in {detail}]", KEY, Detail::Told("", detail::waiting_period)),
    phrase("kms", "CancelKeyDeletion", "cancelled", "cancel", "the deletion of {target}", KEY, Detail::None),
    phrase("kms", "PutKeyPolicy", "changed", "change", "the policy of {target}", KEY, Detail::None),

    // AWS Config.
    phrase("config", "PutConfigurationRecorder", "changed", "change", "{target}", RECORDER, Detail::None),
    phrase("config", "StartConfigurationRecorder", "started", "start", "{target}", RECORDER, Detail::None),
    phrase("config", "StopConfigurationRecorder", "stopped", "stop", "{target}", RECORDER, Detail::None),
    phrase("config", "DeleteConfigurationRecorder", "deleted", "delete", "{target}", RECORDER, Detail::None),
    phrase("config", "PutDeliveryChannel", "changed", "change", "{target}", CHANNEL, Detail::None),
    phrase("config", "DeleteDeliveryChannel", "deleted", "delete", "{target}", CHANNEL, Detail::None),

    // Organizations.
    phrase("organizations", "AcceptHandshake", "accepted", "accept", "{target}", HANDSHAKE, Detail::None),
    phrase("organizations", "DeclineHandshake", "declined", "decline", "{target}", HANDSHAKE, Detail::None),
    phrase("organizations", "InviteAccountToOrganization", "invited", "invite", "{target} to the organization", ACCOUNT, Detail::None),
    phrase("organizations", "CreateAccount", "created", "create", "{target}", ACCOUNT, Detail::None),
    phrase("organizations", "MoveAccount", "moved", "move", "{target} to {detail}", ACCOUNT, Detail::Named("organizational unit", &["destinationParentId"])),
    phrase("organizations", "RemoveAccountFromOrganization", "removed", "remove", "{target} from the organization", ACCOUNT, Detail::None),
    phrase("organizations", "LeaveOrganization", "left", "leave", "the organization", NOTHING, Detail::None),
    phrase("organizations", "DeleteOrganization", "deleted", "delete", "the organization", NOTHING, Detail::None),
    phrase("organizations", "CreateOrganizationalUnit", "created", "create", "{target}", UNIT, Detail::None),
    phrase("organizations", "UpdateOrganizationalUnit", "changed", "change", "{target}", UNIT, Detail::None),
    phrase("organizations", "DeleteOrganizationalUnit", "deleted", "delete", "{target}", UNIT, Detail::None),
    phrase("organizations", "CreatePolicy", "created", "create", "{target}", ORGANIZATION_POLICY, Detail::None),
    phrase("organizations", "UpdatePolicy", "changed", "change", "{target}", ORGANIZATION_POLICY, Detail::None),
    phrase("organizations", "DeletePolicy", "deleted", "delete", "{target}", ORGANIZATION_POLICY, Detail::None),
    phrase("organizations", "AttachPolicy", "attached", "attach", "{detail} to {target}", ORGANIZATION_TARGET, ORGANIZATION_POLICY_NAME),
    phrase("organizations", "DetachPolicy", "detached", "detach", "{detail} from {target}", ORGANIZATION_TARGET, ORGANIZATION_POLICY_NAME),
    phrase("organizations", "EnablePolicyType", "enabled", "enable", "{detail} in {target}", ROOT_ID, Detail::Named("policy type", &["policyType"])),
    phrase("organizations", "DisablePolicyType", "disabled", "disable", "{detail} in {target}", ROOT_ID, Detail::Named("policy type", &["policyType"])),

    // Instances, images, snapshots.
    phrase("ec2", "RunInstances", "launched", "launch", "{target}[ ({detail})]", LAUNCHED, Detail::Counted(detail::launch)),
    phrase("ec2", "StartInstances", "started", "start", "{target}", INSTANCES, Detail::None),
    phrase("ec2", "StopInstances", "stopped", "stop", "{target}", INSTANCES, Detail::None),
    phrase("ec2", "RebootInstances", "rebooted", "reboot", "{target}", INSTANCES, Detail::None),
    phrase("ec2", "TerminateInstances", "terminated", "terminate", "{target}", INSTANCES, Detail::None),
    phrase("ec2", "GetPasswordData", "read", "read", "the Windows password of {target}", ONE_INSTANCE, Detail::None),
    phrase("ec2", "ModifyImageAttribute", "changed", "change", "who may use {target}[ (adding {detail})]", IMAGE, SHARED),
    phrase("ec2", "ModifySnapshotAttribute", "changed", "change", "who may use {target}[ (adding {detail})]", SNAPSHOT, SHARED),
    phrase("rds", "ModifyDBSnapshotAttribute", "changed", "change", "who may use {target}[ (adding {detail})]", SNAPSHOT, SHARED),
    phrase("ssm", "StartSession", "started", "start", "a session on {target}", SESSION_TARGET, Detail::None),
    phrase("ssm", "SendCommand", "sent", "send", "a command[ ({detail})] to {target}", SESSION_TARGET, Detail::Named("", &["documentName"])),

    // Secrets, functions, detectors.
    phrase("secretsmanager", "GetSecretValue", "read", "read", "{target}", SECRET, Detail::None),
    phrase("secretsmanager", "DeleteSecret", "deleted", "delete", "{target}", SECRET, Detail::None),
    phrase("ssm", "GetParameter", "read", "read", "{target}", PARAMETER, Detail::None),
    phrase("ssm", "GetParameters", "read", "read", "{target}", PARAMETER, Detail::None),
    phrase("lambda", "UpdateFunctionCode20150331v2", "changed", "change", "the code of {target}", FUNCTION, Detail::None),
    phrase("lambda", "AddPermission20150331v2", "let", "let", "others call {target}", FUNCTION, Detail::None),
    phrase("guardduty", "DeleteDetector", "deleted", "delete", "{target}", DETECTOR, Detail::None),
];

#[cfg(test)]
mod tests {
    use super::*;
    use raw_json::Object;

    /// The event names in the CIS benchmark's and the user guide's metric filters.
    const WELL_KNOWN: &[(&str, &str)] = &[
        ("signin", "ConsoleLogin"),
        (
            "cloudtrail",
            "CreateTrail UpdateTrail DeleteTrail StartLogging StopLogging",
        ),
        (
            "iam",
            "DeleteGroupPolicy DeleteRolePolicy DeleteUserPolicy PutGroupPolicy PutRolePolicy \
             PutUserPolicy CreatePolicy DeletePolicy CreatePolicyVersion DeletePolicyVersion \
             AttachRolePolicy DetachRolePolicy AttachUserPolicy DetachUserPolicy AttachGroupPolicy \
             DetachGroupPolicy",
        ),
        (
            "s3",
            "PutBucketAcl PutBucketPolicy PutBucketCors PutBucketLifecycle PutBucketReplication \
             DeleteBucketPolicy DeleteBucketCors DeleteBucketLifecycle DeleteBucketReplication",
        ),
        (
            "ec2",
            "AuthorizeSecurityGroupIngress AuthorizeSecurityGroupEgress RevokeSecurityGroupIngress \
             RevokeSecurityGroupEgress CreateSecurityGroup DeleteSecurityGroup ModifySecurityGroupRules \
             CreateNetworkAcl CreateNetworkAclEntry DeleteNetworkAcl DeleteNetworkAclEntry \
             ReplaceNetworkAclEntry ReplaceNetworkAclAssociation CreateCustomerGateway \
             DeleteCustomerGateway AttachInternetGateway CreateInternetGateway DeleteInternetGateway \
             DetachInternetGateway CreateRoute CreateRouteTable ReplaceRoute \
             ReplaceRouteTableAssociation DeleteRouteTable DeleteRoute DisassociateRouteTable CreateVpc \
             DeleteVpc ModifyVpcAttribute AcceptVpcPeeringConnection CreateVpcPeeringConnection \
             DeleteVpcPeeringConnection RejectVpcPeeringConnection AttachClassicLinkVpc \
             DetachClassicLinkVpc DisableVpcClassicLink EnableVpcClassicLink RunInstances \
             RebootInstances StartInstances StopInstances TerminateInstances",
        ),
        ("kms", "DisableKey ScheduleKeyDeletion"),
        (
            "config",
            "StopConfigurationRecorder DeleteDeliveryChannel PutDeliveryChannel PutConfigurationRecorder",
        ),
        (
            "organizations",
            "AcceptHandshake AttachPolicy CreateAccount CreateOrganizationalUnit CreatePolicy \
             DeclineHandshake DeleteOrganization DeleteOrganizationalUnit DeletePolicy DetachPolicy \
             DisablePolicyType EnablePolicyType InviteAccountToOrganization LeaveOrganization \
             MoveAccount RemoveAccountFromOrganization UpdatePolicy UpdateOrganizationalUnit",
        ),
    ];

    #[test]
    fn every_call_of_the_well_known_filters_has_a_phrase() {
        for (service, names) in WELL_KNOWN {
            for name in names.split_whitespace() {
                let source = format!("{service}.amazonaws.com");
                assert!(Phrase::find(&source, name).is_some(), "{service}:{name}");
            }
        }
    }

    #[test]
    fn a_name_of_two_services_has_the_phrase_of_its_service() {
        let target = |source| {
            let record = Object::parse(br#"{"requestParameters":{"policyId":"p-1","policyArn":"arn:aws:iam::1:policy/x"}}"#);
            Phrase::find(source, "DeletePolicy")?.target(Request::of(record.unwrap()))
        };
        assert_eq!(target("iam.amazonaws.com").as_deref(), Some("policy x"));
        assert_eq!(
            target("organizations.amazonaws.com").as_deref(),
            Some("organization policy p-1")
        );
        assert!(Phrase::find("iot.amazonaws.com", "CreatePolicy").is_none());
        assert!(Phrase::find("", "StopLogging").is_some());
    }

    #[test]
    fn every_phrase_reads_as_a_sentence_with_and_without_its_parts() {
        for phrase in PHRASES {
            for (target, detail) in [
                (None, None),
                (Some("TARGET"), None),
                (Some("TARGET"), Some("DETAIL")),
            ] {
                let rest = phrase.rest(target, detail);
                let name = phrase.name;
                assert!(!rest.contains(['[', ']', '{', '}']), "{name}: {rest}");
                assert!(
                    !rest.contains("  ") && rest.trim() == rest && !rest.is_empty(),
                    "{name}: {rest}"
                );
                assert!(
                    detail.is_none() || rest.contains("DETAIL") == phrase.rest.contains("{detail}")
                );
                assert!(
                    target.is_none() || rest.contains("TARGET") == phrase.rest.contains("{target}")
                );
            }
            let has_detail = !matches!(phrase.detail, Detail::None);
            assert_eq!(
                phrase.rest.contains("{detail}"),
                has_detail,
                "{}",
                phrase.name
            );
            assert_eq!(
                phrase.rest.contains("{target}"),
                !phrase.targets.is_empty(),
                "{}",
                phrase.name
            );
        }
    }

    #[test]
    fn braces_and_brackets_in_names_stay() {
        let stop = Phrase::find("", "StopLogging").unwrap();
        assert_eq!(
            stop.rest(Some("trail {detail}[x]"), None),
            "logging on trail {detail}[x]"
        );
    }
}
