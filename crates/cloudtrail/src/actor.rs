//! Who acted: `userIdentity` and what stands beside it, read once and said in one way.
//!
//! ```
//! let record = raw_json::Object::parse(br#"{ "recipientAccountId": "111122223333", "userIdentity": {
//!     "type": "AssumedRole", "arn": "arn:aws:sts::444455556666:assumed-role/DeployRole/ci-runner" } }"#)?;
//! let actor = cloudtrail::Actor::of(record);
//! assert_eq!(actor.short_name(), "DeployRole/ci-runner");
//! assert_eq!(actor.describe(), "DeployRole/ci-runner (from account 444455556666)");
//! # Ok::<(), raw_json::SyntaxError>(())
//! ```
//!
//! [`Actor::of`] reads the members, [`Actor::short_name`] names the actor in lists and subjects,
//! [`Actor::describe`] adds what a reader of an alarm asks next: the kind of identity, MFA, the
//! source identity, the service in between, the account it came from.
//!
//! The promise: every record has an actor; no member is required and none need have the right type.
//! The members of [`Actor`] are as written in the record, the two texts are safe to print
//! ([`printable`]) and short.
//!
//! Source: CloudTrail User Guide, "CloudTrail userIdentity element". Out of scope: asking IAM or
//! Identity Center who stands behind an id.

use std::borrow::Cow;

use raw_json::{Object, Value};

/// Who acted, from `userIdentity` and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Actor {
    /// The kind of identity.
    pub kind: ActorKind,
    /// The user, role, account alias, service or other name; of a federated user the user who
    /// issued the session. `None` if there is none or CloudTrail hides it.
    pub name: Option<String>,
    /// CloudTrail wrote `HIDDEN_DUE_TO_SECURITY_REASONS` in place of the user name: at sign-in a
    /// name was entered that does not exist.
    pub name_is_hidden: bool,
    /// The name of the session: of a role, of a federated user, of another account's role.
    pub session_name: Option<String>,
    /// The source identity set when the role was assumed.
    pub source_identity: Option<String>,
    /// The account of the identity, which may differ from the account the event is recorded in.
    pub account_id: Option<String>,
    /// The ARN of the identity.
    pub arn: Option<String>,
    /// The unique id of the identity.
    pub principal_id: Option<String>,
    /// The access key the request was signed with.
    pub access_key_id: Option<String>,
    /// The AWS service that made the request on the identity's behalf.
    pub invoked_by: Option<String>,
    /// The account on whose delegation the service made the request.
    pub invoked_by_delegate: Option<String>,
    /// The external identity provider: of SAML and web identities, and of roles assumed with one.
    pub identity_provider: Option<String>,
    /// The Identity Center user on whose behalf the request was made.
    pub on_behalf_of: Option<String>,
    /// The resource or account a service role was issued for (`inScopeOf`).
    pub in_scope_of: Option<String>,
    /// The ARN of the role or user that issued the session.
    pub issuer_arn: Option<String>,
    /// Signed in or authenticated with MFA. `None` if the record does not say.
    pub mfa: Option<bool>,
    /// The account the actor came from, if it is not the one that received the event.
    pub cross_account: Option<String>,
    /// The session is a root session taken by `sts:AssumeRoot`.
    pub assumed_root: bool,
    /// The credentials of the session come from signing in to the console.
    pub from_console: bool,
}

/// The kinds of identity: the values of `userIdentity.type`, and what there is without one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum ActorKind {
    /// The root user of an account.
    Root,
    /// An IAM user.
    IamUser,
    /// A session of a role.
    AssumedRole,
    /// A role.
    Role,
    /// A session made by `sts:GetFederationToken`.
    FederatedUser,
    /// Another AWS account.
    AwsAccount,
    /// Nobody is known to AWS: an unsigned request.
    Anonymous,
    /// An AWS service.
    AwsService,
    /// An identity asserted by a SAML provider.
    SamlUser,
    /// An identity asserted by a web identity provider.
    WebIdentityUser,
    /// A user of a directory.
    Directory,
    /// A user of IAM Identity Center.
    IdentityCenterUser,
    /// CloudTrail Insights, whose events have no identity.
    Insights,
    /// An aggregated event, which stands for calls of several identities.
    Aggregated,
    /// The record does not say, or says `Unknown`.
    #[default]
    Unknown,
    /// A type that is not among these.
    Other(String),
}

/// What CloudTrail writes in place of a text it does not show.
const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Longest short name, in characters.
const SHORT_NAME_CHARACTERS: usize = 256;

/// Longest single fact in a description, in characters.
const FACT_CHARACTERS: usize = 128;

impl Actor {
    /// Reads who acted. Any record has an answer.
    pub fn of(record: Object<'_>) -> Actor {
        let [
            identity,
            event_name,
            invoked_by,
            recipient,
            from_console,
            additional,
        ] = members(
            record,
            [
                "userIdentity",
                "eventName",
                "invokedBy",
                "recipientAccountId",
                "sessionCredentialFromConsole",
                "additionalEventData",
            ],
        );
        let (mut actor, session_mfa) = match identity {
            Some(Value::Object(identity)) => Actor::of_identity(identity),
            Some(other) => (Actor::of_text(owned(other)), None),
            None => (Actor::default(), None),
        };
        if actor == Actor::default() {
            actor.kind = kind_without_identity(record);
        }
        actor.invoked_by = actor.invoked_by.or_else(|| invoked_by.and_then(owned));
        if actor.kind == ActorKind::AwsService && actor.name.is_none() {
            actor.name = actor.invoked_by.clone().or_else(|| calling_service(record));
        }
        let sign_in_mfa = || additional?.get("MFAUsed").and_then(truth);
        actor.mfa = match event_name.and_then(text).as_deref() {
            Some("ConsoleLogin") => sign_in_mfa().or(session_mfa),
            _ => session_mfa.or_else(sign_in_mfa),
        };
        actor.from_console = from_console.and_then(truth).unwrap_or_default();
        actor.cross_account = match (&actor.account_id, recipient.and_then(text)) {
            (Some(own), Some(recipient)) if *own != recipient => Some(own.clone()),
            _ => None,
        };
        actor
    }

