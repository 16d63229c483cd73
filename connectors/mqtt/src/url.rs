//! A broker's URL, taken apart: `mqtts://user:password@broker.example:8883`.

use alloc::{string::String, vec::Vec};

/// What carries the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Tls,
    WebSocket,
    WebSocketTls,
}

/// A broker's URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) carrier: Carrier,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// For WebSockets: the path and query.
    pub(crate) path: String,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
}

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    #[error("it has no scheme: write it as `mqtt://127.0.0.1:1883`")]
    NoScheme,
    #[error("its scheme is none of mqtt, mqtts, ws and wss")]
    Scheme,
    #[error("it has no host: write it as `mqtt://127.0.0.1:1883`")]
    NoHost,
    #[error("its host holds a character that no host has")]
    Host,
    #[error("its port is no number from 1 to 65535")]
    Port,
    #[error("a path is for ws and wss only: topics stand in the links' addresses, as `mqtt://sensors/temp`")]
    Path,
    #[error("a `%` in the user name or password is not followed by two hexadecimal digits: write it as %25")]
    Percent,
    #[error("its user name is not UTF-8")]
    User,
}

impl Url {
    pub(crate) fn parse(text: &str) -> Result<Self, UrlError> {
        let (scheme, rest) = text.split_once("://").ok_or(UrlError::NoScheme)?;
        let (carrier, usual) = match scheme {
            "mqtt" => (Carrier::Tcp, 1883),
            "mqtts" => (Carrier::Tls, 8883),
            "ws" => (Carrier::WebSocket, 80),
            "wss" => (Carrier::WebSocketTls, 443),
            _ => return Err(UrlError::Scheme),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let web = matches!(carrier, Carrier::WebSocket | Carrier::WebSocketTls);
        if (!web && !matches!(path, "" | "/")) || path.contains('#') {
            return Err(UrlError::Path);
        }
        let (login, place) =
            authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
        let (user, password) =
            match login.map(|login| login.split_once(':').map_or((login, None), |(u, p)| (u, Some(p)))) {
                None => (None, None),
                Some((user, password)) => {
                    let user = String::from_utf8(decoded(user)?).map_err(|_| UrlError::User)?;
                    (Some(user), password.map(decoded).transpose()?)
                }
            };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, after) = rest.split_once(']').ok_or(UrlError::Host)?;
                let port = if after.is_empty() { None } else { Some(after.strip_prefix(':').ok_or(UrlError::Port)?) };
                if host.is_empty() || !host.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')) {
                    return Err(UrlError::Host);
                }
                (host, port)
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return Err(UrlError::NoHost);
        }
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '_' | ':');
        if !host.chars().all(allowed) {
            return Err(UrlError::Host);
        }
        let port = match port {
            None => usual,
            Some(digits) => {
                let number = if digits.starts_with('+') { None } else { digits.parse().ok() };
                number.filter(|port| *port > 0).ok_or(UrlError::Port)?
            }
        };
        let path = match path {
            // What brokers listen at when nothing else is said.
            "" if web => "/mqtt".into(),
            "" => String::new(),
            _ if path.starts_with('?') => alloc::format!("/{path}"),
            _ => path.into(),
        };
        Ok(Url { carrier, host: host.into(), port, path, user, password })
    }

    /// Without secrets.
    pub(crate) fn shown(&self) -> String {
        let scheme = match self.carrier {
            Carrier::Tcp => "mqtt",
            Carrier::Tls => "mqtts",
            Carrier::WebSocket => "ws",
            Carrier::WebSocketTls => "wss",
        };
        let brackets = if self.host.contains(':') { ["[", "]"] } else { ["", ""] };
        alloc::format!("{scheme}://{}{}{}:{}", brackets[0], self.host, brackets[1], self.port)
    }
}

/// `%41` is `A`.
fn decoded(text: &str) -> Result<Vec<u8>, UrlError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first != b'%' {
            out.push(*first);
            continue;
        }
        let (digits, after) = after.split_first_chunk::<2>().ok_or(UrlError::Percent)?;
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let [high, low] = digits.map(digit);
        out.push(high.ok_or(UrlError::Percent)? << 4 | low.ok_or(UrlError::Percent)?);
        rest = after;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("mqtts://us%40er:p%3Aw%2f@[2001:db8::7]:9999").unwrap();
        assert_eq!((url.carrier, &*url.host, url.port), (Carrier::Tls, "2001:db8::7", 9999));
        assert_eq!((url.user.as_deref(), url.password.as_deref()), (Some("us@er"), Some(&b"p:w/"[..])));
        assert_eq!(url.shown(), "mqtts://[2001:db8::7]:9999", "no secrets");
        let plain = Url::parse("mqtt://broker").unwrap();
        assert_eq!((plain.port, plain.user, plain.password), (1883, None, None));
        assert_eq!(Url::parse("wss://b/x?y=1").unwrap().path, "/x?y=1");
        assert_eq!(Url::parse("ws://b").unwrap().path, "/mqtt");
    }

    #[test]
    fn each_fault_is_named() {
        for (text, error) in [
            ("broker:1883", UrlError::NoScheme),
            ("http://b", UrlError::Scheme),
            ("mqtt://", UrlError::NoHost),
            ("mqtt://user@:1", UrlError::NoHost),
            ("mqtt://a b", UrlError::Host),
            ("mqtt://[::1", UrlError::Host),
            ("mqtt://[::1]1883", UrlError::Port),
            ("mqtt://b:0", UrlError::Port),
            ("mqtt://b:65536", UrlError::Port),
            ("mqtt://b:+1", UrlError::Port),
            ("mqtt://b:", UrlError::Port),
            ("mqtt://b/sensors", UrlError::Path),
            ("mqtt://u%4@b", UrlError::Percent),
            ("mqtt://%ff@b", UrlError::User),
        ] {
            assert_eq!(Url::parse(text), Err(error), "{text}");
        }
    }
}
