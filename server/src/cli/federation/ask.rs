//! A running server, asked by a command on its own machine: by TLS where the settings say that it speaks that.

mod pinned;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::super::user::read_password;
use super::{AskArgs, CliError, small_runtime};

/// How long the server may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of an answer at most.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// A server, and who asks it.
pub(super) struct Asking {
    runtime: Runtime,
    address: String,
    /// `None`: plain HTTP.
    tls: Option<TlsConnector>,
    token: String,
}

impl Asking {
    /// Logs in where no token is given.
    ///
    /// # Errors
    /// When there is no server, or it lets nobody in; when it speaks TLS and its certificate cannot be read here.
    pub(super) fn begin(args: &AskArgs) -> Result<Self, CliError> {
        let config = args.data.load()?;
        let tls = match config.tls.enabled {
            true => Some(pinned::connector(&config)?),
            false => None,
        };
        let mut asking = Asking {
            runtime: small_runtime()?,
            address: reachable(&config.listen),
            tls,
            token: args.token.clone().unwrap_or_default(),
        };
        if let Some(user) = &args.user {
            let account = json!({ "username": user, "password": read_password()? });
            let answer = asking.ask(Method::POST, "/api/v1/auth/login", &account)?;
            let token = answer["access_token"].as_str();
            asking.token = token.unwrap_or_default().to_owned();
        } else if asking.token.is_empty() {
            let how = "say who asks: a token in RAILFLEET_TOKEN, or --user NAME --password-stdin";
            return Err(CliError::Other(how.to_owned()));
        }
        Ok(asking)
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, CliError> {
        self.ask(Method::GET, path, &Value::Null)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.ask(Method::POST, path, body)
    }

    fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, CliError> {
        let asking = async { timeout(PATIENCE, self.exchange(method, path, body)).await };
        let outcome = self.runtime.block_on(asking);
        let (status, answer) = match outcome {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                let why = format!("no server answers at {}: {error}", self.address);
                return Err(CliError::Other(why));
            }
            Err(_) => {
                let why = format!("the server at {} does not answer", self.address);
                return Err(CliError::Other(why));
            }
        };
        if (200..300).contains(&status) {
            return Ok(answer);
        }
        let why = answer["detail"].as_str().unwrap_or("it does not say why");
        Err(CliError::Other(format!(
            "the server answers {status}: {why}"
        )))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<(u16, Value), Box<dyn std::error::Error + Send + Sync>> {
        let stream = TcpStream::connect(&self.address).await?;
        let mut sender = match &self.tls {
            None => begin_http(stream).await?,
            Some(tls) => {
                // Nobody looks at the name: the certificate is known.
                let name = ServerName::from(stream.peer_addr()?.ip());
                begin_http(tls.connect(name, stream).await?).await?
            }
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, &self.address);
        if !self.token.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let text = match body {
            Value::Null => String::new(),
            body => {
                request = request.header(CONTENT_TYPE, "application/json");
                body.to_string()
            }
        };
        let request = request.body(Full::new(Bytes::from(text)))?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let bytes = body.collect().await?.to_bytes();
        Ok((
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        ))
    }
}

/// Speaks HTTP on a connection.
async fn begin_http<S>(stream: S) -> hyper::Result<SendRequest<Full<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Its end is told to whoever waits for the answer.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender)
}

/// Where a server that listens here is reached from its own machine.
fn reachable(listen: &str) -> String {
    match listen.rsplit_once(':') {
        Some(("0.0.0.0", port)) => format!("127.0.0.1:{port}"),
        Some(("[::]", port)) => format!("[::1]:{port}"),
        _ => listen.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::reachable;

    #[test]
    fn a_server_of_all_addresses_is_asked_at_the_loopback() {
        assert_eq!(reachable("0.0.0.0:8000"), "127.0.0.1:8000");
        assert_eq!(reachable("[::]:8000"), "[::1]:8000");
        assert_eq!(reachable("depot.example:80"), "depot.example:80");
    }
}