    /// The name for lists and subjects: `alice`, `root of account 111122223333`,
    /// `AdminRole/alice.session`, `lambda.amazonaws.com`, `unknown identity`. One line, safe to
    /// print, at most 256 characters.
    pub fn short_name(&self) -> String {
        printable(&self.unbounded_name(), SHORT_NAME_CHARACTERS)
    }

    /// The short name and, in parentheses, what else is telling: the kind of identity, MFA, the
    /// source identity, the service in between, the account it came from. One line, safe to print.
    pub fn describe(&self) -> String {
        let facts = self.facts();
        if facts.is_empty() {
            self.short_name()
        } else {
            format!("{} ({})", self.short_name(), facts.join(", "))
        }
    }

    /// Does the answer to MFA say something about this actor? That a role was used without MFA does
    /// not: `mfaAuthenticated` is `false` for services and for people who showed their MFA to an
    /// identity provider.
    pub fn mfa_is_telling(&self) -> bool {
        let has_own_mfa = matches!(
            self.kind,
            ActorKind::Root | ActorKind::IamUser | ActorKind::FederatedUser
        );
        has_own_mfa && !self.name_is_hidden || self.mfa == Some(true)
    }

    /// Is this, as far as can be seen, a program and not a person? AWS services are, and sessions of
    /// roles and web identities unless something speaks for a person: the console, Identity Center, a
    /// source identity, a mail address.
    ///
    /// Root, IAM users, other accounts and whoever is unknown are not taken for programs: they are
    /// what a reader must not miss.
    pub fn is_machine(&self) -> bool {
        let is_person = |name: &Option<String>| {
            name.as_deref()
                .is_some_and(|name| name.contains('@') || permission_set(name).is_some())
        };
        let is_of_person = self.from_console
            || self.source_identity.is_some()
            || [&self.name, &self.session_name].into_iter().any(is_person);
        match self.kind {
            ActorKind::AwsService | ActorKind::Insights | ActorKind::Aggregated => true,
            ActorKind::AssumedRole | ActorKind::Role | ActorKind::WebIdentityUser => !is_of_person,
            ActorKind::FederatedUser => {
                let session = self.session_name.as_deref().unwrap_or_default();
                !is_of_person && is_made_up(session)
            }
            _ => false,
        }
    }

    /// The actor, and whether the session says that it was authenticated with MFA.
    fn of_identity(object: Object<'_>) -> (Actor, Option<bool>) {
        let [
            kind,
            user_name,
            arn,
            principal_id,
            account_id,
            access_key_id,
            invoked_by,
            invoked_by_delegate,
            identity_provider,
            on_behalf_of,
            in_scope_of,
            session,
        ] = members(
            object,
            [
                "type",
                "userName",
                "arn",
                "principalId",
                "accountId",
                "accessKeyId",
                "invokedBy",
                "invokedByDelegate",
                "identityProvider",
                "onBehalfOf",
                "inScopeOf",
                "sessionContext",
            ],
        );
        let (arn, principal_id) = (arn.and_then(text), principal_id.and_then(text));
        let session = Session::of(session);
        let identity = Identity {
            written_kind: kind.and_then(text),
            user_name: user_name.and_then(text),
            account_id: account_id.and_then(text),
            invoked_by: invoked_by.and_then(text),
            user_id: text_in(on_behalf_of, "userId"),
            arn: arn.as_deref().map(PrincipalArn::parse).unwrap_or_default(),
            principal_session: principal_id.as_deref().and_then(session_in_principal_id),
            session: &session,
        };
        let kind = identity.kind();
        let actor = Actor {
            name: identity.name(&kind).map(Cow::into_owned),
            name_is_hidden: identity.user_name.as_deref() == Some(HIDDEN),
            session_name: identity.session_name(&kind).map(String::from),
            source_identity: session.source_identity.and_then(owned),
            account_id: identity.account_id().map(Cow::into_owned),
            access_key_id: access_key_id.and_then(owned),
            invoked_by_delegate: text_in(invoked_by_delegate, "accountId").map(Cow::into_owned),
            identity_provider: identity_provider
                .and_then(text)
                .or_else(|| text_in(session.web_identity, "federatedProvider"))
                .map(Cow::into_owned),
            in_scope_of: ["sourceArn", "sourceAccount", "credentialsIssuedTo"]
                .iter()
                .find_map(|name| text_in(in_scope_of, name))
                .map(Cow::into_owned),
            issuer_arn: session.of_issuer("arn").map(Cow::into_owned),
            assumed_root: session.assumed_root.and_then(truth).unwrap_or_default(),
            kind,
            invoked_by: identity.invoked_by.map(Cow::into_owned),
            on_behalf_of: identity.user_id.map(Cow::into_owned),
            arn: arn.map(Cow::into_owned),
            principal_id: principal_id.map(Cow::into_owned),
            // These need more of the record than its identity.
            from_console: false,
            mfa: None,
            cross_account: None,
        };
        (actor, session.mfa())
    }

    /// An identity that is a text and not an object.
    fn of_text(text: Option<String>) -> Actor {
        let parts = text.as_deref().map(PrincipalArn::parse).unwrap_or_default();
        Actor {
            kind: parts.kind(false),
            name: parts.name.map(String::from).or_else(|| text.clone()),
            session_name: parts.session.map(String::from),
            account_id: parts.account.map(String::from),
            arn: text.clone().filter(|text| text.starts_with("arn:")),
            ..Actor::default()
        }
    }

