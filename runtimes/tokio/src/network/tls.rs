//! TLS on Tokio, by rustls: its parts are made from PEM, and what goes wrong is told by what to do about it.

use super::connect_error;
use anabranch_executor::{ConnectError, Identity, Roots, Tls};
use std::{
    io,
    pin::Pin,
    sync::{
        Arc, LazyLock, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};
use tokio::{io::AsyncBufRead, net::TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        AlertDescription, CertificateError, ClientConfig, Error, InconsistentKeys, RootCertStore, SignatureScheme,
        client::ResolvesClientCert,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject},
        sign::CertifiedKey,
    },
};

pub(super) type Stream = TlsStream<TcpStream>;

/// This side of a handshake.
pub(super) struct Client {
    connector: TlsConnector,
    server: ServerName<'static>,
    papers: Arc<Papers>,
}

/// What this side shows when it is asked who it is, and whether it was.
#[derive(Debug)]
struct Papers {
    key: Option<Arc<CertifiedKey>>,
    asked: AtomicBool,
}

impl ResolvesClientCert for Papers {
    fn resolve(&self, _authorities: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.asked.store(true, Ordering::Relaxed);
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        self.key.is_some()
    }
}

impl Client {
    pub(super) async fn new(host: &str, tls: &Tls<'_>) -> Result<Self, ConnectError> {
        let server = server_name(host, tls)?;
        let key = tls.identity.as_ref().map(certified_key).transpose()?.map(Arc::new);
        let papers = Arc::new(Papers { key, asked: AtomicBool::new(false) });
        let roots = match tls.roots {
            Roots::System => system_roots().await?,
            Roots::Pem(pem) => Arc::new(roots_in(pem)?),
            _ => return Err(UNKNOWN_ROOTS),
        };
        let config = ClientConfig::builder_with_provider(CRYPTOGRAPHY.clone())
            .with_safe_default_protocol_versions()
            .expect("the cryptography has what TLS 1.2 and 1.3 ask for")
            .with_root_certificates(roots)
            .with_client_cert_resolver(papers.clone());
        Ok(Client { connector: TlsConnector::from(Arc::new(config)), server, papers })
    }

    pub(super) async fn shake_hands(self, stream: TcpStream) -> Result<Stream, ConnectError> {
        let opened = self.connector.connect(self.server, stream).await;
        opened.map_err(|error| handshake_error(&error, self.papers.asked.load(Ordering::Relaxed)))
    }
}

/// Why sending failed: where the connection was cut, what the peer said before. One that refuses a certificate does, and
/// whoever writes first would hear only of the cut.
pub(super) fn last_word(stream: &mut Stream, cx: &mut Context<'_>, cut: io::Error) -> io::Error {
    match Pin::new(stream).poll_fill_buf(cx) {
        Poll::Ready(Err(said)) => said,
        Poll::Ready(Ok(_)) | Poll::Pending => cut,
    }
}

/// What is wrong with what was given; the system's own CAs are not looked at.
pub(super) fn check(host: &str, tls: &Tls<'_>) -> Result<(), ConnectError> {
    server_name(host, tls)?;
    tls.identity.as_ref().map(certified_key).transpose()?;
    match tls.roots {
        Roots::System => Ok(()),
        Roots::Pem(pem) => roots_in(pem).map(|_| ()),
        _ => Err(UNKNOWN_ROOTS),
    }
}

static CRYPTOGRAPHY: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));

const UNKNOWN_ROOTS: ConnectError = ConnectError::Unsupported("CAs of this kind: give `ca` in PEM");

fn server_name(host: &str, tls: &Tls<'_>) -> Result<ServerName<'static>, ConnectError> {
    let name = tls.server_name.unwrap_or(host);
    ServerName::try_from(name.to_owned())
        .map_err(|_| ConnectError::TlsConfig("the server's name is neither a host's name nor an address"))
}

/// The CAs of this machine: read from its files once, by a thread that may wait for them.
async fn system_roots() -> Result<Arc<RootCertStore>, ConnectError> {
    static SYSTEM: OnceLock<Arc<RootCertStore>> = OnceLock::new();
    if let Some(roots) = SYSTEM.get() {
        return Ok(roots.clone());
    }
    let found = blocking::unblock(|| {
        let mut roots = RootCertStore::empty();
        // Some systems keep a few that nobody can read.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots
    });
    match found.await {
        // Not kept: they can be installed while this program runs.
        none if none.is_empty() => {
            Err(ConnectError::TlsConfig("this system has no CAs: install `ca-certificates`, or give one as `ca`"))
        }
        roots => Ok(SYSTEM.get_or_init(|| Arc::new(roots)).clone()),
    }
}

fn roots_in(pem: &[u8]) -> Result<RootCertStore, ConnectError> {
    let certificates = certificates_in(pem, ["the CA is not valid PEM", "the CA holds no certificate in PEM"])?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|_| ConnectError::TlsConfig("the CA holds a certificate that cannot be read"))?;
    }
    Ok(roots)
}

