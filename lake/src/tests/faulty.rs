//! A real S3 server in this process (the crate `s3s-fs`), and a wire before it that breaks as it is told.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use object_store::aws::AmazonS3Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;

use crate::Target;
use crate::target::Patience;

const KEY: &str = "depot-key";
const SECRET: &str = "depot-secret";
/// How long a connection that is never answered is held.
const HELD: Duration = Duration::from_secs(30);

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// It does not reach the server, and is answered with this status and code.
    Answer(u16, &'static str),
    /// It does not reach the server, and is not answered.
    Hang,
    /// Half of its body reaches the server, then the connection breaks.
    CutUpload,
    /// It is done, and the connection breaks before the answer.
    CutAnswer,
}

type Rule = Box<dyn FnMut(&str, &str) -> Option<Fault> + Send>;

/// The wire.
pub(super) struct Wire {
    port: u16,
    rule: Arc<Mutex<Rule>>,
}

impl Wire {
    /// A server on `root`, whose folders are its buckets, and a wire before it that is sound.
    pub(super) fn before_server_on(root: &Path) -> Self {
        let server = serve(root);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let rule: Arc<Mutex<Rule>> = Arc::new(Mutex::new(Box::new(|_, _| None)));
        let shared = rule.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let rule = shared.clone();
                // Whoever goes away in the middle is what is tested.
                thread::spawn(move || drop(carry(client, server, &rule)));
            }
        });
        Wire { port, rule }
    }

    /// From now on `rule` says what becomes of a request, by its method and path.
    pub(super) fn breaks(&self, rule: impl FnMut(&str, &str) -> Option<Fault> + Send + 'static) {
        *self.rule.lock().unwrap_or_else(PoisonError::into_inner) = Box::new(rule);
    }

    /// It is sound again.
    pub(super) fn mends(&self) {
        self.breaks(|_, _| None);
    }

    /// The bucket `history`, folder `depot`, over this wire.
    pub(super) fn target(&self, patience: Patience) -> Target {
        self.target_as(SECRET, patience)
    }

    pub(super) fn target_as(&self, secret: &str, patience: Patience) -> Target {
        let builder = AmazonS3Builder::new()
            .with_bucket_name("history")
            .with_region("eu-central-1")
            .with_access_key_id(KEY)
            .with_secret_access_key(secret)
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_allow_http(true);
        Target::bucket(builder, "/depot", patience)
    }
}

fn serve(root: &Path) -> u16 {
    let mut service = S3ServiceBuilder::new(FileSystem::new(root).unwrap());
    service.set_auth(SimpleAuth::from_single(KEY, SECRET));
    let service = service.build();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        runtime.block_on(async {
            while let Ok((socket, _)) = listener.accept().await {
                let connections = Builder::new(TokioExecutor::new());
                let connection = connections
                    .serve_connection(TokioIo::new(socket), service.clone())
                    .into_owned();
                tokio::spawn(async move { drop(connection.await) });
            }
        });
    });
    port
}

/// One request over a connection of its own.
fn carry(mut client: TcpStream, server: u16, rule: &Mutex<Rule>) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut words = text.split_whitespace();
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    let fault = rule.lock().unwrap_or_else(PoisonError::into_inner)(method, path);
    if matches!(fault, Some(Fault::CutUpload)) {
        let half = body.len() / 2;
        client.read_exact(&mut body[..half])?;
        let mut onwards = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
        onwards.write_all(&head)?;
        return onwards.write_all(&body[..half]);
    }
    client.read_exact(&mut body)?;
    match fault {
        Some(Fault::Answer(status, code)) => {
            let said = format!("<Error><Code>{code}</Code><Message>as told</Message></Error>");
            let length = said.len();
            write!(
                client,
                "HTTP/1.1 {status} Told\r\ncontent-type: application/xml\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{said}"
            )
        }
        Some(Fault::Hang) => {
            client.set_read_timeout(Some(HELD))?;
            client.read(&mut [0]).map(drop)
        }
        _ => {
            let mut onwards = TcpStream::connect((Ipv4Addr::LOCALHOST, server))?;
            let rest = text.split_once("\r\n").map_or("", |(_, rest)| rest);
            write!(
                onwards,
                "{method} {path} HTTP/1.1\r\nconnection: close\r\n{rest}"
            )?;
            onwards.write_all(&body)?;
            let mut answer = Vec::new();
            onwards.read_to_end(&mut answer)?;
            if fault.is_none() {
                client.write_all(&answer)?;
            }
            client.shutdown(Shutdown::Both)
        }
    }
}