    fn unbounded_name(&self) -> Cow<'_, str> {
        let name = self.name.as_deref();
        let session = self.session_name.as_deref();
        let account = self.account_id.as_deref();
        let joined = || match (name, session) {
            (Some(name), Some(session)) => Some(Cow::Owned([name, "/", session].concat())),
            (name, session) => name.or(session).map(Cow::Borrowed),
        };
        match &self.kind {
            ActorKind::Root => {
                account.map_or("root".into(), |id| format!("root of account {id}").into())
            }
            ActorKind::Insights => "CloudTrail Insights".into(),
            ActorKind::Aggregated => "various identities".into(),
            ActorKind::Anonymous => "anonymous caller".into(),
            _ if self.name_is_hidden => "hidden user name".into(),
            ActorKind::AwsAccount if account.is_some() => {
                format!("account {}", account.unwrap_or_default()).into()
            }
            ActorKind::AwsService => joined().unwrap_or("AWS service".into()),
            ActorKind::SamlUser | ActorKind::WebIdentityUser => {
                match (joined(), &self.identity_provider) {
                    (Some(name), Some(provider)) => {
                        format!("{} from {provider}", printable(&name, FACT_CHARACTERS)).into()
                    }
                    (Some(name), None) => name,
                    (None, Some(provider)) => format!("unknown identity from {provider}").into(),
                    (None, None) => self.any_id(),
                }
            }
            _ => joined().unwrap_or_else(|| self.any_id()),
        }
    }

    /// What is left to tell an identity without a name from others.
    fn any_id(&self) -> Cow<'_, str> {
        let ids = [
            &self.arn,
            &self.principal_id,
            &self.on_behalf_of,
            &self.access_key_id,
            &self.invoked_by,
        ];
        let id = ids.into_iter().flatten().next();
        match (id, &self.account_id) {
            (Some(id), _) => id.into(),
            (None, Some(account)) => format!("unknown identity of account {account}").into(),
            (None, None) => "unknown identity".into(),
        }
    }

    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        facts.extend(self.kind_fact());
        if self.mfa_is_telling() {
            facts.extend(
                self.mfa
                    .map(|mfa| if mfa { "MFA" } else { "no MFA" }.into()),
            );
        }
        if self.assumed_root {
            facts.push("session of AssumeRoot".into());
        }
        let mut fact = |label: &str, value: &Option<String>| {
            if let Some(value) = value {
                facts.push(format!("{label} {}", printable(value, FACT_CHARACTERS)));
            }
        };
        fact("source identity", &self.source_identity);
        if self.kind != ActorKind::IdentityCenterUser || self.on_behalf_of != self.name {
            fact("on behalf of", &self.on_behalf_of);
        }
        match self.kind {
            ActorKind::AwsAccount => fact("session", &self.session_name),
            ActorKind::AssumedRole => fact("identity provider", &self.identity_provider),
            _ => {}
        }
        if self
            .invoked_by
            .as_deref()
            .is_some_and(|by| by != self.unbounded_name())
        {
            fact("through", &self.invoked_by);
        }
        fact("for account", &self.invoked_by_delegate);
        fact("issued for", &self.in_scope_of);
        if !matches!(self.kind, ActorKind::Root | ActorKind::AwsAccount) {
            fact("from account", &self.cross_account);
        }
        facts
    }

    fn kind_fact(&self) -> Option<String> {
        let fact = match &self.kind {
            ActorKind::Root => {
                let alias = self.name.as_deref()?;
                return Some(format!("alias {}", printable(alias, FACT_CHARACTERS)));
            }
            ActorKind::AssumedRole => {
                let role = self.name.as_deref().unwrap_or_default();
                if let Some(set) = permission_set(role) {
                    return Some(format!(
                        "Identity Center permission set {}",
                        printable(set, FACT_CHARACTERS)
                    ));
                }
                match (self.is_service_linked(), &self.session_name) {
                    (true, _) => "service-linked role",
                    // `Role/session` says it.
                    (false, Some(_)) => return None,
                    (false, None) => "assumed role",
                }
            }
            ActorKind::IamUser if self.name_is_hidden => "no such IAM user",
            ActorKind::IamUser => "IAM user",
            ActorKind::Role => "role",
            ActorKind::FederatedUser => "federated user",
            ActorKind::AwsAccount if self.cross_account.is_some() => "another AWS account",
            ActorKind::AwsAccount => "AWS account",
            ActorKind::Anonymous => "no AWS identity",
            ActorKind::AwsService => "AWS service",
            ActorKind::SamlUser => "SAML user",
            ActorKind::WebIdentityUser => "web identity user",
            ActorKind::Directory => "directory user",
            ActorKind::IdentityCenterUser => "Identity Center user",
            ActorKind::Insights | ActorKind::Aggregated | ActorKind::Unknown => return None,
            ActorKind::Other(name) => {
                return Some(format!("type {}", printable(name, FACT_CHARACTERS)));
            }
        };
        Some(fact.into())
    }

    fn is_service_linked(&self) -> bool {
        let starts = |name: &Option<String>| {
            name.as_deref()
                .is_some_and(|name| name.starts_with("AWSServiceRoleFor"))
        };
        starts(&self.name)
            || self
                .issuer_arn
                .as_deref()
                .is_some_and(|arn| arn.contains(":role/aws-service-role/"))
    }
}

impl ActorKind {
    fn of_type(name: &str) -> ActorKind {
        match name {
            "Root" => ActorKind::Root,
            "IAMUser" => ActorKind::IamUser,
            "AssumedRole" => ActorKind::AssumedRole,
            "Role" => ActorKind::Role,
            "FederatedUser" => ActorKind::FederatedUser,
            "AWSAccount" => ActorKind::AwsAccount,
            "AWSService" => ActorKind::AwsService,
            "SAMLUser" => ActorKind::SamlUser,
            "WebIdentityUser" => ActorKind::WebIdentityUser,
            "Directory" => ActorKind::Directory,
            "IdentityCenterUser" => ActorKind::IdentityCenterUser,
            "Unknown" => ActorKind::Unknown,
            _ => ActorKind::Other(name.into()),
        }
    }
}

