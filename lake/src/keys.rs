//! Whether anything says which keys a bucket is asked with. Without, the client asks the machine itself, for a minute, since
//! at Amazon's a machine may have a role of its own; whoever forgot to set keys is told so at once instead.

use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use url::Url;

/// Where a machine at Amazon's is told the keys of its role.
const METADATA: &str = "http://169.254.169.254";
/// How long that may take to answer: it is next to the machine, or nowhere.
const METADATA_PATIENCE: Duration = Duration::from_millis(500);

/// What is missing; `None` where there are keys, or something that gives them.
pub(crate) fn missing(builder: &AmazonS3Builder) -> Option<&'static str> {
    use AmazonS3ConfigKey::{
        AccessKeyId, ContainerCredentialsFullUri, ContainerCredentialsRelativeUri,
        MetadataEndpoint, SecretAccessKey, SkipSignature, WebIdentityTokenFile,
    };
    let value = |key| {
        builder
            .get_config_value(&key)
            .filter(|value| !value.is_empty())
    };
    let others = [
        ContainerCredentialsFullUri,
        ContainerCredentialsRelativeUri,
        WebIdentityTokenFile,
    ];
    match (value(AccessKeyId), value(SecretAccessKey)) {
        (Some(_), Some(_)) => None,
        (Some(_), None) => Some("AWS_SECRET_ACCESS_KEY is not set"),
        (None, Some(_)) => Some("AWS_ACCESS_KEY_ID is not set"),
        (None, None)
            if value(SkipSignature).as_deref() == Some("true")
                || others.into_iter().any(|other| value(other).is_some())
                || answers(value(MetadataEndpoint).as_deref().unwrap_or(METADATA)) =>
        {
            None
        }
        (None, None) => Some(
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and this machine has no role at Amazon's that would do",
        ),
    }
}

fn answers(url: &str) -> bool {
    let address = Url::parse(url).ok().and_then(|url| {
        let (host, port) = (url.host_str()?.to_owned(), url.port_or_known_default()?);
        (host, port).to_socket_addrs().ok()?.next()
    });
    address.is_some_and(|address| TcpStream::connect_timeout(&address, METADATA_PATIENCE).is_ok())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        use AmazonS3ConfigKey::{
            AccessKeyId, ContainerCredentialsRelativeUri, MetadataEndpoint, SecretAccessKey,
            WebIdentityTokenFile,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let there = format!("http://{}", listener.local_addr().unwrap());
        // A port that was somebody's a moment ago is nobody's now.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap();
        let nowhere = format!("http://{port}");
        let missing_of = |settings: &[(AmazonS3ConfigKey, &str)]| {
            let mut builder = AmazonS3Builder::new().with_config(MetadataEndpoint, &nowhere);
            for (key, value) in settings {
                builder = builder.with_config(*key, *value);
            }
            missing(&builder).unwrap_or_default()
        };
        assert!(missing_of(&[]).starts_with("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"));
        assert_eq!(
            missing_of(&[(AccessKeyId, "a")]),
            "AWS_SECRET_ACCESS_KEY is not set"
        );
        assert_eq!(
            missing_of(&[(SecretAccessKey, "a")]),
            "AWS_ACCESS_KEY_ID is not set"
        );
        for enough in [
            &[(AccessKeyId, "a"), (SecretAccessKey, "b")][..],
            &[(MetadataEndpoint, &there)],
            &[(WebIdentityTokenFile, "/token")],
            &[(ContainerCredentialsRelativeUri, "/keys")],
        ] {
            assert_eq!(missing_of(enough), "", "{enough:?}");
        }
    }
}
