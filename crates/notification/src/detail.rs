//! The telling detail of a call: what was opened, to whom, how wide.

use std::cmp::Reverse;
use std::collections::HashSet;

use raw_json::{Object, Value};

use crate::request::{Request, short, text};
use crate::words::list;

/// `TCP 22 from 0.0.0.0/0`: the rules of an inbound security group call.
pub(crate) fn inbound_rules(request: Request<'_>) -> Option<String> {
    rules(request, "from")
}

/// `TCP 443 to 0.0.0.0/0`: the rules of an outbound security group call.
pub(crate) fn outbound_rules(request: Request<'_>) -> Option<String> {
    rules(request, "to")
}

/// The rules of `ModifySecurityGroupRules`.
pub(crate) fn modified_rules(request: Request<'_>) -> Option<String> {
    let rules =
        request.values("ModifySecurityGroupRulesRequest.SecurityGroupRule.SecurityGroupRule");
    let mut rules: Vec<String> = rules
        .into_iter()
        .map(|rule| {
            let of = |name| rule.get(name).and_then(text);
            let ports = traffic(of("IpProtocol"), of("FromPort"), of("ToPort"));
            let peers = ["CidrIpv4", "CidrIpv6", "ReferencedGroupId", "PrefixListId"];
            match peers.into_iter().find_map(of) {
                Some(peer) => format!("{ports} for {}", short(&peer)),
                None => ports,
            }
        })
        .collect();
    rules.sort_by_key(|rule| Reverse(weight(rule)));
    told(rules)
}

/// `rule 100 allow TCP 22 inbound from 0.0.0.0/0`: an entry of a network ACL.
pub(crate) fn acl_entry(request: Request<'_>) -> Option<String> {
    let of = |path| request.text(&[path]);
    let number = of("ruleNumber")?;
    let is_egress = of("egress").as_deref() == Some("true");
    let Some(action) = of("ruleAction") else {
        return Some(format!("rule {}", short(&number)));
    };
    let traffic = traffic(of("aclProtocol"), of("portRange.from"), of("portRange.to"));
    let direction = if is_egress { "to" } else { "from" };
    let peer = request
        .text(&["cidrBlock", "ipv6CidrBlock"])
        .unwrap_or_else(|| "anywhere".into());
    let (number, action, peer) = (short(&number), short(&action), short(&peer));
    Some(format!(
        "rule {number}: {action} {traffic} {direction} {peer}"
    ))
}

/// `0.0.0.0/0 by igw-1`: a route.
pub(crate) fn route(request: Request<'_>) -> Option<String> {
    let destination = request.text(&[
        "destinationCidrBlock",
        "destinationIpv6CidrBlock",
        "destinationPrefixListId",
    ])?;
    let by = request.text(&[
        "gatewayId",
        "natGatewayId",
        "transitGatewayId",
        "vpcPeeringConnectionId",
        "networkInterfaceId",
        "instanceId",
        "vpcEndpointId",
        "egressOnlyInternetGatewayId",
        "localGatewayId",
        "carrierGatewayId",
        "coreNetworkArn",
    ]);
    Some(match by {
        Some(by) => format!("{} by {}", short(&destination), short(&by)),
        None => short(&destination),
    })
}

/// `10 x p2.xlarge from ami-1`: the instances of a launch.
pub(crate) fn launch(request: Request<'_>) -> Option<String> {
    let launched = request.texts(">instancesSet.items.instanceId").len();
    let asked = request.text(&["instancesSet.items.maxCount"]);
    let count = match (launched, asked) {
        (0, Some(asked)) => short(&asked),
        (0, None) => "1".into(),
        (launched, _) => launched.to_string(),
    };
    let instance_type = request.text(&["instanceType"]);
    let image = request.text(&["instancesSet.items.imageId", "imageId"]);
    match (instance_type, image) {
        (Some(kind), Some(image)) => {
            Some(format!("{count} x {} from {}", short(&kind), short(&image)))
        }
        (Some(kind), None) => Some(format!("{count} x {}", short(&kind))),
        (None, Some(image)) => Some(format!("{count} from {}", short(&image))),
        (None, None) => None,
    }
}