/// Text from outside made safe to show on one line.
///
/// Line breaks and tabs become spaces; other control characters (ANSI escapes start with one) and
/// characters that are invisible or change the direction of what follows become U+FFFD. What is
/// longer than `most_characters` is cut and ends in `…`.
///
/// ```
/// assert_eq!(cloudtrail::printable("alice\u{1b}[2J\nroot", 256), "alice\u{fffd}[2J root");
/// assert_eq!(cloudtrail::printable("abcdef", 4), "abc…");
/// ```
pub fn printable(text: &str, most_characters: usize) -> String {
    // Of printable ASCII nothing is replaced, and it has as many bytes as characters.
    let is_plain = |byte| matches!(byte, b' '..=b'~');
    if text
        .bytes()
        .fold(true, |plain, byte| plain & is_plain(byte))
    {
        let cut = || text.get(..most_characters.saturating_sub(1));
        return match text.len() > most_characters {
            true => [cut().unwrap_or_default(), "…"].concat(),
            false => text.into(),
        };
    }
    let mut shown: String = text.chars().take(most_characters).map(visible).collect();
    if text.chars().nth(most_characters).is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}

fn visible(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => char::REPLACEMENT_CHARACTER,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => {
            char::REPLACEMENT_CHARACTER
        }
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}' => char::REPLACEMENT_CHARACTER,
        control if control.is_control() => char::REPLACEMENT_CHARACTER,
        other => other,
    }
}

/// A `userIdentity` while it is read.
struct Identity<'a> {
    written_kind: Option<Cow<'a, str>>,
    user_name: Option<Cow<'a, str>>,
    account_id: Option<Cow<'a, str>>,
    invoked_by: Option<Cow<'a, str>>,
    /// Of the Identity Center user on whose behalf the request was made.
    user_id: Option<Cow<'a, str>>,
    arn: PrincipalArn<'a>,
    principal_session: Option<&'a str>,
    session: &'a Session<'a>,
}

impl<'a> Identity<'a> {
    fn kind(&self) -> ActorKind {
        match self.written_kind.as_deref() {
            Some("AWSAccount") if self.is_anonymous() => ActorKind::Anonymous,
            Some(name) => ActorKind::of_type(name),
            None => self.arn.kind(self.invoked_by.is_some()),
        }
    }

    fn name(&self, kind: &ActorKind) -> Option<Cow<'a, str>> {
        let user_name = || self.user_name.clone().filter(|name| name != HIDDEN);
        let issuer = |member| self.session.of_issuer(member);
        let in_arn = || self.arn.name.map(Cow::Borrowed);
        match kind {
            // `root` itself is no account alias.
            ActorKind::Root => user_name().filter(|name| !name.eq_ignore_ascii_case("root")),
            ActorKind::AssumedRole => issuer("userName").or_else(in_arn).or_else(user_name),
            ActorKind::FederatedUser => issuer("userName").or_else(|| {
                let is_root = issuer("type").as_deref() == Some("Root");
                is_root.then_some("root".into())
            }),
            ActorKind::AwsService => self.invoked_by.clone(),
            ActorKind::IdentityCenterUser => user_name().or_else(|| self.user_id.clone()),
            ActorKind::AwsAccount | ActorKind::Anonymous => user_name(),
            _ => user_name().or_else(in_arn),
        }
    }

    fn session_name(&self, kind: &ActorKind) -> Option<&'a str> {
        let in_arn = match kind {
            ActorKind::AssumedRole | ActorKind::AwsAccount => self.arn.session,
            ActorKind::FederatedUser => self.arn.name,
            _ => return None,
        };
        in_arn.or(self.principal_session)
    }

    fn account_id(&self) -> Option<Cow<'a, str>> {
        let written = self.account_id.clone().filter(|_| !self.is_anonymous());
        written
            .or_else(|| self.arn.account.map(Cow::Borrowed))
            .or_else(|| self.session.of_issuer("accountId"))
    }

    /// S3 writes this as the account of an unsigned request.
    fn is_anonymous(&self) -> bool {
        self.account_id.as_deref().is_some_and(|account| {
            account.eq_ignore_ascii_case("ANONYMOUS_PRINCIPAL")
                || account.eq_ignore_ascii_case("anonymous")
        })
    }
}

/// A `sessionContext` while it is read.
struct Session<'a> {
    issuer: Option<Value<'a>>,
    attributes: Option<Value<'a>>,
    source_identity: Option<Value<'a>>,
    web_identity: Option<Value<'a>>,
    assumed_root: Option<Value<'a>>,
}

impl<'a> Session<'a> {
    fn of(session: Option<Value<'a>>) -> Self {
        let names = [
            "sessionIssuer",
            "attributes",
            "sourceIdentity",
            "webIdFederationData",
            "assumedRoot",
        ];
        let session = session.and_then(Value::as_object);
        let found = session.map(|session| members(session, names));
        let [
            issuer,
            attributes,
            source_identity,
            web_identity,
            assumed_root,
        ] = found.unwrap_or_default();
        Session {
            issuer,
            attributes,
            source_identity,
            web_identity,
            assumed_root,
        }
    }

    fn of_issuer(&self, name: &str) -> Option<Cow<'a, str>> {
        text_in(self.issuer, name)
    }

    fn mfa(&self) -> Option<bool> {
        let written = self.attributes?.get("mfaAuthenticated");
        written.and_then(truth)
    }
}

/// The principal id of a session is `id of the role:name of the session`.
fn session_in_principal_id(principal_id: &str) -> Option<&str> {
    let (_, session) = principal_id.split_once(':')?;
    (!session.is_empty()).then_some(session)
}

/// What the ARN of an identity says.
#[derive(Default)]
struct PrincipalArn<'a> {
    account: Option<&'a str>,
    resource_type: &'a str,
    name: Option<&'a str>,
    session: Option<&'a str>,
}

