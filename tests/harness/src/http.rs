//! One HTTP/1.1 exchange over a connection of its own.
//!
//! Nothing is pooled: tests run on runtimes of their own, and a connection that one test closed or a
//! fault cut must not be met by another.
//!
//! Out of scope: TLS and redirects; everything is on loopback.

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why an exchange gave no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// Nobody listens there.
    #[error("cannot connect to {address}")]
    Connect {
        /// Where a server was expected.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The connection was made, and ended before the whole response was read.
    #[error("no complete response")]
    Exchange(#[from] hyper::Error),
}

/// Sends a request and reads the whole response.
///
/// A `Host` header is added where there is none.
///
/// # Errors
///
/// No connection, or one that ends before the response does. An error status is a response.
pub async fn send(
    address: SocketAddr,
    mut request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, HttpError> {
    if !request.headers().contains_key("host")
        && let Ok(host) = address.to_string().parse()
    {
        request.headers_mut().insert("host", host);
    }
    let stream = TcpStream::connect(address)
        .await
        .map_err(|source| HttpError::Connect { address, source })?;
    stream
        .set_nodelay(true)
        .map_err(|source| HttpError::Connect { address, source })?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Response::from_parts(head, body))
    };
    // The connection only moves bytes; its end shows as the result of the exchange.
    let connection = async {
        let _ = connection.await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        response = exchange => response,
        never = connection => match never {},
    }
}