/// The name of an inline policy, and whether it allows everything.
pub(crate) fn inline_policy(request: Request<'_>) -> Option<String> {
    let name = short(&request.text(&["policyName"])?);
    Some(match managed_policy(request) {
        Some(which_allows) => format!("{name} ({which_allows})"),
        None => name,
    })
}

/// Whether the policy document of a managed policy allows everything.
pub(crate) fn managed_policy(request: Request<'_>) -> Option<String> {
    let everything = everything_allowed(request)?;
    Some(format!("which allows {everything}"))
}

/// A new version of a managed policy: the default one, and whether it allows everything.
pub(crate) fn policy_version(request: Request<'_>) -> Option<String> {
    let is_default = request.text(&["setAsDefault"]).as_deref() == Some("true");
    match (is_default, managed_policy(request)) {
        (true, Some(which_allows)) => Some(format!("as its default, {which_allows}")),
        (true, None) => Some("as its default".into()),
        (false, which_allows) => which_allows,
    }
}

/// `everyone`, `everyone under a condition`, `account 444455556666`: whom a bucket policy or trust
/// policy lets in; the most first.
pub(crate) fn let_in(request: Request<'_>) -> Option<String> {
    let written = request.text(&["policyDocument", "assumeRolePolicyDocument", "bucketPolicy"]);
    let parsed = written.as_deref().and_then(parse);
    let document = parsed.or_else(|| request.values("bucketPolicy").first()?.as_object())?;
    let allowing = statements(document).filter(|statement| says(*statement, "Effect", "Allow"));
    let mut principals: Vec<String> = allowing.flat_map(let_in_by).collect();
    principals.sort_by_key(|principal| Reverse(weight(principal)));
    told(principals)
}

/// Whom a statement that allows something allows it.
fn let_in_by(statement: Object<'_>) -> Vec<String> {
    let condition = under_condition(statement);
    let excepted = principals(statement.get("NotPrincipal"));
    if !excepted.is_empty() {
        let but = list(&excepted, excepted.len());
        return vec![format!("everyone but {but}{condition}")];
    }
    let mut principals = principals(statement.get("Principal"));
    for everyone in principals.iter_mut().filter(|name| *name == EVERYONE) {
        everyone.push_str(condition);
    }
    principals
}

const EVERYONE: &str = "everyone";

/// The principals of a statement by name.
fn principals(principal: Option<Value<'_>>) -> Vec<String> {
    if principal.and_then(Value::as_str).as_deref() == Some("*") {
        return vec![EVERYONE.into()];
    }
    let kinds = ["AWS", "CanonicalUser", "Federated", "Service"].into_iter();
    let named = kinds.filter_map(|kind| principal?.get(kind));
    named
        .flat_map(|named| elements(Some(named)))
        .filter_map(text)
        .map(|name| principal_name(&name))
        .collect()
}

