//! TLS to the server of a data folder, from its own machine: the certificate that lies in its file is believed, and no other.
//!
//! Who signed it, for which names and until when is of no matter here. Those are what others have to go by, who cannot read the
//! file; and few certificates are for the address at which a server is asked from its own machine.

use std::fs;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::CliError;
use crate::config::Config;
use crate::tls::CERTIFICATE_FILE;

#[cfg(test)]
mod tests;

/// What encrypts connections to the server of this `config`.
///
/// # Errors
/// When its certificate cannot be read.
pub(super) fn connector(config: &Config) -> Result<TlsConnector, CliError> {
    let made = || config.keys_folder().join(CERTIFICATE_FILE);
    let file = config.tls.certificate.clone().unwrap_or_else(made);
    let shown = file.display().to_string();
    let text = fs::read(&file).map_err(CliError::io(format!(
        "cannot read the server's certificate {shown}"
    )))?;
    // The server's own is the first; those that signed it follow.
    let certificate = CertificateDer::from_pem_slice(&text)
        .map_err(|_| CliError::Other(format!("{shown} holds no certificate in PEM form")))?;
    let provider = Arc::new(ring::default_provider());
    let known = Known {
        certificate,
        file: shown,
        provider: provider.clone(),
    };
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| CliError::Other(format!("cannot set up TLS: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(known))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(client)))
}

/// Believes whoever has the private key of one certificate.
#[derive(Debug)]
struct Known {
    certificate: CertificateDer<'static>,
    /// Where it was read.
    file: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Known {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if certificate[..] == self.certificate[..] {
            return Ok(ServerCertVerified::assertion());
        }
        let file = &self.file;
        Err(rustls::Error::General(format!(
            "it has another certificate than {file}; one that was just renewed it takes within a minute"
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
