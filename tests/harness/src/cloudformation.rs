//! CloudFormation for an [`Account`]: stacks of a template that lies in a bucket.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hyper::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Account;
use crate::xml;

/// What a stack has become.
#[derive(Clone, Debug)]
pub struct CreatedStack {
    /// Its name.
    pub name: String,
    /// `CREATE_COMPLETE` if all went well.
    pub status: String,
    /// Physical ids by logical id, of resources that were made.
    pub resources: BTreeMap<String, String>,
    /// The outputs.
    pub outputs: BTreeMap<String, String>,
    /// Why resources failed, in order of time; empty if all went well.
    pub failures: Vec<String>,
}

impl CreatedStack {
    /// The physical id of a resource.
    ///
    /// # Panics
    ///
    /// The stack has no such resource.
    pub fn resource(&self, logical_id: &str) -> &str {
        let id = self.resources.get(logical_id);
        id.unwrap_or_else(|| panic!("expected a resource `{logical_id}` in {:?}", self.resources))
    }

    /// The value of an output.
    ///
    /// # Panics
    ///
    /// The stack has no such output.
    pub fn output(&self, name: &str) -> &str {
        let value = self.outputs.get(name);
        value.unwrap_or_else(|| panic!("expected an output `{name}` in {:?}", self.outputs))
    }
}

impl Account {
    /// Creates a stack, with leave to make IAM roles, and waits until that has ended one way or the other.
    ///
    /// The template is an object, as with `sam deploy`: a request takes 51,200 bytes of it.
    pub async fn create_stack(
        &self,
        name: &str,
        (bucket, key): (&str, &str),
        parameters: &[(&str, &str)],
    ) -> CreatedStack {
        let url = format!("https://s3.amazonaws.com/{bucket}/{key}");
        let mut form = vec![
            ("StackName".to_owned(), name.to_owned()),
            ("TemplateURL".to_owned(), url),
            (
                "Capabilities.member.1".to_owned(),
                "CAPABILITY_IAM".to_owned(),
            ),
            ("DisableRollback".to_owned(), "true".to_owned()),
        ];
        for (index, (parameter, value)) in (1..).zip(parameters) {
            let member = format!("Parameters.member.{index}");
            form.push((format!("{member}.ParameterKey"), (*parameter).to_owned()));
            form.push((format!("{member}.ParameterValue"), (*value).to_owned()));
        }
        self.cloudformation("CreateStack", &form).await;
        let described = self.described_once_settled(name).await;
        let of_stack = [("StackName".to_owned(), name.to_owned())];
        let resources = self
            .cloudformation("DescribeStackResources", &of_stack)
            .await;
        let events = self.cloudformation("DescribeStackEvents", &of_stack).await;
        CreatedStack {
            name: name.to_owned(),
            status: xml::text(&described, "StackStatus").unwrap_or_default(),
            resources: pairs(
                &resources,
                "StackResources",
                "LogicalResourceId",
                "PhysicalResourceId",
            ),
            outputs: pairs(&described, "Outputs", "OutputKey", "OutputValue"),
            failures: failures(&events),
        }
    }

    async fn described_once_settled(&self, name: &str) -> String {
        let of_stack = [("StackName".to_owned(), name.to_owned())];
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let described = self.cloudformation("DescribeStacks", &of_stack).await;
            let status = xml::text(&described, "StackStatus").unwrap_or_default();
            if !status.ends_with("_IN_PROGRESS") {
                return described;
            }
            assert!(
                Instant::now() < deadline,
                "expected the stack `{name}` to settle, it is {status}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn cloudformation(&self, action: &str, form: &[(String, String)]) -> String {
        let mut body = format!("Action={action}&Version=2010-05-15");
        for (name, value) in form {
            let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
            body.push_str(&format!("&{name}={value}"));
        }
        let request = self
            .request(Method::POST, "cloudformation", "/")
            .header("content-type", "application/x-www-form-urlencoded");
        let response = self.send(action, request, body).await;
        String::from_utf8_lossy(response.body()).into_owned()
    }
}

/// Key and value of each member of a list.
fn pairs(answer: &str, list: &str, key: &str, value: &str) -> BTreeMap<String, String> {
    let lists = xml::elements(answer, list);
    let members = lists.iter().flat_map(|list| xml::elements(list, "member"));
    members
        .filter_map(|member| Some((xml::text(member, key)?, xml::text(member, value)?)))
        .collect()
}

/// The failures among the events of a stack, which come latest first.
fn failures(events: &str) -> Vec<String> {
    let lists = xml::elements(events, "StackEvents");
    let members = lists.iter().flat_map(|list| xml::elements(list, "member"));
    let mut failures: Vec<String> = members
        .filter_map(|event| {
            let status = xml::text(event, "ResourceStatus")?;
            let reason = xml::text(event, "ResourceStatusReason").unwrap_or_default();
            let resource = xml::text(event, "LogicalResourceId")?;
            status
                .ends_with("_FAILED")
                .then(|| format!("{resource}: {status}: {reason}"))
        })
        .collect();
    failures.reverse();
    failures
}
