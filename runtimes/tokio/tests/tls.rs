//! TLS on Tokio: whom it trusts, who it says it is, and what each refusal is called.

use anabranch_conformance::{NetworkFixture, Tally, run_network};
use anabranch_executor::{
    ByteStreamExt, ConnectError, Endpoint, Identity, Network, Roots, StreamError, Tls, Transport,
};
use anabranch_tokio::{TokioAdapter, TokioStream};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};
use std::{fs, future::Future, path::Path, process::Command, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        DigitallySignedStruct, Error, RootCertStore, ServerConfig, SignatureScheme, SupportedProtocolVersion,
        client::danger::HandshakeSignatureValid,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
        server::{
            WebPkiClientVerifier,
            danger::{ClientCertVerified, ClientCertVerifier},
        },
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};

/// Who signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its key, in PEM.
struct Papers {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority { issuer: Issuer::new(params, key), pem }
    }

    fn signs(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Papers {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Papers { certificate: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }

    fn signs_for(&self, name: &str) -> Papers {
        self.signs(name, |_| {})
    }

    fn roots(&self) -> Tls<'_> {
        Tls { roots: Roots::Pem(self.pem.as_bytes()), ..Tls::default() }
    }
}

impl Papers {
    fn identity(&self) -> Option<Identity<'_>> {
        Some(Identity { certificates: self.certificate.as_bytes(), key: self.key.as_bytes() })
    }
}

/// How a peer accepts: the papers that it shows, who may have signed those of others, and the versions that it speaks.
fn accepts(
    papers: &Papers,
    clients: Option<&Authority>,
    versions: &[&'static SupportedProtocolVersion],
) -> Arc<ServerConfig> {
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).unwrap();
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            config.with_client_cert_verifier(verifier)
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(papers.certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(papers.key.as_bytes()).unwrap();
    Arc::new(config.with_single_cert(chain, key).unwrap())
}

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// Serves TCP connections on loopback for as long as the runtime lives.
async fn serve<F>(each: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(each(stream));
        }
    });
    port
}

/// Serves TLS connections; who does not get through the handshake is not served.
async fn serve_tls<F>(
    config: Arc<ServerConfig>,
    each: impl Fn(TlsStream<TcpStream>) -> F + Clone + Send + Sync + 'static,
) -> u16
where
    F: Future<Output = ()> + Send + 'static,
{
    serve(move |stream| {
        let (accepting, each) = (TlsAcceptor::from(config.clone()).accept(stream), each.clone());
        async move {
            if let Ok(stream) = accepting.await {
                each(stream).await;
            }
        }
    })
    .await
}

async fn echo(mut stream: TlsStream<TcpStream>) {
    let mut buffer = [0; 8_192];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..count]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
    let _ = stream.shutdown().await;
}

