//! What a bucket holds.
//!
//! Keys come as they are: no encoding is asked for. Characters that XML 1.0 cannot carry come as references to their
//! numbers, which the SDK reads.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::Object;
use ports::{ErrorKind, ListFrom, ListObjects, ListedObject, Listing, RequestError};

use crate::S3Objects;
use crate::objects::LIST_OBJECTS;
use crate::request::own_error;

impl ListObjects for S3Objects {
    async fn list_objects(
        &self,
        bucket: &str,
        prefix: &str,
        by_folder: bool,
        from: ListFrom<'_>,
    ) -> Result<Listing, RequestError> {
        listing(self.list_page(bucket, prefix, by_folder, from).await?)
    }
}

fn listing(answer: ListObjectsV2Output) -> Result<Listing, RequestError> {
    let next = match answer.is_truncated {
        Some(true) => {
            let token = answer
                .next_continuation_token
                .filter(|token| !token.is_empty());
            Some(token.ok_or_else(|| unreadable("there is more, and no token to ask for it"))?)
        }
        _ => None,
    };
    let objects = answer.contents.unwrap_or_default();
    let folders = answer.common_prefixes.unwrap_or_default();
    Ok(Listing {
        objects: objects
            .into_iter()
            .map(listed_object)
            .collect::<Result<_, _>>()?,
        folders: folders
            .into_iter()
            .filter_map(|folder| folder.prefix)
            .collect(),
        next,
    })
}

fn listed_object(object: Object) -> Result<ListedObject, RequestError> {
    Ok(ListedObject {
        key: object
            .key
            .ok_or_else(|| unreadable("an object has no key"))?,
        etag: object
            .e_tag
            .unwrap_or_default()
            .trim_matches('"')
            .to_owned(),
        size: object
            .size
            .and_then(|size| u64::try_from(size).ok())
            .unwrap_or(0),
        last_modified: object.last_modified.map(|time| time.secs()),
    })
}

