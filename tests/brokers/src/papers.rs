//! Certificates for tests, made on the spot.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

/// Who signs certificates.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate, in PEM.
    pub pem: String,
}

/// A certificate and its key, in PEM.
pub struct Papers {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl Authority {
    /// One with this name.
    pub fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key can be made");
        let pem = params.self_signed(&key).expect("a certificate can be made").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// The papers of a server that is reached by the name or address `host`.
    pub fn server(&self, host: &str) -> Papers {
        self.signs(named(host, &[host]), ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Those that were valid once.
    pub fn expired_server(&self, host: &str) -> Papers {
        let mut params = named(host, &[host]);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        self.signs(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// The papers of a client.
    pub fn client(&self, name: &str) -> Papers {
        self.signs(named(name, &[]), ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn signs(&self, mut params: CertificateParams, purpose: ExtendedKeyUsagePurpose) -> Papers {
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().expect("a key can be made");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate can be signed").pem();
        Papers { certificate, key: key.serialize_pem() }
    }
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("names that certificates can hold");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