fn in_a_runtime<F: Future>(test: F) -> F::Output {
    Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

async fn connect(host: &str, port: u16, tls: Tls<'_>) -> Result<TokioStream, ConnectError> {
    let rt = TokioAdapter::current().unwrap();
    let endpoint = Endpoint { host, port, transport: Transport::Tls(tls) };
    rt.check(&endpoint).expect("what is given is right in itself");
    rt.connect(&endpoint).await
}

/// Connects and has a word sent back; says how it failed where it did.
async fn speak(host: &str, port: u16, tls: Tls<'_>) -> Result<Result<(), StreamError>, ConnectError> {
    let mut stream = connect(host, port, tls).await?;
    let mut word = [0; 4];
    Ok(async {
        stream.write_all(b"word").await?;
        let mut read = 0;
        while read < 4 {
            match stream.read(&mut word[read..]).await? {
                0 => return Err(StreamError::Reset),
                count => read += count,
            }
        }
        assert_eq!(&word, b"word");
        stream.close().await?;
        assert_eq!(stream.read(&mut word).await, Ok(0), "the peer answers a close with its own");
        Ok(())
    }
    .await)
}

#[test]
fn a_peer_whose_ca_is_trusted_is_spoken_to() {
    in_a_runtime(async {
        let authority = Authority::new("plant");
        for version in [&TLS12, &TLS13] {
            let port = serve_tls(accepts(&authority.signs_for("localhost"), None, &[version]), echo).await;
            assert_eq!(speak("localhost", port, authority.roots()).await, Ok(Ok(())));
        }
        let port = serve_tls(accepts(&authority.signs_for("127.0.0.1"), None, BOTH), echo).await;
        assert_eq!(speak("127.0.0.1", port, authority.roots()).await, Ok(Ok(())), "an address is a name, too");
    });
}

#[test]
fn any_one_of_the_cas_that_are_given_is_enough() {
    in_a_runtime(async {
        let (authority, other) = (Authority::new("plant"), Authority::new("other"));
        let port = serve_tls(accepts(&authority.signs_for("localhost"), None, BOTH), echo).await;
        let bundle = format!("# ours\n{}\n# theirs\n{}", other.pem, authority.pem);
        let tls = Tls { roots: Roots::Pem(bundle.as_bytes()), ..Tls::default() };
        assert_eq!(speak("localhost", port, tls).await, Ok(Ok(())));
    });
}

#[test]
fn a_peer_whose_ca_is_not_trusted_is_untrusted() {
    in_a_runtime(async {
        // Of the same name: the key is what counts.
        let (authority, other) = (Authority::new("plant"), Authority::new("plant"));
        let port = serve_tls(accepts(&authority.signs_for("localhost"), None, BOTH), echo).await;
        for stranger in [&other, &Authority::new("stranger")] {
            assert_eq!(speak("localhost", port, stranger.roots()).await, Err(ConnectError::TlsUntrusted));
        }
    });
}

#[test]
fn a_certificate_out_of_its_time_is_expired() {
    in_a_runtime(async {
        let authority = Authority::new("plant");
        for [from, to] in [[2001, 2002], [2998, 2999]] {
            let papers = authority.signs("localhost", |params| {
                params.not_before = date_time_ymd(from, 1, 1);
                params.not_after = date_time_ymd(to, 1, 1);
            });
            let port = serve_tls(accepts(&papers, None, BOTH), echo).await;
            assert_eq!(speak("localhost", port, authority.roots()).await, Err(ConnectError::TlsExpired));
        }
    });
}

#[test]
fn a_certificate_for_another_name_is_wrong_unless_that_name_is_given() {
    in_a_runtime(async {
        let authority = Authority::new("plant");
        let port = serve_tls(accepts(&authority.signs_for("broker.plant"), None, BOTH), echo).await;
        for host in ["localhost", "127.0.0.1"] {
            assert_eq!(speak(host, port, authority.roots()).await, Err(ConnectError::TlsWrongName));
            let tls = Tls { server_name: Some("broker.plant"), ..authority.roots() };
            assert_eq!(speak(host, port, tls).await, Ok(Ok(())));
        }
    });
}

#[test]
fn a_peer_that_shows_its_ca_s_certificate_is_told_what_it_lacks() {
    in_a_runtime(async {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let tls = Tls { roots: Roots::Pem(certificate.as_bytes()), ..Tls::default() };
        let papers = Papers { certificate: certificate.clone(), key: key.serialize_pem() };
        let port = serve_tls(accepts(&papers, None, BOTH), echo).await;
        let error = speak("localhost", port, tls).await.unwrap_err();
        assert!(error.to_string().contains("a CA's certificate as its own"), "{error}");
    });
}

#[test]
fn a_certificate_that_signs_itself_is_trusted_where_it_is_given() {
    in_a_runtime(async {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
        let tls = Tls { roots: Roots::Pem(certificate.as_bytes()), ..Tls::default() };
        let papers = Papers { certificate: certificate.clone(), key: key.serialize_pem() };
        let port = serve_tls(accepts(&papers, None, BOTH), echo).await;
        assert_eq!(speak("localhost", port, tls).await, Ok(Ok(())));
    });
}

#[test]
fn a_certificate_that_is_not_for_servers_is_told_so() {
    in_a_runtime(async {
        let authority = Authority::new("plant");
        let papers = authority.signs("localhost", |params| {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        });
        let port = serve_tls(accepts(&papers, None, BOTH), echo).await;
        let error = speak("localhost", port, authority.roots()).await.unwrap_err();
        assert!(error.to_string().contains("`serverAuth`"), "{error}");
    });
}

#[test]
fn a_peer_that_asks_for_a_certificate_takes_the_one_that_it_trusts_and_no_other() {
    in_a_runtime(async {
        let (authority, other) = (Authority::new("plant"), Authority::new("other"));
        let (right, wrong) = (authority.signs_for("press-4"), other.signs_for("press-4"));
        let server = authority.signs_for("localhost");
        let late = authority.signs("press-4", |params| {
            params.not_before = date_time_ymd(2001, 1, 1);
            params.not_after = date_time_ymd(2002, 1, 1);
        });

        let tls12 = serve_tls(accepts(&server, Some(&authority), &[&TLS12]), echo).await;
        let tls13 = serve_tls(accepts(&server, Some(&authority), &[&TLS13]), echo).await;
        for port in [tls12, tls13] {
            let tls = Tls { identity: right.identity(), ..authority.roots() };
            assert_eq!(speak("localhost", port, tls).await, Ok(Ok(())));
        }
        for identity in [None, wrong.identity(), late.identity()] {
            let tls = Tls { identity, ..authority.roots() };
            assert_eq!(speak("localhost", tls12, tls).await, Err(ConnectError::TlsRefused), "{identity:?}");
            // The handshake of TLS 1.3 ends before the peer has looked at the certificate.
            assert_eq!(speak("localhost", tls13, tls).await, Ok(Err(StreamError::Protocol)), "{identity:?}");
            let mut listening = connect("localhost", tls13, tls).await.unwrap();
            assert_eq!(listening.read(&mut [0; 1]).await, Err(StreamError::Protocol));
            // Also where so much is written that the cut is noticed first.
            let mut writing = connect("localhost", tls13, tls).await.unwrap();
            let outcome = loop {
                if let Err(error) = writing.write_all(&[0; 4_096]).await {
                    break error;
                }
            };
            assert_eq!(outcome, StreamError::Protocol);
        }
    });
}

/// Takes no certificate, and says no more than that the handshake failed, as OpenSSL does under TLS 1.2.
#[derive(Debug)]
struct SaysNoReason;

impl ClientCertVerifier for SaysNoReason {
    fn root_hint_subjects(&self) -> &[tokio_rustls::rustls::DistinguishedName] {
        &[]
    }
    fn verify_client_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _chain: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Err(Error::General("no reason".to_owned()))
    }
    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("no reason".to_owned()))
    }
    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12_signature(message, certificate, signature)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[test]
