//! Messages as their sources format them, written for readers.

use std::collections::BTreeMap;

use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, Lit, LitStr, Member, Token, parenthesized, token};

/// A message whose changing parts have names.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Message(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Words(String),
    Value(String),
}

/// What a format string takes: `"…", path.display()`.
pub(crate) struct Format {
    text: LitStr,
    arguments: Vec<Argument>,
}

/// An argument of a format string.
struct Argument {
    name: Option<String>,
    word: String,
}

impl Parse for Format {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let text = input.parse()?;
        let mut arguments = Vec::new();
        while input.parse::<Option<Token![,]>>()?.is_some() && !input.is_empty() {
            let is_named = input.peek(Ident) && input.peek2(Token![=]) && !input.peek2(Token![==]);
            let name = if is_named {
                let name = input.parse::<Ident>()?.to_string();
                input.parse::<Token![=]>()?;
                Some(name)
            } else {
                None
            };
            arguments.push(Argument { name, word: argument(input)? });
        }
        Ok(Self { text, arguments })
    }
}

/// Reads an argument, in which `thiserror` allows `.0` for a field, and returns a word for it.
fn argument(input: ParseStream<'_>) -> syn::Result<String> {
    if input.peek(Token![.]) {
        input.parse::<Token![.]>()?;
        return Ok(word(&input.parse()?));
    }
    if input.peek(Ident) && input.peek2(token::Paren) {
        input.parse::<Ident>()?;
        let content;
        parenthesized!(content in input);
        let words = Punctuated::<String, Token![,]>::parse_terminated_with(&content, argument)?;
        return Ok(words.into_iter().next().unwrap_or_default());
    }
    Ok(word(&input.parse()?))
}

/// Returns the word by which a reader knows what an expression stands for.
fn word(expression: &Expr) -> String {
    match expression {
        Expr::Call(call) => call.args.first().map(word).unwrap_or_default(),
        Expr::Cast(cast) => word(&cast.expr),
        Expr::Field(field) => match &field.member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(_) => word(&field.base),
        },
        Expr::Index(index) => word(&index.expr),
        Expr::Lit(literal) => match &literal.lit {
            Lit::Int(number) => number.base10_digits().to_owned(),
            Lit::Float(number) => number.base10_digits().split('.').next().unwrap_or("0").into(),
            _ => String::new(),
        },
        Expr::MethodCall(call) => {
            let method = call.method.to_string();
            let says_more = method.starts_with("max_") || ["volume", "len"].contains(&&*method);
            match (says_more, word(&call.receiver)) {
                (true, _) => method.replace("len", "count"),
                (false, receiver) if receiver.is_empty() || receiver == "self" => method,
                (false, receiver) => receiver,
            }
        }
        Expr::Paren(paren) => word(&paren.expr),
        Expr::Path(path) => {
            path.path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default()
        }
        Expr::Reference(reference) => word(&reference.expr),
        Expr::Try(tried) => word(&tried.expr),
        Expr::Unary(unary) => word(&unary.expr),
        _ => String::new(),
    }
}

impl Format {
    /// Returns the message, with the words of `known` in the place of what it names.
    pub(crate) fn message(&self, known: &Known<'_>) -> Message {
        let text = self.text.value();
        let mut message = Message::default();
        let mut rest = text.as_str();
        let mut next = 0;
        while let Some(at) = rest.find(['{', '}']) {
            let (words, tail) = rest.split_at(at);
            message.push(Part::Words(words.to_owned()));
            if tail.starts_with("{{") || tail.starts_with("}}") {
                message.push(Part::Words(tail[..1].to_owned()));
                rest = &tail[2..];
                continue;
            }
            let (placeholder, tail) = tail[1..].split_once('}').unwrap_or((&tail[1..], ""));
            let name = placeholder.split(':').next().unwrap_or_default();
            let argument = if name.is_empty() {
                next += 1;
                self.arguments.get(next - 1)
            } else {
                self.arguments.iter().find(|argument| argument.name.as_deref() == Some(name))
            };
            message.push(known.part(argument.map_or(name, |argument| &argument.word)));
            rest = tail;
        }
        message.push(Part::Words(rest.to_owned()));
        message
    }
}

/// What names in a format string stand for.
pub(crate) struct Known<'a> {
    /// The values of constants.
    pub(crate) constants: &'a BTreeMap<String, String>,
    /// Words for the fields of a variant whose fields have no names.
    pub(crate) fields: &'a [String],
}

impl Known<'_> {
    fn part(&self, name: &str) -> Part {
        if let Some(value) = self.constants.get(name) {
            return Part::Words(value.clone());
        }
        let number = name.trim_start_matches('_').parse::<usize>().ok();
        let name = number.and_then(|number| self.fields.get(number)).map_or(name, String::as_str);
        Part::Value(match name {
            "" | "self" => "…".to_owned(),
            "error" | "source" => "reason".to_owned(),
            name => name.to_lowercase().replace('_', " "),
        })
    }
}

