//! Tokens: signed statements of who somebody is, until when, and for what.
//!
//! JWT (RFC 7519) with HMAC-SHA-256 and nothing else. The library asks a provider for its algorithms; ours knows this
//! one, so a token that names another, or none, finds no verifier, whatever the checks before it said.
//!
//! Two types share the form: `access` tokens open routes, `refresh` tokens are exchanged for new ones. `family` names
//! the chain of refresh tokens that a login began; ending the chain ends the access tokens that came from it.

use std::sync::Once;

use fleet::calendar::SECOND;
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error as JwtError, ErrorKind as JwtErrorKind};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use signature::{Signer, Verifier};
use storage::Timestamp;

#[cfg(test)]
mod tests;

/// What `type` says in a token that opens routes.
pub const ACCESS: &str = "access";
/// What `type` says in a token that is exchanged.
pub const REFRESH: &str = "refresh";
/// Bytes of a token; ours have about 400.
pub const TOKEN_BYTES_MAX: usize = 4_096;
/// Seconds by which clocks may differ when a token's beginning is checked.
const LEEWAY_SECONDS: i64 = 30;

/// What a token says. Times are seconds since 1970 UTC.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The account's id.
    pub sub: String,
    /// The account's role when the token was made; for clients to read. The server asks the account.
    pub role: String,
    /// [`ACCESS`] or [`REFRESH`].
    #[serde(rename = "type")]
    pub kind: String,
    /// When it ends.
    pub exp: i64,
    /// When it was made.
    pub iat: i64,
    /// When it begins.
    pub nbf: i64,
    /// Its own id.
    pub jti: String,
    /// Who made it.
    pub iss: String,
    /// Who shall take it.
    pub aud: String,
    /// The chain of refresh tokens that it belongs to; none for tokens made on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
}

/// Why a token is not good.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum TokenError {
    /// Not a token of ours: its form, signature, issuer, audience or type.
    #[error("the token is not valid")]
    Invalid,
    /// It has ended, or has not begun.
    #[error("the token has expired or is not valid yet")]
    Expired,
}

/// Signs tokens and checks them.
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    issuer: String,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Tokens")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Tokens of this issuer under this key.
    pub fn new(key: &[u8], issuer: &str) -> Self {
        install_provider();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        validation.set_required_spec_claims(&["exp", "nbf", "sub", "iss", "aud"]);
        // Times are held against the clock that is handed in, not against the library's.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        Tokens {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            issuer: issuer.to_owned(),
        }
    }

    /// A signed token.
    ///
    /// # Errors
    /// Only if the claims could not be written, which they can.
    pub fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &self.encoding)
            .map_err(|_| TokenError::Invalid)
    }

    /// What a token says, if it is one of ours, of this type, and its time is now.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn verify(&self, token: &str, kind: &str, now: Timestamp) -> Result<Claims, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        if claims.kind != kind {
            return Err(TokenError::Invalid);
        }
        let now = now.micros().div_euclid(SECOND);
        if now >= claims.exp || now < claims.nbf - LEEWAY_SECONDS {
            return Err(TokenError::Expired);
        }
        Ok(claims)
    }

    /// Who makes these tokens, and who takes them.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }
}

/// The library's choice of algorithms is one for the whole process; whoever comes first sets it.
fn install_provider() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        // Refused only if some other code has set one, and there is none.
        let _ = PROVIDER.install_default();
    });
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| {
        only_hs256(*algorithm, key.family())?;
        Ok(Box::new(HmacSha256(keyed(key.as_bytes())?)))
    },
    verifier_factory: |algorithm, key| {
        only_hs256(*algorithm, key.family())?;
        Ok(Box::new(HmacSha256(keyed(key.try_get_as_bytes()?)?)))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

fn only_hs256(algorithm: Algorithm, family: AlgorithmFamily) -> Result<(), JwtError> {
    if algorithm == Algorithm::HS256 && family == AlgorithmFamily::Hmac {
        return Ok(());
    }
    Err(JwtErrorKind::InvalidAlgorithm.into())
}

fn keyed(key: &[u8]) -> Result<Hmac<Sha256>, JwtError> {
    Hmac::new_from_slice(key).map_err(|_| JwtErrorKind::InvalidKeyFormat.into())
}

/// HMAC-SHA-256 (RFC 2104, RFC 7518 §3.2) in the library's terms.
struct HmacSha256(Hmac<Sha256>);

impl Signer<Vec<u8>> for HmacSha256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        let mut mac = self.0.clone();
        mac.update(message);
        Ok(mac.finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for HmacSha256 {
    fn verify(&self, message: &[u8], given: &Vec<u8>) -> Result<(), signature::Error> {
        let mut mac = self.0.clone();
        mac.update(message);
        // Compares in constant time.
        mac.verify_slice(given).map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for HmacSha256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}
