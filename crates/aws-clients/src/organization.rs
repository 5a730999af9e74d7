//! The organization that the account is in.

use std::collections::HashSet;

use aws_config::SdkConfig;
use aws_sdk_organizations::Client;
use aws_sdk_organizations::types::{Account, AccountState};
use ports::{ErrorKind, Organization, RequestError};

use crate::request::{own_error, send};

const DESCRIBE_ORGANIZATION: &str = "DescribeOrganization";
const LIST_ACCOUNTS: &str = "ListAccounts";

/// Far more pages than an organization has accounts.
const MOST_PAGES: usize = 10_000;

/// Asks Organizations.
#[derive(Debug, Clone)]
pub struct Organizations {
    client: Client,
}

impl Organizations {
    pub(crate) fn new(config: &SdkConfig) -> Organizations {
        Organizations {
            client: Client::new(config),
        }
    }
}

impl Organization for Organizations {
    async fn organization_id(&self) -> Result<String, RequestError> {
        let request = self.client.describe_organization();
        let answer = send(DESCRIBE_ORGANIZATION, request.send()).await?;
        let organization = answer.organization.and_then(|organization| organization.id);
        organization.ok_or_else(|| unreadable(DESCRIBE_ORGANIZATION, "the organization has no id"))
    }

    async fn account_ids(&self) -> Result<Vec<String>, RequestError> {
        let mut accounts = Vec::new();
        let mut known = HashSet::new();
        let mut token = None;
        for _ in 0..MOST_PAGES {
            let request = self.client.list_accounts().set_next_token(token);
            let answer = send(LIST_ACCOUNTS, request.send()).await?;
            for account in answer.accounts.unwrap_or_default() {
                if is_active(&account) {
                    let id = account.id;
                    accounts
                        .push(id.ok_or_else(|| unreadable(LIST_ACCOUNTS, "an account has no id"))?);
                }
            }
            match answer.next_token.filter(|token| !token.is_empty()) {
                None => return Ok(accounts),
                Some(next) if !known.insert(next.clone()) => break,
                Some(next) => token = Some(next),
            }
        }
        Err(unreadable(LIST_ACCOUNTS, "the pages do not come to an end"))
    }
}

/// `Status` says the same; AWS retires it in favour of `State`.
fn is_active(account: &Account) -> bool {
    match account.state() {
        Some(state) => *state == AccountState::Active,
        None => account
            .status()
            .is_some_and(|status| status.as_str() == "ACTIVE"),
    }
}

fn unreadable(operation: &'static str, told: &str) -> RequestError {
    own_error(operation, ErrorKind::Unknown, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, Recorded};

    async fn organization(answers: Vec<Answer>) -> (Recorded, Organizations) {
        let server = Recorded::answers(answers);
        let organization = server.clients().await.organization();
        (server, organization)
    }

    #[tokio::test]
    async fn an_organization_is_told_by_its_id() {
        let body = r#"{"Organization":{"Id":"o-exampleorgid","MasterAccountId":"111122223333"}}"#;
        let (server, organization) = organization(vec![Answer::json(200, body)]).await;
        assert_eq!(
            organization.organization_id().await.unwrap(),
            "o-exampleorgid"
        );
        let head = server.request(0).head;
        assert!(
            head.contains("AWSOrganizationsV20161128.DescribeOrganization"),
            "{head}"
        );
    }

    #[tokio::test]
    async fn an_account_that_is_in_none_finds_none() {
        let body = r#"{"__type":"AWSOrganizationsNotInUseException","Message":"made up"}"#;
        let (_, organization) = organization(vec![Answer::json(400, body)]).await;
        let error = organization.organization_id().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn an_organization_without_an_id_is_an_error() {
        let (_, organization) = organization(vec![Answer::json(200, "{}")]).await;
        let error = organization.organization_id().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unknown);
    }

    #[tokio::test]
    async fn the_active_accounts_of_all_pages_are_told() {
        let first = r#"{"Accounts":[{"Id":"111122223333","State":"ACTIVE","Status":"ACTIVE"},{"Id":"444455556666","State":"SUSPENDED"}],
            "NextToken":"t1"}"#;
        let second = r#"{"Accounts":[{"Id":"123456789012","Status":"ACTIVE"},{"Id":"777788889999","Status":"SUSPENDED"}]}"#;
        let answers = vec![Answer::json(200, first), Answer::json(200, second)];
        let (server, organization) = organization(answers).await;
        let accounts = organization.account_ids().await.unwrap();
        assert_eq!(accounts, ["111122223333", "123456789012"]);
        assert_eq!(server.request(0).body, "{}");
        assert_eq!(server.request(1).body, r#"{"NextToken":"t1"}"#);
    }

    #[tokio::test]
    async fn pages_that_go_round_in_circles_are_an_error() {
        let page = || Answer::json(200, r#"{"Accounts":[],"NextToken":"t1"}"#);
        let (server, organization) = organization(vec![page(), page(), page()]).await;
        let error = organization.account_ids().await.unwrap_err();
        assert_eq!(
            (error.operation, error.kind),
            ("ListAccounts", ErrorKind::Unknown)
        );
        assert_eq!(server.requests(), 2);
    }

    #[tokio::test]
    async fn a_role_that_may_not_ask_is_denied() {
        let denied = Answer::json(
            400,
            r#"{"__type":"AccessDeniedException","Message":"made up"}"#,
        );
        let (_, organization) = organization(vec![denied]).await;
        let error = organization.account_ids().await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::AccessDenied);
    }
}
