//! Lambda, EventBridge Scheduler and CloudWatch for an [`Account`]: what a stack has made there.

use hyper::Method;
use serde_json::{Value, json};

use crate::Account;
use crate::account::list_of;

impl Account {
    /// Invokes a function that is deployed in the emulator, and waits for what it returns.
    ///
    /// # Panics
    ///
    /// The function failed.
    pub async fn invoke_function(&self, name: &str, payload: &Value) -> Value {
        let path = format!("/2015-03-31/functions/{name}/invocations");
        let request = self.request(Method::POST, "lambda", &path);
        let response = self.send("Invoke", request, payload.to_string()).await;
        let text = String::from_utf8_lossy(response.body());
        assert!(
            !response.headers().contains_key("x-amz-function-error"),
            "expected `{name}` to succeed, it returned {text}"
        );
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("expected JSON from `{name}`: {error}: {text}"))
    }

    /// The configuration of a function.
    pub async fn function_configuration(&self, name: &str) -> Value {
        self.get(
            "lambda",
            &format!("/2015-03-31/functions/{name}/configuration"),
        )
        .await
    }

    /// The event source mappings of a function.
    pub async fn event_source_mappings(&self, function: &str) -> Vec<Value> {
        let path = format!("/2015-03-31/event-source-mappings/?FunctionName={function}");
        list_of(&mut self.get("lambda", &path).await, "EventSourceMappings")
    }

    /// A schedule of the default group.
    pub async fn schedule(&self, name: &str) -> Value {
        self.get("scheduler", &format!("/schedules/{name}")).await
    }

    /// All metric alarms whose name begins with this.
    pub async fn alarms(&self, prefix: &str) -> Vec<Value> {
        let asked = json!({ "AlarmNamePrefix": prefix, "MaxRecords": 100 });
        let mut answer = self
            .json("GraniteServiceVersion20100801.DescribeAlarms", &asked)
            .await;
        assert!(
            answer.get("NextToken").is_none_or(Value::is_null),
            "expected all alarms of `{prefix}` in one answer"
        );
        list_of(&mut answer, "MetricAlarms")
    }

    async fn get(&self, service: &str, path: &str) -> Value {
        let request = self.request(Method::GET, service, path);
        let response = self.send(path, request, "").await;
        let text = String::from_utf8_lossy(response.body());
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("expected JSON from {path}: {error}: {text}"))
    }
}
