//! A stand-in for S3, CloudTrail and Organizations that answers from a chain, on loopback.
#![allow(dead_code, reason = "each test file uses a part")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use testkit::chain::{Chain, ReadFault};

use crate::command::Run;

/// So many keys in a page of a listing: fewer than a chain has, so that there are several.
const PAGE: usize = 10;

/// What answers.
pub(crate) struct Aws {
    pub(crate) chain: Chain,
    /// What DescribeTrails shows.
    pub(crate) trails: Vec<Value>,
    /// What DescribeOrganization says.
    pub(crate) organization_id: Option<String>,
    /// Requests that are answered with an error, by how they begin: `GET /bucket/key`, `ListPublicKeys`. The error:
    /// HTTP status, code, message.
    pub(crate) errors: Vec<(String, u16, &'static str, &'static str)>,
    /// Answers come late, some later than others.
    pub(crate) is_slow: bool,
    /// What is asked for the first time is to be asked for again.
    pub(crate) is_busy: bool,
}

/// A server, until the test ends.
pub(crate) struct Server {
    url: String,
    seen: Arc<Seen>,
}

/// What came.
#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Aws {
    /// As the streams of a chain are set up.
    pub(crate) fn of(chain: Chain) -> Aws {
        let mut trails: Vec<Value> = Vec::new();
        for spec in chain.streams.iter().map(|stream| &stream.spec) {
            if trails.iter().any(|trail| trail["TrailARN"] == spec.arn()) {
                continue;
            }
            trails.push(json!({
                "Name": spec.trail, "TrailARN": spec.arn(), "HomeRegion": spec.home_region,
                "S3BucketName": spec.bucket_of(spec.hours), "S3KeyPrefix": spec.prefix,
                "IsOrganizationTrail": spec.organization_id.is_some(), "IsMultiRegionTrail": true,
                "LogFileValidationEnabled": true,
            }));
        }
        let mut organizations = chain
            .streams
            .iter()
            .map(|stream| &stream.spec.organization_id);
        Aws {
            organization_id: organizations.find_map(Clone::clone),
            trails,
            chain,
            errors: Vec::new(),
            is_slow: false,
            is_busy: false,
        }
    }

    /// Listens on a free port of its own.
    pub(crate) fn serve(self) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let of_server = Arc::new(Seen::default());
        let (aws, seen) = (Arc::new(self), Arc::clone(&of_server));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (aws, seen) = (Arc::clone(&aws), Arc::clone(&seen));
                let stream = stream.unwrap();
                thread::spawn(move || aws.answers(stream, &seen));
            }
        });
        Server {
            url,
            seen: of_server,
        }
    }

    /// One request after the other, until the other side has no more.
    fn answers(&self, mut stream: TcpStream, seen: &Seen) {
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = Request::read(&mut reader) {
            let name = request.name();
            let under_way = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
            seen.most_under_way.fetch_max(under_way, Ordering::SeqCst);
            let is_new = {
                let mut requests = seen.requests.lock().unwrap();
                requests.push(name.clone());
                requests.iter().filter(|request| **request == name).count() == 1
            };
            if self.is_slow {
                let spread = name.bytes().map(u64::from).sum::<u64>() % 7;
                thread::sleep(Duration::from_millis(1 + spread * spread));
            }
            let answer = match self.is_busy && is_new && request.operation.is_empty() {
                true => Answer::s3_error(503, "SlowDown", "Please reduce your request rate."),
                false => self.answer(&request),
            };
            seen.under_way.fetch_sub(1, Ordering::SeqCst);
            let announced = answer.body.len();
            let length = if answer.is_cut {
                announced / 2
            } else {
                announced
            };
            let mut bytes = format!(
                "HTTP/1.1 {} X\r\ncontent-length: {announced}\r\n",
                answer.status
            );
            for (name, value) in &answer.headers {
                write!(bytes, "{name}: {value}\r\n").unwrap();
            }
            let bytes = [bytes.as_bytes(), b"\r\n", &answer.body[..length]].concat();
            // The other side may have seen enough.
            if stream.write_all(&bytes).is_err() || answer.is_cut {
                let _ = stream.shutdown(std::net::Shutdown::Both);
                return;
            }
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        let name = request.name();
        let error = self.errors.iter().find(|error| name.starts_with(&error.0));
        if let Some((_, status, code, message)) = error {
            return match request.operation.is_empty() {
                true => Answer::s3_error(*status, code, message),
                false => Answer::json(*status, &json!({ "__type": code, "message": message })),
            };
        }
        match request.operation.as_str() {
            "" => self.s3(request),
            "DescribeTrails" => Answer::json(200, &json!({ "trailList": self.trails })),
            "ListPublicKeys" => Answer::json(200, &self.public_keys(request)),
            "DescribeOrganization" => {
                let id = self.organization_id.as_ref().unwrap();
                Answer::json(200, &json!({ "Organization": { "Id": id } }))
            }
            other => panic!("{other} is not answered here"),
        }
    }

    fn public_keys(&self, request: &Request) -> Value {
        let time = |name: &str| request.body[name].as_f64().unwrap() as i64;
        let (start, end) = (time("StartTime"), time("EndTime"));
        let keys = self.chain.public_keys.get(&request.region);
        let list: Vec<Value> = keys
            .into_iter()
            .flatten()
            .filter(|key| key.validity_start <= end && key.validity_end >= start)
            .map(|key| {
                json!({
                    "Value": base64(&key.value), "Fingerprint": key.fingerprint,
                    "ValidityStartTime": key.validity_start, "ValidityEndTime": key.validity_end,
                })
            })
            .collect();
        json!({ "PublicKeyList": list })
    }

    fn s3(&self, request: &Request) -> Answer {
        let (bucket, key) = request.path[1..]
            .split_once('/')
            .unwrap_or((&request.path[1..], ""));
        let has_bucket = self.chain.objects.keys().any(|(of, _)| of == bucket)
            || self
                .chain
                .streams
                .iter()
                .any(|stream| stream.spec.bucket == bucket);
        if !has_bucket {
            return Answer::s3_error(404, "NoSuchBucket", "The specified bucket does not exist");
        }
        if request.query("location").is_some() {
            return Answer::xml(
                200,
                "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"/>",
            );
        }
        if key.is_empty() {
            return self.listing(bucket, request);
        }
        let place = (bucket.to_owned(), key.to_owned());
        let fault = self.chain.read_faults.iter().find(|(at, _)| *at == place);
        let fault = fault.map(|(_, fault)| fault);
        match fault {
            Some(ReadFault::Denied) => {
                return Answer::s3_error(403, "AccessDenied", "Access Denied");
            }
            Some(ReadFault::Archived) => {
                let message = "The operation is not valid for the object's storage class";
                return Answer::s3_error(403, "InvalidObjectState", message);
            }
            Some(ReadFault::ConnectionCut) | None => {}
        }
        let Some(object) = self.chain.objects.get(&place) else {
            return Answer::s3_error(404, "NoSuchKey", "The specified key does not exist.");
        };
        let metadata = object.metadata.iter();
        let metadata = metadata.map(|(name, value)| (format!("x-amz-meta-{name}"), value.clone()));
        Answer {
            status: 200,
            headers: metadata
                .chain([("etag".to_owned(), "\"0\"".to_owned())])
                .collect(),
            body: object.content.clone(),
            is_cut: fault.is_some(),
        }
    }

    fn listing(&self, bucket: &str, request: &Request) -> Answer {
        let prefix = request.query("prefix").unwrap_or_default();
        let after = request
            .query("continuation-token")
            .or(request.query("start-after"));
        let after = after.unwrap_or_default();
        let by_folder = request.query("delimiter").is_some();
        let keys = self.chain.objects.keys().filter(|(of, _)| of == bucket);
        let keys = keys
            .map(|(_, key)| key)
            .filter(|key| key.starts_with(&prefix));
        let mut entries: Vec<(String, bool)> = Vec::new();
        for key in keys {
            let slash = key[prefix.len()..].find('/').filter(|_| by_folder);
            let entry = match slash {
                Some(slash) => (key[..=prefix.len() + slash].to_owned(), true),
                None => (key.clone(), false),
            };
            if entry.0 > after && entries.last() != Some(&entry) {
                entries.push(entry);
            }
        }
        let is_truncated = entries.len() > PAGE;
        entries.truncate(PAGE);
        let mut xml = format!(
            "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>{is_truncated}</IsTruncated>"
        );
        if let (true, Some((last, _))) = (is_truncated, entries.last()) {
            write!(
                xml,
                "<NextContinuationToken>{}</NextContinuationToken>",
                escaped(last)
            )
            .unwrap();
        }
        for (entry, is_folder) in &entries {
            let entry = escaped(entry);
            match is_folder {
                true => write!(xml, "<CommonPrefixes><Prefix>{entry}</Prefix></CommonPrefixes>"),
                false => write!(
                    xml,
                    "<Contents><Key>{entry}</Key><LastModified>2026-03-01T00:00:00.000Z</LastModified><ETag>\"0\"</ETag><Size>1</Size></Contents>"
                ),
            }
            .unwrap();
        }
        Answer::xml(200, &(xml + "</ListBucketResult>"))
    }
}