fn certificates_in(
    pem: &[u8],
    [broken, none]: [&'static str; 2],
) -> Result<Vec<CertificateDer<'static>>, ConnectError> {
    let certificates: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(ConnectError::TlsConfig(none)),
        Ok(certificates) => Ok(certificates),
        Err(_) => Err(ConnectError::TlsConfig(broken)),
    }
}

fn certified_key(identity: &Identity<'_>) -> Result<CertifiedKey, ConnectError> {
    let certificates = certificates_in(
        identity.certificates,
        ["the certificate is not valid PEM", "the certificate's PEM holds no certificate"],
    )?;
    let key = PrivateKeyDer::from_pem_slice(identity.key).map_err(|error| {
        ConnectError::TlsConfig(match error {
            pem::Error::NoItemsFound => "the key's PEM holds no private key; one with a passphrase has to be decrypted",
            _ => "the key is not valid PEM",
        })
    })?;
    CertifiedKey::from_der(certificates, key, &CRYPTOGRAPHY).map_err(|error| {
        ConnectError::TlsConfig(match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => "the key is not the certificate's",
            Error::InvalidCertificate(_) => "the certificate cannot be read",
            _ => "the key cannot be used: it has to be ECDSA (P-256, P-384), Ed25519, or RSA (2048 bits or more)",
        })
    })
}

/// What it means that a handshake failed in which this side was `asked` who it is.
fn handshake_error(error: &io::Error, asked: bool) -> ConnectError {
    match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(Error::InvalidCertificate(error)) => certificate_error(error),
        // The word of OpenSSL, under TLS 1.2, for a certificate that it misses: until it asked, all was well.
        Some(Error::AlertReceived(AlertDescription::HandshakeFailure)) if asked => ConnectError::TlsRefused,
        Some(Error::AlertReceived(alert)) => alert_error(*alert),
        Some(Error::PeerIncompatible(_)) => NOTHING_IN_COMMON,
        Some(Error::FailedToGetCurrentTime) => {
            ConnectError::Other("this machine does not know the time: set its clock")
        }
        Some(_) => ConnectError::Handshake,
        None => connect_error(error),
    }
}

const NOTHING_IN_COMMON: ConnectError = ConnectError::Other(
    "the peer and this side have no TLS in common: it has to allow TLS 1.2 or 1.3 with a cipher that is still held safe",
);

fn certificate_error(error: &CertificateError) -> ConnectError {
    use CertificateError as Certificate;
    match error {
        Certificate::Expired
        | Certificate::ExpiredContext { .. }
        | Certificate::NotValidYet
        | Certificate::NotValidYetContext { .. } => ConnectError::TlsExpired,
        Certificate::NotValidForName | Certificate::NotValidForNameContext { .. } => ConnectError::TlsWrongName,
        Certificate::BadEncoding => ConnectError::Other("the peer's certificate cannot be read: make it another"),
        Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. } => {
            ConnectError::Other("the peer's certificate is not one for servers: make it one with `serverAuth`")
        }
        // What people make by hand the first time. rustls has no words for it.
        Certificate::Other(other) => match other.0.downcast_ref() {
            Some(webpki::Error::CaUsedAsEndEntity) => ConnectError::Other(
                "the peer shows a CA's certificate as its own: make it one for a server, signed by that CA",
            ),
            Some(webpki::Error::UnsupportedCertVersion) => ConnectError::Other(
                "the peer's certificate is of version 1: make it one of version 3, with its names as subjectAltName",
            ),
            _ => ConnectError::TlsUntrusted,
        },
        _ => ConnectError::TlsUntrusted,
    }
}

fn alert_error(alert: AlertDescription) -> ConnectError {
    match alert {
        AlertDescription::NoCertificate
        | AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateRevoked
        | AlertDescription::CertificateExpired
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::CertificateRequired => ConnectError::TlsRefused,
        AlertDescription::UnrecognisedName => ConnectError::TlsWrongName,
        AlertDescription::ProtocolVersion
        | AlertDescription::HandshakeFailure
        | AlertDescription::InsufficientSecurity => NOTHING_IN_COMMON,
        _ => ConnectError::Handshake,
    }
}
