//! A real S3 server on a folder, for tests of what is kept in object storage: `railfleet-s3 FOLDER PORT KEY SECRET`.
//!
//! It is the well-kept crate `s3s-fs`; here is its socket alone. Requests must be signed by the key. Each folder in FOLDER is
//! a bucket.

use std::net::Ipv4Addr;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, port, key, secret] = &arguments[..] else {
        return Err("railfleet-s3 FOLDER PORT KEY SECRET".into());
    };
    let files = FileSystem::new(folder).map_err(|error| format!("{error:?}"))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(key.as_str(), secret.as_str()));
    let service = service.build();
    let address = (Ipv4Addr::LOCALHOST, port.parse::<u16>()?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        loop {
            let (socket, _) = listener.accept().await?;
            let connections = Builder::new(TokioExecutor::new());
            let connection = connections
                .serve_connection(TokioIo::new(socket), service.clone())
                .into_owned();
            // A client that goes away is its own affair.
            tokio::spawn(async move { drop(connection.await) });
        }
    })
}