/// ` under a condition`, if the statement has one.
fn under_condition(statement: Object<'_>) -> &'static str {
    match statement.get("Condition") {
        None | Some(Value::Null) => "",
        Some(Value::Object(condition)) if condition.members().next().is_none() => "",
        Some(_) => CONDITION,
    }
}

const CONDITION: &str = " under a condition";

/// How much a detail says: 2 what is open to the world or allows everything, 1 what may be, 0 the
/// rest.
pub(crate) fn weight(detail: &str) -> u8 {
    if detail.contains(": deny ") {
        return 0;
    }
    // What is under a condition may be little.
    let certain = ["everyone", "everything"]
        .iter()
        .fold(detail.to_owned(), |text, all| {
            text.replace(&format!("{all}{CONDITION}"), "")
        });
    let has_word = |of: &[&str]| {
        let mut words = certain.split([' ', ',', '(', ')']);
        words.any(|word| of.contains(&word))
    };
    if has_word(OPEN) || OPEN_FROM.iter().any(|open| certain.contains(open)) {
        2
    } else {
        u8::from(certain.len() < detail.len() || has_word(&["0.0.0.0/0", "::/0"]))
    }
}

/// Words that say that everything is open.
const OPEN: &[&str] = &[
    EVERYONE,
    "everything",
    "AdministratorAccess",
    "public-read",
    "public-read-write",
    "authenticated-read",
];

/// The same in several words.
const OPEN_FROM: &[&str] = &[
    "from 0.0.0.0/0",
    "from ::/0",
    "for 0.0.0.0/0",
    "for ::/0",
    "all AWS users",
];

/// `private`, `everyone (READ)`: what an ACL grants.
pub(crate) fn bucket_acl(request: Request<'_>) -> Option<String> {
    if let Some(canned) = request.text(&["x-amz-acl"]) {
        return Some(short(&canned));
    }
    let grants = request.values("AccessControlPolicy.AccessControlList.Grant");
    let public = grants.into_iter().filter_map(|grant| {
        let group = grant.get("Grantee")?.get("URI").and_then(text)?;
        let permission = grant.get("Permission").and_then(text).unwrap_or_default();
        let who = match group.rsplit('/').next() {
            Some("AllUsers") => "everyone",
            Some("AuthenticatedUsers") => "all AWS users",
            _ => return None,
        };
        Some(format!("{who} ({})", short(&permission)))
    });
    told(public.collect())
}

/// `account 444455556666`, `everyone`: with whom an image or snapshot was shared.
pub(crate) fn shared_with(request: Request<'_>) -> Option<String> {
    let users = [
        "launchPermission.add.items.userId",
        "createVolumePermission.add.items.userId",
    ];
    let groups = [
        "launchPermission.add.items.group",
        "createVolumePermission.add.items.group",
    ];
    let mut with = Vec::new();
    if groups
        .iter()
        .any(|path| request.texts(path).iter().any(|group| group == "all"))
    {
        with.push("everyone".into());
    }
    let accounts = users.iter().flat_map(|path| request.texts(path));
    with.extend(accounts.map(|account| format!("account {}", short(&account))));
    for account in request.texts("valuesToAdd") {
        with.push(match account.as_str() {
            "all" => "everyone".into(),
            account => format!("account {}", short(account)),
        });
    }
    told(with)
}

/// `7 days`: when a key will be deleted.
pub(crate) fn waiting_period(request: Request<'_>) -> Option<String> {
    let days = request.text(&["pendingWindowInDays"])?;
    Some(format!("{} days", short(&days)))
}

fn rules(request: Request<'_>, direction: &str) -> Option<String> {
    let mut rules = Vec::new();
    for permission in request.values("ipPermissions.items") {
        let of = |name| permission.get(name).and_then(text);
        let traffic = traffic(of("ipProtocol"), of("fromPort"), of("toPort"));
        let peers = [
            ("ipRanges", "cidrIp"),
            ("ipv6Ranges", "cidrIpv6"),
            ("groups", "groupId"),
            ("prefixListIds", "prefixListId"),
        ];
        for (set, name) in peers {
            let items = permission.get(set).and_then(|set| set.get("items"));
            let peers = elements(items).filter_map(|item| item.get(name).and_then(text));
            rules.extend(peers.map(|peer| format!("{traffic} {direction} {}", short(&peer))));
        }
    }
    if let Some(peer) = request.text(&["cidrIp", "cidrIpv6", "sourceSecurityGroupName"]) {
        let of = |path| request.text(&[path]);
        let traffic = traffic(of("ipProtocol"), of("fromPort"), of("toPort"));
        rules.push(format!("{traffic} {direction} {}", short(&peer)));
    }
    for id in request.texts("securityGroupRuleIds.items.securityGroupRuleId") {
        rules.push(format!("rule {}", short(&id)));
    }
    // What is open to the world is told first.
    rules.sort_by_key(|rule| Reverse(weight(rule)));
    told(rules)
}

/// `TCP 22`, `UDP 1000-2000`, `all traffic`.
fn traffic(protocol: Option<String>, from: Option<String>, to: Option<String>) -> String {
    let protocol = match protocol.as_deref() {
        None | Some("-1" | "all") => return "all traffic".into(),
        Some("6") => "TCP".into(),
        Some("17") => "UDP".into(),
        Some("1") => "ICMP".into(),
        Some("58") => "ICMPv6".into(),
        Some(other) => short(other).to_ascii_uppercase(),
    };
    match (from.as_deref(), to.as_deref()) {
        _ if protocol.starts_with("ICMP") => protocol,
        (None, None) | (Some("-1"), _) | (Some("0"), Some("65535")) => {
            format!("{protocol} on all ports")
        }
        (Some(from), Some(to)) if from != to => format!("{protocol} {}-{}", short(from), short(to)),
        (Some(port), _) | (None, Some(port)) => format!("{protocol} {}", short(port)),
    }
}

/// `everything`, `everything under a condition`, if the policy document allows it.
fn everything_allowed(request: Request<'_>) -> Option<String> {
    let text = request.text(&["policyDocument"])?;
    let conditions = statements(parse(&text)?)
        .filter(|statement| {
            says(*statement, "Effect", "Allow")
                && (says(*statement, "Action", "*") || says(*statement, "Action", "*:*"))
                && says(*statement, "Resource", "*")
        })
        .map(under_condition);
    let fewest = conditions.min_by_key(|condition| condition.len())?;
    Some(format!("everything{fewest}"))
}

fn parse(document: &str) -> Option<Object<'_>> {
    Object::parse(document.as_bytes()).ok()
}

