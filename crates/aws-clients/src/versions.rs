//! The versions of an object.

use std::cmp::Reverse;

use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{DeleteMarkerEntry, ObjectVersion as Version};
use ports::{ErrorKind, ObjectVersion, ObjectVersions, RequestError};

use crate::S3Objects;
use crate::objects::LIST_VERSIONS;
use crate::request::own_error;

/// The most that S3 tells at a time.
const MOST_IN_A_PAGE: usize = 1_000;

/// Where a page starts: after this version of this key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VersionsFrom {
    pub(crate) key: Option<String>,
    pub(crate) version: Option<String>,
}

impl ObjectVersions for S3Objects {
    async fn object_versions(
        &self,
        bucket: &str,
        key: &str,
        most: usize,
    ) -> Result<Vec<ObjectVersion>, RequestError> {
        let mut found = Vec::new();
        let mut from = VersionsFrom::default();
        while found.len() < most {
            let left = (most - found.len()).min(MOST_IN_A_PAGE);
            let page = i32::try_from(left).unwrap_or(i32::MAX);
            let page = self.list_versions_page(bucket, key, page, &from).await?;
            let next = next_page(&page)?;
            found.extend(versions_of(page, key));
            match next {
                // Another key that begins with this one: it comes after all versions of this one.
                Some(next) if next.key.as_deref() != Some(key) => break,
                Some(next) if next == from => return Err(unreadable("the same page comes again")),
                Some(next) => from = next,
                None => break,
            }
        }
        found.truncate(most);
        Ok(found)
    }
}

fn next_page(page: &ListObjectVersionsOutput) -> Result<Option<VersionsFrom>, RequestError> {
    if page.is_truncated != Some(true) {
        return Ok(None);
    }
    let key = page.next_key_marker.clone();
    if key.is_none() {
        return Err(unreadable("there is more, and no marker to ask for it"));
    }
    let version = page.next_version_id_marker.clone();
    Ok(Some(VersionsFrom { key, version }))
}

/// The versions and delete markers of this key, the newest first.
///
/// S3 tells them so, but the SDK takes them apart. They are put together by their times, which are in whole seconds:
/// of a delete marker and a version of the same second that are both not the latest, the marker goes first.
fn versions_of(page: ListObjectVersionsOutput, key: &str) -> Vec<ObjectVersion> {
    let is_it = |found: &Option<String>| found.as_deref() == Some(key);
    let versions = page.versions.unwrap_or_default();
    let markers = page.delete_markers.unwrap_or_default();
    let versions = versions.into_iter().filter(|found| is_it(&found.key));
    let markers = markers.into_iter().filter(|found| is_it(&found.key));
    let mut found: Vec<_> = markers.map(deleted).chain(versions.map(written)).collect();
    found.sort_by_key(|found| Reverse((found.is_latest, found.last_modified)));
    found
}

fn written(version: Version) -> ObjectVersion {
    ObjectVersion {
        version: id(version.version_id),
        is_delete_marker: false,
        is_latest: version.is_latest == Some(true),
        last_modified: version.last_modified.map(|time| time.secs()),
        etag: version.e_tag.map(|etag| etag.trim_matches('"').to_owned()),
        size: version.size.and_then(|size| u64::try_from(size).ok()),
    }
}

fn deleted(marker: DeleteMarkerEntry) -> ObjectVersion {
    ObjectVersion {
        version: id(marker.version_id),
        is_delete_marker: true,
        is_latest: marker.is_latest == Some(true),
        last_modified: marker.last_modified.map(|time| time.secs()),
        etag: None,
        size: None,
    }
}

fn id(version: Option<String>) -> String {
    version.unwrap_or_else(|| "null".to_owned())
}

