//! Which endpoints this adapter can connect to: TCP, to an IPv4 address or to a name where names are resolved.

use anabranch_executor::{ConnectError, Endpoint, Transport};
use core::net::Ipv4Addr;

/// A host, as far as one can tell by looking at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host<'a> {
    Address(Ipv4Addr),
    #[cfg_attr(not(feature = "dns"), expect(dead_code, reason = "names are refused then"))]
    Name(&'a str),
}

/// The host of `endpoint`.
///
/// # Errors
/// [`ConnectError::Unsupported`].
pub(crate) fn host<'a>(endpoint: &Endpoint<'a>) -> Result<Host<'a>, ConnectError> {
    match endpoint.transport {
        Transport::Tcp => {}
        Transport::Tls(_) => return Err(ConnectError::Unsupported("TLS; use mqtt://, over a network that is trusted")),
        Transport::WebSocket { .. } => return Err(ConnectError::Unsupported("WebSocket; use mqtt://")),
        _ => return Err(ConnectError::Unsupported("transport of this kind")),
    }
    match endpoint.host.parse() {
        Ok(address) => Ok(Host::Address(address)),
        Err(_) if endpoint.host.contains(':') => Err(ConnectError::Unsupported("IPv6; give an IPv4 address")),
        #[cfg(feature = "dns")]
        Err(_) => Ok(Host::Name(endpoint.host)),
        #[cfg(not(feature = "dns"))]
        Err(_) => Err(ConnectError::Unsupported("names; give an IPv4 address, or build with the feature `dns`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anabranch_executor::Tls;

    fn of(host: &str, transport: Transport<'_>) -> Result<bool, ConnectError> {
        let endpoint = Endpoint { host, port: 1883, transport };
        super::host(&endpoint).map(|host| matches!(host, Host::Address(_)))
    }

    #[test]
    fn an_address_is_taken_and_a_name_where_names_are_resolved() {
        assert_eq!(of("10.0.2.2", Transport::Tcp), Ok(true));
        for name in ["broker.example", "10.0.2", "10.0.2.256", ""] {
            let named = of(name, Transport::Tcp);
            match cfg!(feature = "dns") {
                true => assert_eq!(named, Ok(false)),
                false => assert!(named.is_err_and(ConnectError::is_permanent)),
            }
        }
    }

    #[test]
    fn what_this_adapter_has_not_is_refused_for_good() {
        let web = Transport::WebSocket { path: "/mqtt", protocol: "mqtt", tls: None };
        for (host, transport) in
            [("10.0.2.2", Transport::Tls(Tls::default())), ("10.0.2.2", web), ("2001:db8::7", Transport::Tcp)]
        {
            assert!(of(host, transport).is_err_and(ConnectError::is_permanent), "{host}: {transport:?}");
        }
    }
}
