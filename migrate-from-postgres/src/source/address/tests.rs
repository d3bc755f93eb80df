use super::*;

#[track_caller]
fn shown(url: &str, expected: &str) {
    let address = Address::parse(url, None).unwrap();
    assert_eq!(address.to_string(), expected);
    assert!(!format!("{address:?}").contains("secret"));
}

#[track_caller]
fn refused(url: &str, expected: &str) {
    let text = Address::parse(url, None).unwrap_err().to_string();
    assert!(text.contains(expected), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn an_address_is_shown_without_its_password() {
    shown(
        "postgres://me:secret@db:5433/fleet",
        "postgres://me@db:5433/fleet",
    );
    shown(
        "postgresql://me@db/fleet?sslmode=require",
        "postgres://me@db:5432/fleet",
    );
    shown(
        "postgres:///fleet?host=/run/pg&user=me&password=secret",
        "postgres://me@/run/pg:5432/fleet",
    );
}

#[test]
fn options_of_encryption_are_understood() {
    let parse =
        |options: &str| Address::parse(&format!("postgres://me@db/x?{options}"), None).unwrap();
    assert_eq!(parse("").config.get_ssl_mode(), SslMode::Prefer);
    assert_eq!(
        parse("sslmode=disable").config.get_ssl_mode(),
        SslMode::Disable
    );
    assert_eq!(parse("sslmode=require").trust, Trust::Anybody);
    let verified = parse("sslmode=verify-full&sslrootcert=/a%20b.pem&connect_timeout=3");
    assert_eq!(verified.config.get_ssl_mode(), SslMode::Require);
    assert_eq!(verified.trust, Trust::SignedBy("/a b.pem".into()));
    assert_eq!(
        verified.config.get_connect_timeout(),
        Some(&Duration::from_secs(3))
    );
}

#[test]
fn a_password_from_elsewhere_fills_a_gap_only() {
    let parse = |url: &str| Address::parse(url, Some("other")).unwrap();
    let password = |url: &str| parse(url).config.get_password().map(<[u8]>::to_vec);
    assert_eq!(password("postgres://me@db/x"), Some(b"other".to_vec()));
    assert_eq!(password("postgres://me:own@db/x"), Some(b"own".to_vec()));
}

#[test]
fn what_is_no_address_is_refused_in_a_sentence() {
    refused("mysql://me:secret@db/x", "begins with neither");
    refused("host=db password=secret", "begins with neither");
    refused("postgres://", "names no host");
    refused("postgres://me:secret@db:port/x", "cannot be read");
    refused(
        "postgres://me:secret@db/x?sslmode=verify-full",
        "needs sslrootcert",
    );
    refused(
        "postgres://me:secret@db/x?sslmode=maybe",
        "sslmode=maybe is not known",
    );
}
