//! For tests: a server on this machine that plays recorded answers, one for each request in turn, and
//! keeps the requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_config::Region;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

use crate::clients::loader;
use crate::{Clients, Timeouts};

/// What the server does about one request.
pub(crate) enum Answer {
    /// It says this and hangs up.
    Bytes(Vec<u8>),
    /// It says this and then nothing more, without hanging up.
    BytesThenSilence(Vec<u8>),
    /// It says the first at once and the rest byte by byte, five in a second.
    Drip(Vec<u8>, Vec<u8>),
    /// It says nothing.
    Silence,
}

impl Answer {
    /// An answer with a body; each of the `headers` ends with `\r\n`.
    pub(crate) fn http(status: u16, headers: &str, body: &str) -> Answer {
        let length = body.len();
        Answer::Bytes(
            format!(
                "HTTP/1.1 {status} Made Up\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }

    /// An answer of a service that speaks JSON.
    pub(crate) fn json(status: u16, body: &str) -> Answer {
        Answer::http(status, "Content-Type: application/x-amz-json-1.0\r\n", body)
    }

    /// An answer of S3 that has a document.
    pub(crate) fn xml(status: u16, body: &str) -> Answer {
        let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}");
        Answer::http(status, "Content-Type: application/xml\r\n", &body)
    }

    /// An answer of S3 that is an error.
    pub(crate) fn xml_error(status: u16, code: &str) -> Answer {
        let body = format!("<Error><Code>{code}</Code><Message>made up</Message></Error>");
        Answer::xml(status, &body)
    }

    /// An answer that does not say how long it is.
    pub(crate) fn chunked(headers: &str, chunks: &[&str]) -> Answer {
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\n{headers}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        );
        for chunk in chunks.iter().chain(&[""]) {
            answer += &format!("{:x}\r\n{chunk}\r\n", chunk.len());
        }
        Answer::Bytes(answer.into_bytes())
    }

    pub(crate) fn without_last_bytes(self, count: usize) -> Answer {
        match self {
            Answer::Bytes(mut bytes) => {
                bytes.truncate(bytes.len() - count);
                Answer::Bytes(bytes)
            }
            other => other,
        }
    }

    pub(crate) fn dripping(self, last_bytes: usize) -> Answer {
        match self {
            Answer::Bytes(mut bytes) => {
                let rest = bytes.split_off(bytes.len() - last_bytes);
                Answer::Drip(bytes, rest)
            }
            other => other,
        }
    }

    pub(crate) fn then_silence(self) -> Answer {
        match self {
            Answer::Bytes(bytes) => Answer::BytesThenSilence(bytes),
            other => other,
        }
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: String,
}

/// The server.
pub(crate) struct Recorded {
    url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Recorded {
    /// Starts a server that accepts as many requests as there are answers.
    pub(crate) fn answers(answers: impl IntoIterator<Item = Answer>) -> Recorded {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let answers: Vec<Answer> = answers.into_iter().collect();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || serve(&listener, answers, &kept));
        Recorded { url, requests }
    }

    /// Clients that send all they send to this server.
    pub(crate) async fn clients(&self) -> Clients {
        self.clients_within(Timeouts::short()).await
    }

    /// The same with other time limits.
    pub(crate) async fn clients_within(&self, timeouts: Timeouts) -> Clients {
        let credentials = Credentials::new("AKIDEXAMPLE", "made-up", None, None, "tests");
        let config = loader(timeouts)
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .endpoint_url(&self.url)
            .load()
            .await;
        Clients::new(config, timeouts).unwrap()
    }

    /// How many requests have come.
    pub(crate) fn requests(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// One of the requests that have come.
    pub(crate) fn request(&self, index: usize) -> Request {
        self.requests.lock().unwrap()[index].clone()
    }
}

fn serve(listener: &TcpListener, answers: Vec<Answer>, requests: &Mutex<Vec<Request>>) {
    let mut silent = Vec::new();
    for answer in answers {
        let Ok((mut stream, _)) = listener.accept() else {
            return;
        };
        let Some(request) = read_request(&stream) else {
            continue;
        };
        requests.lock().unwrap().push(request);
        match answer {
            Answer::Bytes(bytes) => drop(stream.write_all(&bytes)),
            Answer::BytesThenSilence(bytes) => {
                drop(stream.write_all(&bytes));
                silent.push(stream);
            }
            Answer::Drip(first, rest) => drip(stream, &first, &rest),
            Answer::Silence => silent.push(stream),
        }
    }
    // Silence lasts until the clients hang up.
    for mut stream in silent {
        drop(stream.read_to_end(&mut Vec::new()));
    }
}

fn drip(mut stream: TcpStream, first: &[u8], rest: &[u8]) {
    let mut pieces = std::iter::once(first).chain(rest.chunks(1));
    while pieces
        .next()
        .is_some_and(|piece| stream.write_all(piece).is_ok())
    {
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .to_ascii_lowercase()
        .split_once("content-length:")
        .and_then(|(_, rest)| rest.lines().next()?.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request {
        head,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}