fn unreadable(told: &str) -> RequestError {
    own_error(LIST_OBJECTS, ErrorKind::Unknown, told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorded::{Answer, Recorded};

    fn page(inner: &str) -> Answer {
        let body = format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>trail</Name>{inner}</ListBucketResult>"
        );
        Answer::xml(200, &body)
    }

    fn contents(key: &str) -> String {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2026-10-21T07:28:00.000Z</LastModified><ETag>&quot;abc&quot;</ETag>\
             <Size>7</Size><StorageClass>STANDARD</StorageClass></Contents>"
        )
    }

    fn keys(listing: &Listing) -> Vec<&str> {
        let keys = listing.objects.iter();
        keys.map(|object| object.key.as_str()).collect()
    }

    #[tokio::test]
    async fn a_listing_tells_objects_and_folders() {
        let folder = "<CommonPrefixes><Prefix>logs/2026/</Prefix></CommonPrefixes>";
        let inner = format!(
            "<IsTruncated>false</IsTruncated>{}{folder}",
            contents("logs/a.gz")
        );
        let server = Recorded::answers([page(&inner)]);
        let objects = server.clients().await.objects();
        let listing = objects
            .list_objects("trail", "logs/", true, ListFrom::Start)
            .await
            .unwrap();
        let expected = ListedObject {
            key: "logs/a.gz".to_owned(),
            etag: "abc".to_owned(),
            size: 7,
            last_modified: Some(1_792_567_680),
        };
        assert_eq!(listing.objects, [expected]);
        assert_eq!(listing.folders, ["logs/2026/"]);
        assert_eq!(listing.next, None);
        let head = server.request(0).head;
        assert!(head.starts_with("GET /trail/?list-type=2&"), "{head}");
        for asked in ["prefix=logs%2F", "delimiter=%2F"] {
            assert!(head.contains(asked), "{head}");
        }
        for not_asked in ["encoding-type", "start-after", "continuation-token"] {
            assert!(!head.contains(not_asked), "{head}");
        }
    }

    #[tokio::test]
    async fn the_next_page_is_asked_for_by_its_token() {
        let first = format!(
            "<IsTruncated>true</IsTruncated><NextContinuationToken>a/+=</NextContinuationToken>{}",
            contents("1")
        );
        let second = format!("<IsTruncated>false</IsTruncated>{}", contents("2"));
        let server = Recorded::answers([page(&first), page(&second)]);
        let objects = server.clients().await.objects();
        let from = ListFrom::After("0 ü");
        let listing = objects
            .list_objects("trail", "", false, from)
            .await
            .unwrap();
        assert_eq!(keys(&listing), ["1"]);
        let next = listing.next.unwrap();
        let from = ListFrom::Token(&next);
        let listing = objects
            .list_objects("trail", "", false, from)
            .await
            .unwrap();
        assert_eq!(keys(&listing), ["2"]);
        assert_eq!(listing.next, None);
        let head = server.request(0).head;
        assert!(head.contains("start-after=0%20%C3%BC"), "{head}");
        assert!(!head.contains("delimiter"), "{head}");
        let head = server.request(1).head;
        assert!(head.contains("continuation-token=a%2F%2B%3D"), "{head}");
        assert!(!head.contains("start-after"), "{head}");
    }

    #[tokio::test]
    async fn keys_are_those_that_were_put() {
        // A stand-in may say `url` and encode nothing: nothing was asked for, so nothing is decoded.
        let written = [
            "a%2Fb+c",
            " a &amp;&lt;b&gt; ",
            "a&#x1;b&#13;&#10;",
            "ü\u{1f4c4}",
            ".",
        ];
        let inner: String = written.into_iter().map(contents).collect();
        let inner = format!("<EncodingType>url</EncodingType>{inner}");
        let server = Recorded::answers([page(&inner)]);
        let objects = server.clients().await.objects();
        let listing = objects
            .list_objects("trail", "", false, ListFrom::Start)
            .await
            .unwrap();
        let expected = ["a%2Fb+c", " a &<b> ", "a\u{1}b\r\n", "ü\u{1f4c4}", "."];
        assert_eq!(keys(&listing), expected);
    }

    #[tokio::test]
    async fn a_page_can_be_empty() {
        let server = Recorded::answers([page(
            "<IsTruncated>false</IsTruncated><KeyCount>0</KeyCount>",
        )]);
        let objects = server.clients().await.objects();
        let listing = objects
            .list_objects("trail", "none/", false, ListFrom::Start)
            .await;
        assert_eq!(listing.unwrap(), Listing::default());
    }

    #[tokio::test]
    async fn a_page_that_hides_what_comes_next_is_no_listing() {
        for inner in [
            "<IsTruncated>true</IsTruncated>".to_owned(),
            "<IsTruncated>true</IsTruncated><NextContinuationToken></NextContinuationToken>"
                .to_owned(),
            "<IsTruncated>false</IsTruncated><Contents><Size>7</Size></Contents>".to_owned(),
        ] {
            let server = Recorded::answers([page(&inner)]);
            let objects = server.clients().await.objects();
            let listing = objects
                .list_objects("trail", "", false, ListFrom::Start)
                .await;
            assert_eq!(listing.unwrap_err().kind, ErrorKind::Unknown, "{inner}");
        }
    }

    #[tokio::test]
    async fn errors_are_told_apart() {
        for (status, code, kind) in [
            (404, "NoSuchBucket", ErrorKind::NotFound),
            (403, "AccessDenied", ErrorKind::AccessDenied),
        ] {
            let server = Recorded::answers([Answer::xml_error(status, code)]);
            let objects = server.clients().await.objects();
            let listing = objects
                .list_objects("trail", "", false, ListFrom::Start)
                .await;
            let error = listing.unwrap_err();
            assert_eq!((error.operation, error.kind), ("ListObjectsV2", kind));
        }
    }

    #[tokio::test]
    async fn a_listing_that_breaks_off_is_asked_for_again() {
        let whole = format!("<IsTruncated>false</IsTruncated>{}", contents("1"));
        let server = Recorded::answers([page(&whole).without_last_bytes(40), page(&whole)]);
        let objects = server.clients().await.objects();
        let listing = objects
            .list_objects("trail", "", false, ListFrom::Start)
            .await;
        assert_eq!(keys(&listing.unwrap()), ["1"]);
        assert_eq!(server.requests(), 2);
    }
}
