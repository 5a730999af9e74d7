//! `trailwarden attach`: has a bucket announce its objects to EventBridge, and leaves the rest.
//!
//! Read, show, read again, put, read again. S3 can only replace the whole configuration, and replaces it
//! whatever it is by then; so what was shown is compared with what is there at the last moment, and what
//! is there afterwards with what was put. A change by somebody else between that moment and the put is
//! lost, and cannot be seen.

mod report;
mod sentences;

use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_clients::{
    BucketNotifications, Clients, LoadError, Notifications, NotificationsError, Timeouts,
};
use serde_json::json;

use crate::args::{Attach, Format};
use crate::aws_names::{BucketName, RegionName};
use crate::{Outcome, output};
use sentences::Asked;

/// When to look whether the change is there: S3 may show the configuration from before for a while.
const LOOKS: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

pub(crate) fn run(arguments: &Attach) -> anyhow::Result<Outcome> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(attach(arguments))
}

async fn attach(arguments: &Attach) -> anyhow::Result<Outcome> {
    let bucket = Bucket::new(arguments).await?;
    let before = bucket.get().await?;
    let shown = Shown {
        arguments,
        region: &bucket.region,
        before: &before,
    };
    if arguments.format == Format::Text {
        output::write(&shown.text())?;
    }
    if before.event_bridge {
        shown.ends(
            false,
            "EventBridge delivery is on already; nothing was written",
        )?;
        return Ok(Outcome::Fine);
    }
    if !arguments.yes {
        shown.ends(
            false,
            "nothing was written; run again with --yes to write it",
        )?;
        return Ok(Outcome::Found);
    }
    bucket.add_event_bridge(&before).await?;
    shown
        .ends(
            true,
            "written: EventBridge delivery is on, the others were put as shown",
        )
        .context("the change was written")?;
    Ok(Outcome::Fine)
}

/// What was found, and what is to change.
struct Shown<'a> {
    arguments: &'a Attach,
    region: &'a str,
    before: &'a Notifications,
}

impl Shown<'_> {
    fn text(&self) -> String {
        let Attach { bucket, .. } = self.arguments;
        let mut text = format!("{bucket} in {}\n", self.region);
        text.push_str(&report::text(self.before));
        if !self.before.event_bridge {
            text.push_str("  + EventBridge delivery\n");
        }
        text
    }

    /// Says how it ended: people get the last line, programs the document.
    fn ends(&self, written: bool, sentence: &str) -> anyhow::Result<()> {
        if self.arguments.format == Format::Text {
            return output::write(&format!("{sentence}\n"));
        }
        let change = match self.before.event_bridge {
            true => json!(null),
            false => json!({ "EventBridgeConfiguration": {} }),
        };
        let document = json!({
            "bucket": self.arguments.bucket.as_str(),
            "region": self.region,
            "before": report::json(self.before),
            "change": change,
            "written": written,
        });
        output::write(&format!("{}\n", serde_json::to_string_pretty(&document)?))
    }
}

/// The bucket, and who asks about it.
struct Bucket {
    name: BucketName,
    region: String,
    profile: Option<String>,
    owner_is_expected: bool,
    notifications: BucketNotifications,
}

impl Bucket {
    async fn new(arguments: &Attach) -> anyhow::Result<Bucket> {
        let region = arguments.region.clone().map(String::from);
        let profile = arguments.profile.as_deref();
        let clients = Clients::load_for_person(Timeouts::interactive(), region, profile).await;
        let clients = match clients {
            Err(LoadError::NoRegion) => bail!("{}", sentences::no_region(profile)),
            clients => clients?,
        };
        // One that was not given as an argument was not looked at yet.
        let region = clients.region().to_owned();
        if region.is_empty() {
            bail!("{}", sentences::no_region(profile));
        }
        if let Err(error) = region.parse::<RegionName>() {
            bail!("{}", sentences::no_name_of_a_region(&region, &error));
        }
        let owner = arguments.expected_bucket_owner.clone().map(String::from);
        Ok(Bucket {
            name: arguments.bucket.clone(),
            region,
            profile: arguments.profile.clone(),
            owner_is_expected: owner.is_some(),
            notifications: clients.bucket_notifications(owner),
        })
    }

    async fn get(&self) -> anyhow::Result<Notifications> {
        self.notifications
            .get(self.name.as_str())
            .await
            .map_err(|error| self.told(&error))
    }

    fn told(&self, error: &NotificationsError) -> anyhow::Error {
        let asked = Asked {
            bucket: &self.name,
            region: &self.region,
            profile: self.profile.as_deref(),
            owner_is_expected: self.owner_is_expected,
        };
        anyhow::anyhow!("{}", asked.failure(error))
    }

    async fn add_event_bridge(&self, before: &Notifications) -> anyhow::Result<()> {
        let now = self.get().await?;
        if now != *before {
            output::note(&report::differences(before, &now));
            bail!(
                "the notifications of `{}` have changed since they were shown; nothing was written",
                self.name
            );
        }
        let wanted = Notifications {
            event_bridge: true,
            ..before.clone()
        };
        match self.notifications.put(self.name.as_str(), &wanted).await {
            Ok(()) => self.confirm(before, &wanted, None).await,
            Err(NotificationsError::Request(error)) if !error.had_no_effect() => {
                let why = self.told(&NotificationsError::Request(error));
                self.confirm(before, &wanted, Some(why)).await
            }
            Err(error) => Err(self.told(&error).context("nothing was written")),
        }
    }

    /// Looks whether it is as it is wanted. `doubt`: S3 has not said that it took it.
    async fn confirm(
        &self,
        before: &Notifications,
        wanted: &Notifications,
        doubt: Option<anyhow::Error>,
    ) -> anyhow::Result<()> {
        let mut found = None;
        for wait in LOOKS {
            tokio::time::sleep(wait).await;
            match self.get().await {
                Ok(now) if now == *wanted => return Ok(()),
                now => found = Some(now),
            }
        }
        let name = &self.name;
        match (found, doubt) {
            (Some(Ok(now)), None) if now == *before => bail!(
                "S3 accepted the change of `{name}` and still shows the configuration from before, as it may for \
                 some minutes, unless somebody else wrote afterwards; look again with: trailwarden attach --bucket {name}"
            ),
            (Some(Ok(now)), Some(doubt)) if now == *before => Err(doubt.context(format!(
                "S3 did not say whether it took the change of `{name}` and shows the configuration from before; \
                 look again in some minutes with: trailwarden attach --bucket {name}"
            ))),
            (Some(Ok(now)), _) => {
                output::note(&report::differences(wanted, &now));
                if report::is_somebody_elses(before, &now) {
                    bail!(
                        "`{name}` is not as it was written: somebody else wrote afterwards; run attach again in \
                         some minutes"
                    );
                }
                let region = &self.region;
                output::note(&report::restore(name.as_str(), region, before, Some(&now)));
                bail!("`{name}` is not as it was written: destinations are missing, somebody else may have removed them")
            }
            (Some(Err(error)), _) => {
                output::note(&report::restore(name.as_str(), &self.region, before, None));
                Err(error.context(format!("the change of `{name}` was sent, and could not be looked at")))
            }
            (None, _) => bail!("the change of `{name}` was sent, and was not looked at"),
        }
    }
}