impl<'a> PrincipalArn<'a> {
    /// `arn:partition:service::account:type/path/name` or, of sessions, `type/role/session`.
    fn parse(arn: &'a str) -> Self {
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(account), Some(resource)) =
            (parts.next(), parts.nth(3), parts.next())
        else {
            return Self::default();
        };
        let (resource_type, path) = resource.split_once('/').unwrap_or((resource, ""));
        let mut names = path.rsplit('/').filter(|name| !name.is_empty());
        let last = names.next();
        let (name, session) = match (resource_type, names.next()) {
            ("assumed-role", Some(role)) => (Some(role), last),
            _ => (last, None),
        };
        PrincipalArn {
            account: Some(account).filter(|account| !account.is_empty()),
            resource_type,
            name,
            session,
        }
    }

    /// The kind of an identity that does not say its type.
    fn kind(&self, is_invoked_by_service: bool) -> ActorKind {
        match self.resource_type {
            "root" => ActorKind::Root,
            "user" => ActorKind::IamUser,
            "assumed-role" => ActorKind::AssumedRole,
            "role" => ActorKind::Role,
            "federated-user" => ActorKind::FederatedUser,
            _ if is_invoked_by_service => ActorKind::AwsService,
            _ => ActorKind::Unknown,
        }
    }
}

/// Names that tools give their sessions: `botocore-session-1688990082`, `i-0123456789abcdef0`.
fn is_made_up(session: &str) -> bool {
    let ends_in_number = session.bytes().rev().take_while(u8::is_ascii_digit).count() >= 8;
    ends_in_number || session.starts_with("i-")
}

/// The permission set behind a role that Identity Center made:
/// `AWSReservedSSO_<permission set>_<16 hex digits>`.
fn permission_set(role: &str) -> Option<&str> {
    let rest = role.strip_prefix("AWSReservedSSO_")?;
    match rest.rsplit_once('_') {
        Some((set, suffix)) if suffix.len() == 16 => Some(set),
        _ => Some(rest),
    }
}

fn kind_without_identity(record: Object<'_>) -> ActorKind {
    let says = |name, expected: &str| {
        member(record, name).is_some_and(|value| value.eq_ignore_ascii_case(expected))
    };
    if says("eventType", "AwsCloudTrailInsight") || says("eventCategory", "Insight") {
        ActorKind::Insights
    } else if says("eventType", "AwsAggregatedEvent") || says("eventCategory", "Aggregated") {
        ActorKind::Aggregated
    } else if says("eventType", "AwsServiceEvent") || member(record, "invokedBy").is_some() {
        ActorKind::AwsService
    } else {
        ActorKind::Unknown
    }
}

/// The service in `sourceIPAddress`, or the one whose event this is.
fn calling_service(record: Object<'_>) -> Option<String> {
    let is_service =
        |name: &Cow<'_, str>| name.ends_with(".amazonaws.com") || name == "AWS Internal";
    ["sourceIPAddress", "eventSource"]
        .into_iter()
        .find_map(|name| member(record, name).filter(is_service))
        .map(Cow::into_owned)
}

fn truth(value: Value<'_>) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(value),
        Value::String(text) => {
            let text = text.decode();
            let says = |word: &str| text.eq_ignore_ascii_case(word);
            match says("true") || says("yes") {
                true => Some(true),
                false => (says("false") || says("no")).then_some(false),
            }
        }
        _ => None,
    }
}

/// The members of these names, in one pass; of several of one name the last one.
fn members<'a, const N: usize>(object: Object<'a>, names: [&str; N]) -> [Option<Value<'a>>; N] {
    let mut found = [None; N];
    for (name, value) in object.members() {
        // Bytes say it all unless there are escapes among them.
        let escaped = name.raw().contains(&b'\\').then(|| name.decode());
        let name = escaped.as_deref().map_or(name.raw(), str::as_bytes);
        for (known, found) in names.iter().zip(&mut found) {
            if name == known.as_bytes() {
                *found = Some(value);
            }
        }
    }
    found
}

fn member<'a>(object: Object<'a>, name: &str) -> Option<Cow<'a, str>> {
    object.get(name).and_then(text)
}

fn text_in<'a>(value: Option<Value<'a>>, name: &str) -> Option<Cow<'a, str>> {
    value?.get(name).and_then(text)
}

/// A string that is not blank, or a number, as text.
fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => {
            let text = text.decode();
            (!text.trim_start().is_empty()).then_some(text)
        }
        Value::Number(digits) => Some(digits.into()),
        _ => None,
    }
}