/// The statements of a policy, which may be one or several.
fn statements(document: Object<'_>) -> impl Iterator<Item = Object<'_>> {
    elements(document.get("Statement")).filter_map(Value::as_object)
}

/// Is `text` the member, or one of its elements?
fn says(statement: Object<'_>, name: &str, text: &str) -> bool {
    elements(statement.get(name)).any(|value| value.as_str().as_deref() == Some(text))
}

/// The elements of an array, or the value itself.
fn elements<'a>(value: Option<Value<'a>>) -> impl Iterator<Item = Value<'a>> {
    let array = value.and_then(Value::as_array);
    let itself = value.filter(|_| array.is_none());
    array
        .into_iter()
        .flat_map(|array| array.elements())
        .chain(itself)
}

/// `account 444455556666` of `arn:aws:iam::444455556666:root`.
fn principal_name(principal: &str) -> String {
    if principal == "*" {
        return EVERYONE.into();
    }
    match principal
        .strip_suffix(":root")
        .and_then(|arn| arn.rsplit(':').next())
    {
        Some(account) => format!("account {}", short(account)),
        None if principal.len() == 12 && principal.bytes().all(|b| b.is_ascii_digit()) => {
            format!("account {principal}")
        }
        None => cloudtrail::printable(principal, 100),
    }
}