impl Server {
    /// Runs `trailwarden` against it, with credentials that are no one's, in us-east-1.
    pub(crate) fn trailwarden(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run {
            status: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same with both outputs in one pipe: what came in the order in which it came.
    pub(crate) fn in_one_pipe(&self, arguments: &[&str]) -> String {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let mut command = self.command(arguments);
        command.stdout(writer.try_clone().unwrap()).stderr(writer);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        child.wait().unwrap();
        text
    }

    /// What was asked, in the order in which it came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    /// How many requests there were at the same time.
    pub(crate) fn most_under_way(&self) -> usize {
        self.seen.most_under_way.load(Ordering::SeqCst)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_trailwarden"));
        command
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .stdin(Stdio::null());
        command
    }
}

struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    /// Of a service that is not S3.
    operation: String,
    /// Of the signature.
    region: String,
    body: Value,
}

impl Request {
    fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
        let mut line = String::new();
        let length = reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        assert!(length > 0);
        let (mut operation, mut region, mut length) = (String::new(), String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-length" => length = value.parse().unwrap(),
                "x-amz-target" => operation = value.rsplit('.').next().unwrap().to_owned(),
                "authorization" => region = value.split('/').nth(2).unwrap().to_owned(),
                _ => {}
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query = query
            .split('&')
            .filter(|part| !part.is_empty())
            .map(|part| {
                let (name, value) = part.split_once('=').unwrap_or((part, ""));
                (unescaped(name), unescaped(value))
            });
        Some(Request {
            method,
            path: unescaped(path),
            query: query.collect(),
            operation,
            region,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }

    /// As errors are set up for it.
    fn name(&self) -> String {
        match (
            self.operation.as_str(),
            self.query("list-type"),
            self.query("location"),
        ) {
            ("", Some(_), _) => format!("LIST {}", self.path),
            ("", _, Some(_)) => format!("LOCATION {}", self.path),
            ("", ..) => format!("{} {}", self.method, self.path),
            (operation, ..) => operation.to_owned(),
        }
    }

    fn query(&self, name: &str) -> Option<String> {
        let found = self.query.iter().find(|(of, _)| of == name);
        found.map(|(_, value)| value.clone())
    }
}

struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// The connection ends in the middle of the body.
    is_cut: bool,
}

impl Answer {
    fn text(status: u16, kind: &str, body: String) -> Answer {
        Answer {
            status,
            headers: vec![("content-type".to_owned(), kind.to_owned())],
            body: body.into_bytes(),
            is_cut: false,
        }
    }

    fn json(status: u16, body: &Value) -> Answer {
        Answer::text(status, "application/x-amz-json-1.1", body.to_string())
    }

    fn xml(status: u16, body: &str) -> Answer {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{body}");
        Answer::text(status, "application/xml", body)
    }

    fn s3_error(status: u16, code: &str, message: &str) -> Answer {
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        Answer::xml(status, &body)
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind
            .get(..2)
            .and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &behind[2..];
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let mut bits = 0_usize;
        for index in 0..3 {
            bits = bits << 8 | usize::from(three.get(index).copied().unwrap_or(0));
        }
        for index in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * index) & 63];
            text.push(if index <= three.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    text
}
