//! Looking into tokens: inside a macro nothing is parsed, and what stands there counts all the same.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Something in tokens that a rule speaks of.
#[derive(Debug, PartialEq)]
pub enum Seen {
    Unsafe,
    /// `cfg(…)`, `cfg!(…)` or `cfg_attr(…)` that asks for a target.
    Target,
    /// `#[allow(…)]` or `#[expect(…)]` without a reason.
    AllowWithoutReason,
    /// `a::b::c`, or a single name before `!` or `(`.
    Path(Vec<String>),
}

/// Reports what stands in the tokens, each with its line.
pub fn look(tokens: &TokenStream, seen: &mut dyn FnMut(Seen, usize)) {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut place = 0;
    while place < trees.len() {
        let line = trees[place].span().start().line;
        match &trees[place] {
            TokenTree::Ident(ident) if *ident == "unsafe" => seen(Seen::Unsafe, line),
            TokenTree::Ident(ident) => {
                if asks_for_a_target(&ident.to_string(), &trees[place + 1..]) {
                    seen(Seen::Target, line);
                }
                let (path, length) = path_at(&trees[place..]);
                let after_a_dot = place > 0 && is_punct(trees.get(place - 1), '.');
                if !after_a_dot || path.len() > 1 {
                    seen(Seen::Path(path), line);
                } else if let Some(TokenTree::Group(_)) = trees.get(place + length) {
                    seen(Seen::Path(vec!["self".to_owned(), path.concat()]), line);
                }
                place += length;
                continue;
            }
            TokenTree::Group(group) => {
                let after_a_hash =
                    place > 0 && (is_punct(trees.get(place - 1), '#') || is_punct(trees.get(place - 1), '!'));
                if group.delimiter() == Delimiter::Bracket && after_a_hash && allows_without_reason(&group.stream()) {
                    seen(Seen::AllowWithoutReason, line);
                }
                look(&group.stream(), seen);
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        place += 1;
    }
}

/// Whether a predicate asks for a part of the target.
pub fn names_a_target(predicate: &TokenStream) -> bool {
    predicate.clone().into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => {
            let name = ident.to_string();
            name.starts_with("target_") || name == "unix" || name == "windows"
        }
        TokenTree::Group(group) => names_a_target(&group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether an attribute's tokens hold an `allow(…)` or `expect(…)` that gives no reason, alone or in a `cfg_attr`.
pub fn allows_without_reason(attribute: &TokenStream) -> bool {
    let trees: Vec<TokenTree> = attribute.clone().into_iter().collect();
    trees.windows(2).any(|pair| match pair {
        [TokenTree::Ident(name), TokenTree::Group(group)] => match name.to_string().as_str() {
            "allow" | "expect" => !gives_a_reason(&group.stream()),
            "cfg_attr" => allows_without_reason(&group.stream()),
            _ => false,
        },
        _ => false,
    })
}

fn gives_a_reason(lints: &TokenStream) -> bool {
    lints.clone().into_iter().any(|tree| matches!(tree, TokenTree::Ident(name) if name == "reason"))
}

fn asks_for_a_target(name: &str, after: &[TokenTree]) -> bool {
    let predicate = match after {
        [TokenTree::Punct(bang), TokenTree::Group(group), ..] if bang.as_char() == '!' => group,
        [TokenTree::Group(group), ..] => group,
        _ => return false,
    };
    matches!(name, "cfg" | "cfg_attr" | "cfg_select") && names_a_target(&predicate.stream())
}

/// The path that begins here, and how many tokens it takes.
fn path_at(trees: &[TokenTree]) -> (Vec<String>, usize) {
    let mut path = vec![trees[0].to_string()];
    let mut length = 1;
    while is_punct(trees.get(length), ':')
        && is_punct(trees.get(length + 1), ':')
        && let Some(TokenTree::Ident(next)) = trees.get(length + 2)
    {
        path.push(next.to_string());
        length += 3;
    }
    (path, length)
}

fn is_punct(tree: Option<&TokenTree>, wanted: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}