/// Each thing once, in order of appearance.
fn told(mut things: Vec<String>) -> Option<String> {
    let mut seen = HashSet::new();
    things.retain(|thing| seen.insert(thing.clone()));
    (!things.is_empty()).then(|| list(&things, things.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_told(
        tell: fn(Request<'_>) -> Option<String>,
        parameters: &str,
        expected: Option<&str>,
    ) {
        let record = format!(r#"{{"requestParameters":{parameters}}}"#);
        let record = Object::parse(record.as_bytes()).unwrap();
        assert_eq!(
            tell(Request::of(record)).as_deref(),
            expected,
            "{parameters}"
        );
    }

    #[test]
    fn security_group_rules_are_told_in_all_their_forms() {
        for (parameters, expected) in [
            (
                r#"{"cidrIp":"0.0.0.0/0","fromPort":22,"ipPermissions":{},"ipProtocol":"tcp","toPort":22}"#,
                Some("TCP 22 from 0.0.0.0/0"),
            ),
            (
                r#"{"ipPermissions":{"items":[{"ipProtocol":"-1","groups":{"items":[{"groupId":"sg-2"}]},"ipRanges":{"items":[{"cidrIp":"10.0.0.0/8"}]},"ipv6Ranges":{"items":[{"cidrIpv6":"::/0"}]}}]}}"#,
                Some(
                    "all traffic from ::/0, all traffic from 10.0.0.0/8 and all traffic from sg-2",
                ),
            ),
            (
                r#"{"ipPermissions":{"items":[{"ipProtocol":"udp","fromPort":1000,"toPort":2000,"prefixListIds":{"items":[{"prefixListId":"pl-1"}]}}]}}"#,
                Some("UDP 1000-2000 from pl-1"),
            ),
            (
                r#"{"securityGroupRuleIds":{"items":[{"securityGroupRuleId":"sgr-1"}]}}"#,
                Some("rule sgr-1"),
            ),
            (r#"{"groupId":"sg-1"}"#, None),
            ("null", None),
            (r#""text""#, None),
        ] {
            assert_told(inbound_rules, parameters, expected);
        }
        assert_told(
            outbound_rules,
            r#"{"cidrIp":"0.0.0.0/0","ipProtocol":"tcp","fromPort":0,"toPort":65535}"#,
            Some("TCP on all ports to 0.0.0.0/0"),
        );
        assert_told(
            modified_rules,
            r#"{"ModifySecurityGroupRulesRequest":{"GroupId":"sg-1","SecurityGroupRule":{"SecurityGroupRule":{"CidrIpv4":"0.0.0.0/0","FromPort":3389,"ToPort":3389,"IpProtocol":"tcp"}}}}"#,
            Some("TCP 3389 for 0.0.0.0/0"),
        );
    }

    #[test]
    fn network_acl_entries_and_routes_are_told() {
        assert_told(
            acl_entry,
            r#"{"ruleNumber":500,"egress":true,"ruleAction":"allow","portRange":{},"aclProtocol":"-1","cidrBlock":"0.0.0.0/0"}"#,
            Some("rule 500: allow all traffic to 0.0.0.0/0"),
        );
        assert_told(
            acl_entry,
            r#"{"ruleNumber":1,"egress":false,"ruleAction":"deny","portRange":{"from":22,"to":22},"aclProtocol":"6","cidrBlock":"10.0.0.0/8"}"#,
            Some("rule 1: deny TCP 22 from 10.0.0.0/8"),
        );
        assert_told(
            acl_entry,
            r#"{"ruleNumber":1,"egress":false}"#,
            Some("rule 1"),
        );
        assert_told(
            route,
            r#"{"destinationCidrBlock":"0.0.0.0/0","gatewayId":"igw-1"}"#,
            Some("0.0.0.0/0 by igw-1"),
        );
        assert_told(
            route,
            r#"{"destinationIpv6CidrBlock":"::/0"}"#,
            Some("::/0"),
        );
    }

    #[test]
    fn a_launch_tells_how_many_of_what() {
        assert_told(
            launch,
            r#"{"instancesSet":{"items":[{"imageId":"ami-1","maxCount":10,"minCount":1}]},"instanceType":"p2.xlarge"}"#,
            Some("10 x p2.xlarge from ami-1"),
        );
        assert_told(launch, "{}", None);
    }

    #[test]
    fn a_policy_that_allows_everything_is_told() {
        let everything =
            r#"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":[\"*\"],\"Resource\":\"*\"}}"#;
        let something = r#"{\"Statement\":[{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"},{\"Effect\":\"Allow\",\"Action\":\"s3:*\",\"Resource\":\"*\"}]}"#;
        let with = |document| format!(r#"{{"policyName":"p","policyDocument":"{document}"}}"#);
        assert_told(
            inline_policy,
            &with(everything),
            Some("p (which allows everything)"),
        );
        assert_told(inline_policy, &with(something), Some("p"));
        assert_told(managed_policy, &with(something), None);
        assert_told(
            policy_version,
            &format!(r#"{{"setAsDefault":true,"policyDocument":"{everything}"}}"#),
            Some("as its default, which allows everything"),
        );
    }

    #[test]
    fn whom_a_policy_lets_in_is_told() {
        assert_told(
            let_in,
            r#"{"bucketPolicy":{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::444455556666:root","777788889999"]}},{"Effect":"Deny","Principal":"*"}]}}"#,
            Some("account 444455556666 and account 777788889999"),
        );
        assert_told(
            let_in,
            r#"{"bucketPolicy":{"Statement":[{"Effect":"Allow","Principal":"*"},{"Effect":"Allow","Principal":{"AWS":"*"}}]}}"#,
            Some("everyone"),
        );
        assert_told(
            let_in,
            r#"{"policyDocument":"{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{\"Service\":\"ec2.amazonaws.com\"}}]}"}"#,
            Some("ec2.amazonaws.com"),
        );
        assert_told(let_in, r#"{"policyDocument":"not json"}"#, None);
        assert_told(let_in, r#"{"bucketPolicy":"{\"Statement\":["}"#, None);
    }

    #[test]
    fn whom_a_condition_or_an_exception_keeps_out_is_told() {
        let policy =
            |statements: &str| format!(r#"{{"bucketPolicy":{{"Statement":[{statements}]}}}}"#);
        let conditional = r#"{"Effect":"Allow","Principal":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}"#;
        let exception = r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"}}"#;
        let plain = r#"{"Effect":"Allow","Principal":{"AWS":["444455556666","*"]},"Condition":{}}"#;
        for (statements, expected) in [
            (conditional.to_owned(), "everyone under a condition"),
            (exception.into(), "everyone but account 111122223333"),
            (
                r#"{"Effect":"Allow","NotPrincipal":{"AWS":"111122223333"},"Condition":{"Bool":{}}}"#.into(),
                "everyone but account 111122223333 under a condition",
            ),
            (plain.into(), "everyone and account 444455556666"),
            (format!("{conditional},{plain}"), "everyone, everyone under a condition and account 444455556666"),
            (conditional.replace("\"*\"", r#"{"AWS":"*"}"#), "everyone under a condition"),
        ] {
            assert_told(let_in, &policy(&statements), Some(expected));
        }
        let everything = r#"{\"Statement\":{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\",\"Condition\":{\"Bool\":{}}}}"#;
        assert_told(
            managed_policy,
            &format!(r#"{{"policyDocument":"{everything}"}}"#),
            Some("which allows everything under a condition"),
        );
    }

    #[test]
    fn what_is_open_weighs_more() {
        for (detail, expected) in [
            ("TCP 22 from 0.0.0.0/0", 2),
            ("all traffic from ::/0 and TCP 1 from 10.0.0.0/8", 2),
            ("TCP 443 to 0.0.0.0/0", 1),
            ("0.0.0.0/0 by igw-1", 1),
            ("rule 1: deny all traffic from 0.0.0.0/0", 0),
            ("TCP 22 from 10.0.0.0/8", 0),
            ("everyone", 2),
            ("everyone (READ)", 2),
            ("everyone but account 111122223333", 2),
            ("everyone under a condition", 1),
            ("everyone and everyone under a condition", 2),
            ("p (which allows everything)", 2),
            ("which allows everything under a condition", 1),
            ("AdministratorAccess", 2),
            ("ReadOnlyAccess", 0),
        ] {
            assert_eq!(weight(detail), expected, "{detail}");
        }
    }

    #[test]
    fn sharing_is_told() {
        assert_told(
            shared_with,
            r#"{"launchPermission":{"add":{"items":[{"userId":"444455556666"},{"group":"all"}]}}}"#,
            Some("everyone and account 444455556666"),
        );
        assert_told(
            shared_with,
            r#"{"createVolumePermission":{"add":{"items":[{"userId":"444455556666"}]}}}"#,
            Some("account 444455556666"),
        );
        assert_told(shared_with, r#"{"valuesToAdd":["all"]}"#, Some("everyone"));
        assert_told(
            bucket_acl,
            r#"{"x-amz-acl":["public-read"]}"#,
            Some("public-read"),
        );
        assert_told(
            bucket_acl,
            r#"{"AccessControlPolicy":{"AccessControlList":{"Grant":[{"Grantee":{"URI":"http://acs.amazonaws.com/groups/global/AllUsers"},"Permission":"READ"}]}}}"#,
            Some("everyone (READ)"),
        );
    }
}