impl Message {
    /// A message in which nothing changes.
    pub(crate) fn fixed(words: &str) -> Self {
        Self(vec![Part::Words(words.to_owned())])
    }

    /// Returns its words, with `…` for what changes.
    pub(crate) fn plain(&self) -> String {
        let part = |part: &Part| match part {
            Part::Words(words) => words.clone(),
            Part::Value(_) => "…".to_owned(),
        };
        self.0.iter().map(part).collect()
    }

    fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (_, Part::Words(words)) if words.is_empty() => {}
            (Some(Part::Words(last)), Part::Words(words)) => last.push_str(&words),
            (_, part) => self.0.push(part),
        }
    }

    /// Says whether it has words of its own, not only what changes.
    pub(crate) fn has_words(&self) -> bool {
        let has_letter = |words: &String| words.chars().any(char::is_alphabetic);
        self.0.iter().any(|part| matches!(part, Part::Words(words) if has_letter(words)))
    }

    /// Returns the name of what stands last, if that changes.
    pub(crate) fn last_value(&self) -> Option<&str> {
        match self.0.last()? {
            Part::Value(name) => Some(name),
            Part::Words(_) => None,
        }
    }

    /// Says whether it is one value and nothing else: other words than its own.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.0.as_slice(), [] | [Part::Value(_)])
    }

    /// Writes it as Markdown: what changes is in italics, what stands between backticks is code
    /// where nothing in it changes.
    pub(crate) fn markdown(&self) -> String {
        let mut pieces = vec![Vec::new()];
        for part in &self.0 {
            match part {
                Part::Value(_) => pieces.last_mut().unwrap().push(part.clone()),
                Part::Words(words) => {
                    for (number, words) in words.split('`').enumerate() {
                        if number > 0 {
                            pieces.push(Vec::new());
                        }
                        pieces.last_mut().unwrap().push(Part::Words(words.to_owned()));
                    }
                }
            }
        }
        let last = pieces.len() - 1;
        let mut text = String::new();
        for (number, piece) in pieces.iter().enumerate() {
            let changes = piece.iter().any(|part| matches!(part, Part::Value(_)));
            let is_quoted = number % 2 == 1 && number < last;
            let (mark, is_code) = match (is_quoted, changes) {
                (false, _) => ("", false),
                (true, true) => ("\\`", false),
                (true, false) => ("`", true),
            };
            let stray = if number % 2 == 1 && !is_quoted { "\\`" } else { "" };
            text.push_str(mark);
            text.push_str(stray);
            for part in piece {
                match part {
                    Part::Words(words) if is_code => text.push_str(words),
                    Part::Words(words) => text.push_str(&escaped(words)),
                    Part::Value(name) => {
                        // Emphasis that touches emphasis is none.
                        let space = text.ends_with('*') && !text.ends_with("\\*");
                        text.push_str(if space { " *" } else { "*" });
                        text.push_str(name);
                        text.push('*');
                    }
                }
            }
            text.push_str(mark);
        }
        text.split('\n').map(str::trim).collect::<Vec<_>>().join(" ")
    }
}

/// Escapes what Markdown would take for its own.
fn escaped(words: &str) -> String {
    let mut text = String::new();
    for letter in words.chars() {
        if "\\*[]<>$#|".contains(letter) {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn markdown(format: &str) -> String {
        let constants = BTreeMap::from([("LIMIT".to_owned(), "64".to_owned())]);
        let known = Known { constants: &constants, fields: &["reason".to_owned()] };
        syn::parse_str::<Format>(format).unwrap().message(&known).markdown()
    }

    #[test]
    fn what_changes_has_the_name_of_what_the_source_puts_there() {
        assert_eq!(markdown(r#""{name}: {source}""#), "*name*: *reason*");
        assert_eq!(markdown(r#""{} is no file", path.display()"#), "*path* is no file");
        assert_eq!(markdown(r#""{} is {}", of(.0), self.max_size()"#), "*reason* is *max size*");
        assert_eq!(markdown(r#""{0:#x}, {two}", two = a.b"#), "*reason*, *b*");
    }

    #[test]
    fn constants_are_written_out() {
        assert_eq!(markdown(r#""more than {LIMIT}""#), "more than 64");
        assert_eq!(markdown(r#""more than {}", limits::LIMIT"#), "more than 64");
    }

    #[test]
    fn backticks_mean_code_where_nothing_in_them_changes() {
        assert_eq!(markdown(r#""`{name}` beside `$ref`""#), r"\`*name*\` beside `$ref`");
    }

    #[test]
    fn what_markdown_would_take_for_its_own_is_escaped() {
        assert_eq!(markdown(r#""[n, {{c}}] *.so""#), r"\[n, {c}\] \*.so");
        assert_eq!(markdown(r#""list {path}{}", Told(mistakes)"#), "list *path* *mistakes*");
    }
}
