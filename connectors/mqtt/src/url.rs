//! A broker's URL, taken apart: `mqtts://user:password@broker.example:8883`.

#[cfg(feature = "alloc")]
use alloc::{string::String, vec::Vec};
use core::fmt;

/// What carries the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    Tls,
    WebSocket,
    WebSocketTls,
}

/// A broker's URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Url<'u> {
    pub(crate) carrier: Carrier,
    pub(crate) host: &'u str,
    pub(crate) port: u16,
    /// For WebSockets: the path and query.
    pub(crate) path: &'u str,
    /// As they stand there, with `%`.
    pub(crate) user: Option<&'u str>,
    pub(crate) password: Option<&'u str>,
}

/// A user name and perhaps a password, without `%`.
#[cfg(feature = "alloc")]
type Login = (String, Option<Vec<u8>>);

/// What is wrong with a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// There is no `://`.
    #[error("it has no scheme: write it as `mqtt://127.0.0.1:1883`")]
    NoScheme,
    /// It is of another scheme.
    #[error("its scheme is none of mqtt, mqtts, ws and wss")]
    Scheme,
    /// There is no host.
    #[error("it has no host: write it as `mqtt://127.0.0.1:1883`")]
    NoHost,
    /// The host.
    #[error("its host holds a character that no host has")]
    Host,
    /// The port.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// A path, where there can be none.
    #[error("a path is for ws and wss only: topics stand in the links' addresses, as `mqtt://sensors/temp`")]
    Path,
    /// A `%` that stands for no byte.
    #[error("a `%` in the user name or password is not followed by two hexadecimal digits: write it as %25")]
    Percent,
    /// The user name.
    #[error("its user name is not UTF-8")]
    User,
    /// A query, and no path before it.
    #[error("its path has to begin with `/`")]
    Query,
    /// A `%` in a program without a heap.
    #[error("without a heap a user name or password with `%` stands in `credentials`, and not in the URL")]
    #[cfg(not(feature = "alloc"))]
    NoHeap,
}

/// A user name and, where there is one, a password.
#[cfg(not(feature = "alloc"))]
type Login<'u> = (&'u str, Option<&'u [u8]>);

impl<'u> Url<'u> {
    pub(crate) fn parse(text: &'u str) -> Result<Self, UrlError> {
        // Not by `"://"`: a search for text takes a microcontroller two kilobytes.
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::NoScheme)?;
        let rest = rest.strip_prefix("//").ok_or(UrlError::NoScheme)?;
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
        let (user, password) = match login.map(|login| login.split_once(':')) {
            None => (None, None),
            Some(None) => (login, None),
            Some(Some((user, password))) => (Some(user), Some(password)),
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
        let allowed = |c: char| c.is_ascii_alphanumeric() || !c.is_ascii() || matches!(c, '-' | '.' | '_' | ':');
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
            "" if web => "/mqtt",
            _ if path.starts_with('?') => return Err(UrlError::Query),
            _ => path,
        };
        Ok(Url { carrier, host, port, path, user, password })
    }

    /// User name and password.
    #[cfg(feature = "alloc")]
    pub(crate) fn login(&self) -> Result<Option<Login>, UrlError> {
        let Some(user) = self.user else { return Ok(None) };
        let user = String::from_utf8(decoded(user)?).map_err(|_| UrlError::User)?;
        Ok(Some((user, self.password.map(decoded).transpose()?)))
    }

    /// User name and password, which have to stand for themselves.
    #[cfg(not(feature = "alloc"))]
    pub(crate) fn login(&self) -> Result<Option<Login<'u>>, UrlError> {
        let Some(user) = self.user else { return Ok(None) };
        if user.contains('%') || self.password.is_some_and(|password| password.contains('%')) {
            return Err(UrlError::NoHeap);
        }
        Ok(Some((user, self.password.map(str::as_bytes))))
    }
}

/// Without secrets.
impl fmt::Display for Url<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.carrier {
            Carrier::Tcp => "mqtt",
            Carrier::Tls => "mqtts",
            Carrier::WebSocket => "ws",
            Carrier::WebSocketTls => "wss",
        };
        let brackets = if self.host.contains(':') { ["[", "]"] } else { ["", ""] };
        write!(f, "{scheme}://{}{}{}:{}", brackets[0], self.host, brackets[1], self.port)
    }
}

/// `%41` is `A`.
#[cfg(feature = "alloc")]
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
    use alloc::string::ToString;

    #[test]
    fn a_url_is_taken_apart() {
        let url = Url::parse("mqtts://us%40er:p%3Aw%2f@[2001:db8::7]:9999").unwrap();
        assert_eq!((url.carrier, url.host, url.port), (Carrier::Tls, "2001:db8::7", 9999));
        assert_eq!(url.login(), Ok(Some(("us@er".into(), Some(b"p:w/".to_vec())))));
        assert_eq!(url.to_string(), "mqtts://[2001:db8::7]:9999", "no secrets");
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
            let found = Url::parse(text).and_then(|url| url.login());
            assert_eq!(found.map(drop), Err(error), "{text}");
        }
    }
}