fn a_peer_that_asks_for_a_certificate_and_then_gives_no_reason_has_refused_it() {
    in_a_runtime(async {
        let authority = Authority::new("plant");
        let (server, client) = (authority.signs_for("localhost"), authority.signs_for("press-4"));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS12])
            .unwrap()
            .with_client_cert_verifier(Arc::new(SaysNoReason))
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap(),
            );
        let port = serve_tls(Arc::new(config.unwrap()), echo).await;
        let tls = Tls { identity: client.identity(), ..authority.roots() };
        assert_eq!(speak("localhost", port, tls).await, Err(ConnectError::TlsRefused));
    });
}

#[test]
fn a_peer_that_speaks_something_else_breaks_the_handshake_off() {
    in_a_runtime(async {
        let authority = Authority::new("plant");
        let closes = serve(|mut stream| async move {
            let _ = stream.read(&mut [0; 1_024]).await;
        });
        let talks = serve(|mut stream| async move {
            let _ = stream.read(&mut [0; 1_024]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        });
        for port in [closes.await, talks.await] {
            assert_eq!(speak("localhost", port, authority.roots()).await, Err(ConnectError::Handshake));
        }
        // Fatal alerts, before anything was asked: handshake_failure, protocol_version.
        for alert in [0x28, 0x46] {
            let incompatible = serve(move |mut stream| async move {
                let _ = stream.read(&mut [0; 1_024]).await;
                let _ = stream.write_all(&[0x15, 3, 1, 0, 2, 2, alert]).await;
            });
            let error = speak("localhost", incompatible.await, authority.roots()).await.unwrap_err();
            assert!(error.to_string().contains("TLS 1.2 or 1.3"), "{error}");
        }
    });
}

#[test]
fn a_port_where_nobody_listens_refuses_tls_as_well() {
    in_a_runtime(async {
        let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let authority = Authority::new("plant");
        assert_eq!(speak("127.0.0.1", port, authority.roots()).await, Err(ConnectError::Refused));
    });
}

#[test]
fn an_end_without_a_word_of_tls_is_a_cut() {
    in_a_runtime(async {
        let authority = Authority::new("plant");
        let config = accepts(&authority.signs_for("localhost"), None, BOTH);
        // A FIN and no `close_notify`: somebody on the way could have sent it.
        let port = serve_tls(config, |mut stream| async move {
            let _ = stream.get_mut().0.shutdown().await;
        });
        let mut stream = connect("localhost", port.await, authority.roots()).await.unwrap();
        assert_eq!(stream.read(&mut [0; 1]).await, Err(StreamError::Reset));
    });
}

#[test]
fn what_cannot_be_used_is_said_before_anybody_is_called() {
    let (authority, other) = (Authority::new("plant"), Authority::new("other"));
    let (papers, others) = (authority.signs_for("press-4"), other.signs_for("press-4"));
    let (ca, certificates, key) = (authority.pem.as_bytes(), papers.certificate.as_bytes(), papers.key.as_bytes());
    let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let odd = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let roots = |pem| Tls { roots: Roots::Pem(pem), ..Tls::default() };
    let identity = |certificates, key| Tls { identity: Some(Identity { certificates, key }), ..roots(ca) };

    let rt = TokioAdapter::new(runtime().handle().clone()).unwrap();
    for (tls, says) in [
        (roots(b""), "the CA holds no certificate in PEM"),
        (roots(key), "the CA holds no certificate in PEM"),
        (roots(broken), "the CA is not valid PEM"),
        (roots(garbage), "the CA holds a certificate that cannot be read"),
        (identity(b"", key), "the certificate's PEM holds no certificate"),
        (identity(broken, key), "the certificate is not valid PEM"),
        (identity(garbage, key), "the certificate cannot be read"),
        (identity(certificates, b""), "the key's PEM holds no private key"),
        (identity(certificates, encrypted), "with a passphrase has to be decrypted"),
        (identity(certificates, odd), "the key cannot be used"),
        (identity(certificates, others.key.as_bytes()), "the key is not the certificate's"),
        (Tls { server_name: Some("not a name"), ..roots(ca) }, "neither a host's name nor an address"),
    ] {
        let endpoint = Endpoint { host: "nobody-has-this-name.invalid", port: 1, transport: Transport::Tls(tls) };
        let error = rt.check(&endpoint).unwrap_err();
        assert!(matches!(error, ConnectError::TlsConfig(text) if text.contains(says)), "{error}");
        assert!(error.is_permanent());
        // Nobody is called, and no name is looked up: that would be another error.
        assert_eq!(in_a_runtime(rt.connect(&endpoint)).unwrap_err(), error);
    }
    let right = Endpoint { host: "x", port: 1, transport: Transport::Tls(identity(certificates, key)) };
    assert_eq!(rt.check(&right), Ok(()));
}

fn runtime() -> &'static Runtime {
    static RUNTIME: std::sync::LazyLock<Runtime> =
        std::sync::LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    &RUNTIME
}