fn unreadable(told: &str) -> RequestError {
    own_error(LIST_VERSIONS, ErrorKind::Unknown, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, Recorded};

    fn page(inner: &str) -> Answer {
        let body = format!(
            "<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>trail</Name>{inner}</ListVersionsResult>"
        );
        Answer::xml(200, &body)
    }

    fn version(key: &str, id: &str, is_latest: bool, second: u32) -> String {
        format!(
            "<Version><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{is_latest}</IsLatest>\
             <LastModified>2026-10-21T07:28:{second:02}.000Z</LastModified><ETag>&quot;e-{id}&quot;</ETag><Size>7</Size></Version>"
        )
    }

    fn marker(key: &str, id: &str, is_latest: bool, second: u32) -> String {
        format!(
            "<DeleteMarker><Key>{key}</Key><VersionId>{id}</VersionId><IsLatest>{is_latest}</IsLatest>\
             <LastModified>2026-10-21T07:28:{second:02}.000Z</LastModified></DeleteMarker>"
        )
    }

    fn more(key: &str, id: &str) -> String {
        format!(
            "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{id}</NextVersionIdMarker>"
        )
    }

    async fn versions(
        answers: Vec<Answer>,
        most: usize,
    ) -> (Recorded, Result<Vec<ObjectVersion>, RequestError>) {
        let server = Recorded::answers(answers);
        let objects = server.clients().await.objects();
        let found = objects.object_versions("trail", "logs/a", most).await;
        (server, found)
    }

    fn ids(found: Result<Vec<ObjectVersion>, RequestError>) -> Vec<String> {
        found
            .unwrap()
            .into_iter()
            .map(|found| found.version)
            .collect()
    }

    #[tokio::test]
    async fn versions_and_delete_markers_are_told_the_newest_first() {
        let inner = [
            "<IsTruncated>false</IsTruncated>",
            &marker("logs/a", "m2", true, 9),
            &version("logs/a", "v2", false, 9),
            &marker("logs/a", "m1", false, 5),
            &version("logs/a", "null", false, 1),
        ];
        let (server, found) = versions(vec![page(&inner.concat())], 10).await;
        let found = found.unwrap();
        let expected = ObjectVersion {
            version: "m2".to_owned(),
            is_delete_marker: true,
            is_latest: true,
            last_modified: Some(1_792_567_689),
            etag: None,
            size: None,
        };
        assert_eq!(found[0], expected);
        let expected = ObjectVersion {
            version: "v2".to_owned(),
            is_delete_marker: false,
            is_latest: false,
            last_modified: Some(1_792_567_689),
            etag: Some("e-v2".to_owned()),
            size: Some(7),
        };
        assert_eq!(found[1], expected);
        assert_eq!(ids(Ok(found)), ["m2", "v2", "m1", "null"]);
        let head = server.request(0).head;
        assert!(head.starts_with("GET /trail/?versions&"), "{head}");
        for asked in ["prefix=logs%2Fa", "max-keys=10"] {
            assert!(head.contains(asked), "{head}");
        }
    }

    #[tokio::test]
    async fn an_object_that_was_written_again_within_a_second_is_the_latest() {
        let inner = [
            version("logs/a", "v2", true, 9),
            marker("logs/a", "m1", false, 9),
            version("logs/a", "v1", false, 9),
        ];
        let (_, found) = versions(vec![page(&inner.concat())], 10).await;
        assert_eq!(ids(found), ["v2", "m1", "v1"]);
    }

    #[tokio::test]
    async fn other_keys_that_begin_so_are_left_out_and_end_it() {
        let inner = [
            more("logs/a.gz", "w1"),
            version("logs/a", "v1", true, 1),
            version("logs/a.gz", "w1", true, 2),
            marker("logs/a/b", "m1", true, 3),
        ];
        let (server, found) = versions(vec![page(&inner.concat())], 10).await;
        assert_eq!(ids(found), ["v1"]);
        assert_eq!(server.requests(), 1);
    }

    #[tokio::test]
    async fn pages_are_followed_up_to_the_most_that_is_wanted() {
        let pages = || {
            let first = [
                more("logs/a", "v2"),
                version("logs/a", "v3", true, 3),
                version("logs/a", "v2", false, 2),
            ];
            let second = [more("logs/a", "v1"), version("logs/a", "v1", false, 1)];
            let third = [version("logs/a", "v0", false, 0)];
            vec![
                page(&first.concat()),
                page(&second.concat()),
                page(&third.concat()),
            ]
        };
        let (server, found) = versions(pages(), 10).await;
        assert_eq!(ids(found), ["v3", "v2", "v1", "v0"]);
        let head = server.request(1).head;
        for asked in ["key-marker=logs%2Fa", "version-id-marker=v2", "max-keys=8"] {
            assert!(head.contains(asked), "{head}");
        }
        let (server, found) = versions(pages(), 3).await;
        assert_eq!(ids(found), ["v3", "v2", "v1"]);
        assert_eq!(server.requests(), 2);
        let (server, found) = versions(pages(), 1).await;
        assert_eq!(ids(found), ["v3"]);
        assert_eq!(server.requests(), 1);
        let (server, found) = versions(pages(), 0).await;
        assert_eq!(ids(found), [""; 0]);
        assert_eq!(server.requests(), 0);
    }

    #[tokio::test]
    async fn pages_that_lead_nowhere_are_an_error() {
        let again = || page(&more("logs/a", "v1"));
        let (server, found) = versions(vec![again(), again(), again()], 10).await;
        assert_eq!(found.unwrap_err().kind, ErrorKind::Unknown);
        assert_eq!(server.requests(), 2);
        let (_, found) = versions(vec![page("<IsTruncated>true</IsTruncated>")], 10).await;
        assert_eq!(found.unwrap_err().kind, ErrorKind::Unknown);
    }

    #[tokio::test]
    async fn an_object_that_never_was_has_no_versions() {
        let (_, found) = versions(vec![page("<IsTruncated>false</IsTruncated>")], 10).await;
        assert_eq!(found.unwrap(), []);
        let denied = vec![Answer::xml_error(403, "AccessDenied")];
        let error = versions(denied, 10).await.1.unwrap_err();
        assert_eq!(
            (error.operation, error.kind),
            ("ListObjectVersions", ErrorKind::AccessDenied)
        );
    }
}