fn owned(value: Value<'_>) -> Option<String> {
    text(value).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn actor(record: &str) -> Actor {
        Actor::of(Object::parse(record.as_bytes()).unwrap())
    }

    /// The actor of a record with this identity, received by account 111122223333.
    fn identity(identity: &str) -> Actor {
        actor(&format!(
            r#"{{"recipientAccountId":"111122223333","userIdentity":{identity}}}"#
        ))
    }

    #[track_caller]
    fn assert_names(actor: &Actor, short: &str, long: &str) {
        assert_eq!(
            (actor.short_name().as_str(), actor.describe().as_str()),
            (short, long)
        );
    }

    #[test]
    fn root_is_the_root_of_an_account() {
        let root = identity(
            r#"{"type":"Root","accountId":"111122223333","arn":"arn:aws:iam::111122223333:root",
                "sessionContext":{"attributes":{"mfaAuthenticated":"false"}}}"#,
        );
        assert_eq!(root.kind, ActorKind::Root);
        assert_names(
            &root,
            "root of account 111122223333",
            "root of account 111122223333 (no MFA)",
        );
        assert_names(&identity(r#"{"type":"Root"}"#), "root", "root");
        let only_arn = identity(r#"{"type":"Root","arn":"arn:aws-cn:iam::111122223333:root"}"#);
        assert_eq!(only_arn.short_name(), "root of account 111122223333");
    }

    #[test]
    fn the_user_name_of_root_is_the_account_alias() {
        let root =
            identity(r#"{"type":"Root","accountId":"111122223333","userName":"example-corp"}"#);
        assert_eq!(root.name.as_deref(), Some("example-corp"));
        assert_names(
            &root,
            "root of account 111122223333",
            "root of account 111122223333 (alias example-corp)",
        );
        let said_twice =
            identity(r#"{"type":"Root","accountId":"111122223333","userName":"root"}"#);
        assert_eq!(said_twice.describe(), "root of account 111122223333");
    }

    #[test]
    fn a_root_session_of_assume_root_says_so() {
        let root = identity(
            r#"{"type":"Root","accountId":"111122223333","sessionContext":{"assumedRoot":"true"}}"#,
        );
        assert_eq!(
            root.describe(),
            "root of account 111122223333 (session of AssumeRoot)"
        );
    }

    #[test]
    fn an_iam_user_has_its_user_name() {
        let user = identity(
            r#"{"type":"IAMUser","principalId":"AIDAEXAMPLE","arn":"arn:aws:iam::111122223333:user/ops/alice",
                "accountId":"111122223333","accessKeyId":"AKIAIOSFODNN7EXAMPLE","userName":"alice",
                "sessionContext":{"attributes":{"mfaAuthenticated":"true"}}}"#,
        );
        assert_eq!(user.access_key_id.as_deref(), Some("AKIAIOSFODNN7EXAMPLE"));
        assert_eq!(user.principal_id.as_deref(), Some("AIDAEXAMPLE"));
        assert_names(&user, "alice", "alice (IAM user, MFA)");
        let unnamed =
            identity(r#"{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/ops/alice"}"#);
        assert_eq!(unnamed.short_name(), "alice");
        let by_id = identity(r#"{"type":"IAMUser","principalId":"AIDAEXAMPLE"}"#);
        assert_eq!(by_id.short_name(), "AIDAEXAMPLE");
    }

    #[test]
    fn a_hidden_user_name_is_not_taken_for_a_name() {
        let user = identity(
            r#"{"type":"IAMUser","accountId":"111122223333","principalId":"","arn":"",
                "userName":"HIDDEN_DUE_TO_SECURITY_REASONS"}"#,
        );
        assert_eq!(user.name, None);
        assert_names(
            &user,
            "hidden user name",
            "hidden user name (no such IAM user)",
        );
    }

    #[test]
    fn an_assumed_role_is_role_and_session() {
        let role = identity(
            r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:ci-runner","accountId":"111122223333",
                "arn":"arn:aws:sts::111122223333:assumed-role/DeployRole/ci-runner",
                "sessionContext":{"sessionIssuer":{"type":"Role","userName":"DeployRole"},
                "sourceIdentity":"alice@example.com","attributes":{"mfaAuthenticated":"false"}}}"#,
        );
        assert_names(
            &role,
            "DeployRole/ci-runner",
            "DeployRole/ci-runner (source identity alice@example.com)",
        );
    }

    #[test]
    fn role_and_session_are_found_in_arn_or_principal_id() {
        let only_arn = identity(
            r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/Deploy/me@x.org"}"#,
        );
        assert_eq!(only_arn.short_name(), "Deploy/me@x.org");
        assert_eq!(only_arn.account_id.as_deref(), Some("111122223333"));
        let only_principal = identity(r#"{"type":"AssumedRole","principalId":"AROAEXAMPLE:me"}"#);
        assert_eq!(only_principal.short_name(), "me");
        let only_issuer = identity(
            r#"{"type":"AssumedRole","sessionContext":{"sessionIssuer":{"accountId":"111122223333","userName":"Deploy"}}}"#,
        );
        assert_names(&only_issuer, "Deploy", "Deploy (assumed role)");
        let wrong_case = identity(
            r#"{"type":"AssumedRole","sessioncontext":{},"arn":"arn:aws:sts::111122223333:assumed-role/A/b"}"#,
        );
        assert_eq!(wrong_case.short_name(), "A/b");
    }

    #[test]
    fn a_role_of_identity_center_shows_its_permission_set() {
        let role = identity(
            r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_Access_0123456789abcdef/alice",
                "sessionContext":{"attributes":{"mfaAuthenticated":"false"}}}"#,
        );
        assert_names(
            &role,
            "AWSReservedSSO_Admin_Access_0123456789abcdef/alice",
            "AWSReservedSSO_Admin_Access_0123456789abcdef/alice (Identity Center permission set Admin_Access)",
        );
    }

    #[test]
    fn of_a_role_only_the_presence_of_mfa_is_told() {
        let role = |mfa: &str| {
            identity(&format!(
                r#"{{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/R/s",
                    "sessionContext":{{"attributes":{{"mfaAuthenticated":"{mfa}"}}}}}}"#
            ))
        };
        assert_eq!(role("false").mfa, Some(false));
        assert_eq!(role("false").describe(), "R/s");
        assert_eq!(role("true").describe(), "R/s (MFA)");
    }

    #[test]
    fn a_service_linked_role_is_told() {
        let role = identity(
            r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForRDS/SLRManagement"}"#,
        );
        assert_eq!(
            role.describe(),
            "AWSServiceRoleForRDS/SLRManagement (service-linked role)"
        );
    }

    #[test]
    fn a_role_without_a_session_is_a_role() {
        let role =
            identity(r#"{"type":"Role","arn":"arn:aws:iam::111122223333:role/service/Backup"}"#);
        assert_names(&role, "Backup", "Backup (role)");
    }

    #[test]
    fn a_federated_user_is_issuer_and_session() {
        let arn = r#""arn":"arn:aws:sts::111122223333:federated-user/bob","principalId":"111122223333:bob""#;
        let user = identity(&format!(
            r#"{{"type":"FederatedUser",{arn},"sessionContext":{{"sessionIssuer":{{"type":"IAMUser","userName":"broker"}}}}}}"#
        ));
        assert_names(&user, "broker/bob", "broker/bob (federated user)");
        let by_root = identity(&format!(
            r#"{{"type":"FederatedUser",{arn},"sessionContext":{{"sessionIssuer":{{"type":"Root"}}}}}}"#
        ));
        assert_eq!(by_root.short_name(), "root/bob");
        assert_eq!(
            identity(&format!(r#"{{"type":"FederatedUser",{arn}}}"#)).short_name(),
            "bob"
        );
    }

    #[test]
    fn another_account_is_named_by_its_id() {
        let other = identity(
            r#"{"type":"AWSAccount","accountId":"444455556666","principalId":"AROAEXAMPLE:session-1"}"#,
        );
        assert_eq!(other.cross_account.as_deref(), Some("444455556666"));
        assert_names(
            &other,
            "account 444455556666",
            "account 444455556666 (another AWS account, session session-1)",
        );
    }

    #[test]
    fn an_unsigned_request_is_anonymous() {
        let nobody =
            identity(r#"{"type":"AWSAccount","principalId":"","accountId":"ANONYMOUS_PRINCIPAL"}"#);
        assert_eq!(nobody.kind, ActorKind::Anonymous);
        assert_eq!(nobody.cross_account, None);
        assert_names(
            &nobody,
            "anonymous caller",
            "anonymous caller (no AWS identity)",
        );
    }

    #[test]
    fn a_service_is_named_by_invoked_by() {
        let service = identity(r#"{"type":"AWSService","invokedBy":"lambda.amazonaws.com"}"#);
        assert_names(
            &service,
            "lambda.amazonaws.com",
            "lambda.amazonaws.com (AWS service)",
        );
        let no_type = identity(r#"{"accountId":"111122223333","invokedBy":"AWS Internal"}"#);
        assert_eq!(no_type.kind, ActorKind::AwsService);
        assert_eq!(no_type.short_name(), "AWS Internal");
        let at_the_source = actor(
            r#"{"sourceIPAddress":"rds.amazonaws.com","userIdentity":{"type":"AWSService"}}"#,
        );
        assert_eq!(at_the_source.short_name(), "rds.amazonaws.com");
        let service_event = actor(
            r#"{"eventType":"AwsServiceEvent","eventSource":"kms.amazonaws.com","userIdentity":null}"#,
        );
        assert_eq!(service_event.short_name(), "kms.amazonaws.com");
    }

    #[test]
    fn identities_of_providers_name_the_provider() {
        let saml =
            identity(r#"{"type":"SAMLUser","userName":"bob@x.org","identityProvider":"idp"}"#);
        assert_names(
            &saml,
            "bob@x.org from idp",
            "bob@x.org from idp (SAML user)",
        );
        let web = identity(
            r#"{"type":"WebIdentityUser","principalId":"accounts.google.com:app:user-id",
                "userName":"user-id","identityProvider":"accounts.google.com"}"#,
        );
        assert_names(
            &web,
            "user-id from accounts.google.com",
            "user-id from accounts.google.com (web identity user)",
        );
    }

    #[test]
    fn directory_and_identity_center_users_have_a_name() {
        let directory = identity(r#"{"type":"Directory","userName":"corp\\alice"}"#);
        assert_names(&directory, r"corp\alice", r"corp\alice (directory user)");
        let center = identity(
            r#"{"type":"IdentityCenterUser","accountId":"111122223333","credentialId":"c-1",
                "onBehalfOf":{"userId":"544894e8-80c1-707f","identityStoreArn":"arn:aws:identitystore::111122223333:identitystore/d-1"}}"#,
        );
        assert_names(
            &center,
            "544894e8-80c1-707f",
            "544894e8-80c1-707f (Identity Center user)",
        );
    }

    #[test]
    fn on_whose_behalf_and_through_what_is_told() {
        let role = identity(
            r#"{"type":"AssumedRole","arn":"arn:aws:sts::444455556666:assumed-role/R/s","accountId":"444455556666",
                "invokedBy":"cloudformation.amazonaws.com","invokedByDelegate":{"accountId":"777788889999"},
                "onBehalfOf":{"userId":"u-1"},"inScopeOf":{"sourceArn":"arn:aws:lambda:us-east-1:111122223333:function:f"},
                "sessionContext":{"webIdFederationData":{"federatedProvider":"token.example.com"}}}"#,
        );
        assert_eq!(
            role.describe(),
            "R/s (on behalf of u-1, identity provider token.example.com, through cloudformation.amazonaws.com, \
             for account 777788889999, issued for arn:aws:lambda:us-east-1:111122223333:function:f, \
             from account 444455556666)"
        );
    }

    #[test]
    fn old_records_have_invoked_by_beside_the_identity() {
        let user = actor(
            r#"{"invokedBy":"signin.amazonaws.com","userIdentity":{"type":"IAMUser","userName":"alice"}}"#,
        );
        assert_eq!(
            user.describe(),
            "alice (IAM user, through signin.amazonaws.com)"
        );
        assert_eq!(
            actor(r#"{"invokedBy":"ec2.amazonaws.com"}"#).short_name(),
            "ec2.amazonaws.com"
        );
    }

    #[test]
    fn insights_and_aggregated_events_have_no_identity() {
        for record in [
            r#"{"eventType":"AwsCloudTrailInsight"}"#,
            r#"{"eventCategory":"insight","userIdentity":{}}"#,
        ] {
            assert_names(&actor(record), "CloudTrail Insights", "CloudTrail Insights");
        }
        assert_eq!(
            actor(r#"{"eventCategory":"Aggregated"}"#).short_name(),
            "various identities"
        );
    }

    #[test]
    fn a_missing_or_misshapen_identity_is_unknown() {
        for record in [
            "{}",
            r#"{"userIdentity":null}"#,
            r#"{"userIdentity":[1]}"#,
            r#"{"userIdentity":{"type":"Unknown","userName":{"a":1},"arn":[]}}"#,
            r#"{"userIdentity":{"type":null,"sessionContext":"x"}}"#,
        ] {
            assert_names(&actor(record), "unknown identity", "unknown identity");
        }
        let account = identity(r#"{"type":"Unknown","accountId":111122223333}"#);
        assert_eq!(
            account.short_name(),
            "unknown identity of account 111122223333"
        );
    }

    #[test]
    fn people_are_told_from_programs() {
        let session = |session: &str, more: &str| {
            actor(&format!(
                r#"{{"userIdentity":{{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/{session}"}}{more}}}"#
            ))
        };
        for (person, is_machine) in [
            (session("Deploy/aws-go-sdk-1688990082523310002", ""), true),
            (session("Web/i-0123456789abcdef0", ""), true),
            (session("Deploy/botocore-session-1688990082", ""), true),
            (session("Admin/alice@example.com", ""), false),
            (
                session("AWSReservedSSO_Admin_0123456789abcdef/alice", ""),
                false,
            ),
            (
                session("Admin/alice", r#","sessionCredentialFromConsole":"true""#),
                false,
            ),
            (identity(r#"{"type":"Root"}"#), false),
            (identity(r#"{"type":"IAMUser","userName":"alice"}"#), false),
            (
                identity(r#"{"type":"AWSAccount","accountId":"444455556666"}"#),
                false,
            ),
            (
                identity(r#"{"type":"AWSService","invokedBy":"ec2.amazonaws.com"}"#),
                true,
            ),
            (
                identity(r#"{"type":"FederatedUser","arn":"arn:aws:sts::1:federated-user/bob"}"#),
                false,
            ),
            (identity("{}"), false),
        ] {
            assert_eq!(person.is_machine(), is_machine, "{}", person.describe());
        }
    }

    #[test]
    fn an_identity_that_is_a_text_is_still_told() {
        assert_eq!(identity(r#""alice""#).short_name(), "alice");
        let arn = identity(r#""arn:aws:sts::444455556666:assumed-role/R/s""#);
        assert_eq!(arn.kind, ActorKind::AssumedRole);
        assert_names(&arn, "R/s", "R/s (from account 444455556666)");
    }

    #[test]
    fn a_type_that_is_not_known_is_named() {
        let other = identity(r#"{"type":"Robot","userName":"r2"}"#);
        assert_eq!(other.kind, ActorKind::Other("Robot".into()));
        assert_eq!(other.describe(), "r2 (type Robot)");
    }

    #[test]
    fn without_a_type_the_arn_tells_the_kind() {
        for (arn, kind) in [
            ("arn:aws:iam::1:root", ActorKind::Root),
            ("arn:aws:iam::1:user/a", ActorKind::IamUser),
            ("arn:aws:iam::1:role/a", ActorKind::Role),
            ("arn:aws:sts::1:federated-user/a", ActorKind::FederatedUser),
            ("arn:aws:s3:::bucket", ActorKind::Unknown),
            ("arn", ActorKind::Unknown),
        ] {
            assert_eq!(
                identity(&format!(r#"{{"arn":"{arn}"}}"#)).kind,
                kind,
                "{arn}"
            );
        }
    }

    #[test]
    fn mfa_of_a_sign_in_is_the_one_used_there() {
        let sign_in = |used: &str| {
            actor(&format!(
                r#"{{"eventName":"ConsoleLogin","additionalEventData":{{"MFAUsed":{used}}},
                    "userIdentity":{{"type":"IAMUser","userName":"a",
                    "sessionContext":{{"attributes":{{"mfaAuthenticated":"false"}}}}}}}}"#
            ))
            .mfa
        };
        assert_eq!(sign_in(r#""Yes""#), Some(true));
        assert_eq!(sign_in(r#""No""#), Some(false));
        assert_eq!(sign_in("null"), Some(false));
    }

    #[test]
    fn mfa_authenticated_is_a_text_or_a_truth_value() {
        for (written, mfa) in [
            (r#""true""#, Some(true)),
            (r#""False""#, Some(false)),
            ("true", Some(true)),
            ("1", None),
            ("{}", None),
        ] {
            let user = identity(&format!(
                r#"{{"type":"IAMUser","sessionContext":{{"attributes":{{"mfaAuthenticated":{written}}}}}}}"#
            ));
            assert_eq!(user.mfa, mfa, "{written}");
        }
    }

    #[test]
    fn the_account_an_actor_comes_from_is_told_only_if_it_is_another() {
        let own = identity(r#"{"type":"IAMUser","userName":"a","accountId":"111122223333"}"#);
        assert_eq!(own.cross_account, None);
        let other = identity(r#"{"type":"IAMUser","userName":"a","accountId":"444455556666"}"#);
        assert_eq!(other.describe(), "a (IAM user, from account 444455556666)");
    }

    #[test]
    fn nothing_in_a_name_moves_the_terminal() {
        let user = identity(
            r#"{"type":"IAMUser","userName":"a\u001b[31m\r\nb\u202ec\u2066\u0000\u009bd\u200be","sessionContext":{"sourceIdentity":"x\ny"}}"#,
        );
        assert_eq!(
            user.short_name(),
            "a\u{fffd}[31m  b\u{fffd}c\u{fffd}\u{fffd}\u{fffd}d\u{fffd}e"
        );
        assert!(user.describe().ends_with("(IAM user, source identity x y)"));
    }

    #[test]
    fn long_names_are_cut() {
        let long = "é".repeat(10_000);
        let user = identity(&format!(
            r#"{{"type":"SAMLUser","userName":"{long}","identityProvider":"{long}","invokedBy":"{long}"}}"#
        ));
        assert_eq!(user.short_name().chars().count(), 256);
        assert!(user.short_name().ends_with('…'));
        assert!(user.describe().chars().count() < 600);
        assert_eq!(user.name.map(|name| name.chars().count()), Some(10_000));
    }

    proptest! {
        #[test]
        fn every_name_is_one_short_line(name in any::<String>(), session in any::<String>(), kind in "Root|IAMUser|AssumedRole|SAMLUser|.{0,8}") {
            let record = serde_json::json!({
                "recipientAccountId": session,
                "userIdentity": { "type": kind, "userName": name, "arn": session, "principalId": name,
                    "accountId": name, "invokedBy": session, "identityProvider": name,
                    "sessionContext": { "sourceIdentity": name, "sessionIssuer": { "userName": session } } }
            });
            let actor = actor(&record.to_string());
            for text in [actor.short_name(), actor.describe()] {
                prop_assert!(!text.is_empty());
                prop_assert!(!text.contains(char::is_control), "{text:?}");
                let moves_text = text.contains(['\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}']);
                prop_assert!(!moves_text, "{text:?}");
                prop_assert!(text.chars().count() <= 2000);
            }
        }

        #[test]
        fn any_bytes_have_an_actor(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = br#"{"userIdentity":{"type":"AssumedRole","arn":"#.to_vec();
            text.extend(bytes);
            let record = Object::from_extent(&text).unwrap();
            prop_assert!(!Actor::of(record).describe().is_empty());
        }
    }
}
