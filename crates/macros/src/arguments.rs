//! What stands in the brackets of `#[service(…)]`.

use crate::known;
use proc_macro2::Span;
use std::time::Duration;
use syn::{
    Error, Ident, LitInt, LitStr, Path, Result, Token,
    ext::IdentExt,
    parse::{Parse, ParseStream},
};

/// The arguments; what was not written is `None`, and the façade's defaults hold.
pub(crate) struct Arguments {
    pub(crate) name: Option<LitStr>,
    pub(crate) restart: Restart,
    pub(crate) backoff: Option<Duration>,
    pub(crate) max_backoff: Option<Duration>,
    pub(crate) limit: Option<u32>,
    pub(crate) instances: u16,
    pub(crate) krate: Option<Path>,
}

/// When the service is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Restart {
    Never,
    OnFailure,
    Always,
}

/// Each argument, and how it is written.
const KNOWN: [(&str, &str); 7] = [
    ("restart", "restart = \"on-failure\""),
    ("backoff", "backoff = \"100ms\""),
    ("max_backoff", "max_backoff = \"30s\""),
    ("limit", "limit = 5"),
    ("instances", "instances = 2"),
    ("name", "name = \"cooling\""),
    ("crate", "crate = ::anabranch"),
];

const POLICIES: [&str; 3] = ["never", "on-failure", "always"];

/// What the façade takes for a `backoff` and `max_backoff` that are not written.
const DEFAULT_BACKOFF: Duration = Duration::from_millis(100);
const DEFAULT_MAX_BACKOFF: Duration = Duration::from_secs(30);

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut arguments = Arguments {
            name: None,
            restart: Restart::Never,
            backoff: None,
            max_backoff: None,
            limit: None,
            instances: 1,
            krate: None,
        };
        let mut seen: Vec<Ident> = Vec::new();
        while !input.is_empty() {
            let argument = input.call(Ident::parse_any)?;
            let word = argument.to_string();
            let Some((_, example)) = KNOWN.iter().find(|(name, _)| *name == word) else {
                return Err(unknown(&argument));
            };
            if seen.contains(&argument) {
                return Err(Error::new(argument.span(), format!("`{word}` is given twice: keep one of them")));
            }
            if !input.peek(Token![=]) {
                return Err(Error::new(argument.span(), format!("`{word}` needs a value: write `{example}`")));
            }
            input.parse::<Token![=]>()?;
            arguments.take(&word, input, example)?;
            seen.push(argument);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        arguments.check(&seen)?;
        Ok(arguments)
    }
}

impl Arguments {
    /// Reads the value of the argument called `word`.
    fn take(&mut self, word: &str, input: ParseStream<'_>, example: &str) -> Result<()> {
        let wrong = |error: Error| Error::new(error.span(), format!("`{word}` takes another value: write `{example}`"));
        let text = || input.parse::<LitStr>().map_err(wrong);
        match word {
            "restart" => self.restart = policy(&text()?)?,
            "backoff" => self.backoff = Some(pause(&text()?)?),
            "max_backoff" => self.max_backoff = Some(pause(&text()?)?),
            "limit" => self.limit = Some(number(&input.parse().map_err(wrong)?, "restarts in a row")?),
            "instances" => {
                let literal = input.parse().map_err(wrong)?;
                self.instances = number(&literal, "instances")?;
                if self.instances == 0 {
                    return Err(Error::new(literal.span(), "a service has at least 1 instance: write `instances = 1`"));
                }
            }
            "name" => {
                let name = text()?;
                if name.value().trim().is_empty() {
                    return Err(Error::new(
                        name.span(),
                        "a service needs a name to be found by: write it, or leave `name` out",
                    ));
                }
                self.name = Some(name);
            }
            _crate => self.krate = Some(input.call(Path::parse_mod_style).map_err(wrong)?),
        }
        Ok(())
    }

    /// What each argument allows, together may make no sense.
    fn check(&self, seen: &[Ident]) -> Result<()> {
        let given = |word: &str| seen.iter().find(|argument| *argument == word);
        if self.restart == Restart::Never
            && let Some(argument) = ["backoff", "max_backoff", "limit"].into_iter().find_map(given)
        {
            let message = format!(
                "`{argument}` is about restarts, and this service is never restarted: add `restart = \"on-failure\"`, or \
                 leave `{argument}` out"
            );
            return Err(Error::new(argument.span(), message));
        }
        let (first, longest) =
            (self.backoff.unwrap_or(DEFAULT_BACKOFF), self.max_backoff.unwrap_or(DEFAULT_MAX_BACKOFF));
        if first > longest {
            let span = given("max_backoff").or_else(|| given("backoff")).map_or_else(Span::call_site, Ident::span);
            let message =
                format!("`max_backoff` ({longest:?}) is shorter than `backoff` ({first:?}): make it at least as long");
            return Err(Error::new(span, message));
        }
        Ok(())
    }
}

fn unknown(argument: &Ident) -> Error {
    let names = KNOWN.map(|(name, _)| name);
    let meant = known::nearest(&argument.to_string(), &names);
    let hint = meant.map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    let names = known::list(&names, '`');
    Error::new(argument.span(), format!("`#[service]` has no argument `{argument}`{hint} It takes {names}"))
}

fn policy(text: &LitStr) -> Result<Restart> {
    let word = text.value();
    match word.as_str() {
        "never" => Ok(Restart::Never),
        "on-failure" => Ok(Restart::OnFailure),
        "always" => Ok(Restart::Always),
        _ => {
            let hint = known::nearest(&word, &POLICIES).map(|meant| format!("; did you mean \"{meant}\"?"));
            let message = format!(
                "there is no policy \"{word}\"{} `restart` is {}",
                hint.unwrap_or_default(),
                known::list(&POLICIES, '"')
            );
            Err(Error::new(text.span(), message))
        }
    }
}

/// A length of time: a whole number and its unit.
fn pause(text: &LitStr) -> Result<Duration> {
    let written = text.value();
    let (number, unit) = written.split_at(written.find(|c: char| !c.is_ascii_digit()).unwrap_or(written.len()));
    let micros = match unit.trim() {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "min" => 60_000_000,
        _ => 0,
    };
    let pause = number.parse::<u64>().ok().and_then(|number| number.checked_mul(micros)).map(Duration::from_micros);
    match pause {
        Some(pause) if !pause.is_zero() => Ok(pause),
        Some(_) if micros > 0 => {
            let message =
                "without a pause a service that keeps failing would leave no time to others: write at least \"1us\"";
            Err(Error::new(text.span(), message))
        }
        _ => {
            let message = format!(
                "\"{written}\" is no length of time: write a whole number and `us`, `ms`, `s` or `min`, such as \"100ms\""
            );
            Err(Error::new(text.span(), message))
        }
    }
}

fn number<N: std::str::FromStr>(literal: &LitInt, of_what: &str) -> Result<N>
where
    N::Err: std::fmt::Display,
{
    literal.base10_parse().map_err(|error| Error::new(literal.span(), format!("no number of {of_what}: {error}")))
}