/// The CAs of the system are asked for once in a process, so each set of them needs a process of its own: this test binary
/// again, with one test that is left out otherwise.
fn with_a_system_of(file: &Path, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "the_system_s_cas", "--ignored", "--nocapture"]);
    command.env("SSL_CERT_FILE", file).env("SSL_CERT_DIR", directory);
    command
}

const EXPECTED: &str = "ANABRANCH_TEST_EXPECTED";

#[test]
fn the_system_s_cas_are_trusted_where_no_others_are_given() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cas-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let (authority, other) = (Authority::new("plant"), Authority::new("other"));
    let papers = authority.signs_for("localhost");
    let (ca, stranger, nothing) = (folder.join("ca.pem"), folder.join("stranger.pem"), folder.join("nothing.pem"));
    fs::write(&ca, &authority.pem).unwrap();
    fs::write(&stranger, &other.pem).unwrap();
    fs::write(&nothing, "").unwrap();
    fs::write(folder.join("certificate.pem"), &papers.certificate).unwrap();
    fs::write(folder.join("key.pem"), &papers.key).unwrap();
    let empty = folder.join("empty");
    fs::create_dir_all(&empty).unwrap();
    for (file, expected) in [
        (&ca, format!("{:?}", Ok::<_, ConnectError>(Ok::<_, StreamError>(())))),
        (&stranger, format!("Err({:?})", ConnectError::TlsUntrusted)),
        (&nothing, "install `ca-certificates`".to_owned()),
    ] {
        let output = with_a_system_of(file, &empty).current_dir(&folder).env(EXPECTED, expected).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
#[ignore = "run by `the_system_s_cas_are_trusted_where_no_others_are_given`, in a process with CAs of its own"]
fn the_system_s_cas() {
    let Ok(expected) = std::env::var(EXPECTED) else { return };
    let read = |name| fs::read_to_string(name).unwrap();
    let papers = Papers { certificate: read("certificate.pem"), key: read("key.pem") };
    in_a_runtime(async {
        let port = serve_tls(accepts(&papers, None, BOTH), echo).await;
        // Twice: read, and kept.
        for _ in 0..2 {
            let outcome = format!("{:?}", speak("localhost", port, Tls::default()).await);
            assert!(outcome.contains(&expected), "{outcome} should be {expected}");
        }
    });
}

/// The suite's peers, in TLS.
struct Peers {
    authority: Authority,
    echoes: u16,
    closes: u16,
    never_reads: u16,
    resets: u16,
    refuses: u16,
}

impl Peers {
    async fn start() -> Self {
        let authority = Authority::new("plant");
        let config = accepts(&authority.signs_for("127.0.0.1"), None, BOTH);
        Peers {
            echoes: serve_tls(config.clone(), echo).await,
            closes: serve_tls(config.clone(), |mut stream| async move {
                let _ = stream.shutdown().await;
                std::future::pending::<()>().await;
            })
            .await,
            never_reads: serve_tls(config.clone(), |stream| async move {
                std::future::pending::<()>().await;
                drop(stream);
            })
            .await,
            resets: serve_tls(config, |mut stream| async move {
                let _ = stream.read(&mut [0; 1]).await;
                let _ = stream.get_ref().0.set_zero_linger();
            })
            .await,
            refuses: TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port(),
            authority,
        }
    }

    fn at(&self, port: u16) -> Endpoint<'_> {
        Endpoint { host: "127.0.0.1", port, transport: Transport::Tls(self.authority.roots()) }
    }
}

impl NetworkFixture for Peers {
    fn echoes(&self) -> Endpoint<'_> {
        self.at(self.echoes)
    }
    fn closes(&self) -> Endpoint<'_> {
        self.at(self.closes)
    }
    fn never_reads(&self) -> Endpoint<'_> {
        self.at(self.never_reads)
    }
    fn resets(&self) -> Endpoint<'_> {
        self.at(self.resets)
    }
    fn refuses(&self) -> Endpoint<'_> {
        self.at(self.refuses)
    }
}

#[test]
fn connections_in_tls_keep_the_promises_of_all_connections() {
    for mut builder in [Builder::new_current_thread(), Builder::new_multi_thread()] {
        let runtime = builder.worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let peers = Peers::start().await;
            let mut tally = Tally::new(|line| println!("{line}"));
            run_network(&TokioAdapter::current().unwrap(), &peers, &mut tally).await;
            assert!(tally.finish());
        });
        runtime.shutdown_timeout(Duration::from_secs(1));
    }
}
