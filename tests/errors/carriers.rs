//! Types that are no errors, and carry the words of some.

use super::raised::{Field, Raised, Sink};

/// A type that carries words to an error.
struct Carrier {
    of: (&'static str, &'static str),
    variant: &'static str,
    /// The folder of the files that make it for this error.
    folder: &'static str,
    /// The type, the variant and the field that show the words.
    to: [&'static str; 3],
}

const CARRIERS: [Carrier; 5] = [
    Carrier {
        of: ("core/data", "Mistake"),
        variant: "",
        folder: "core/data/src/card/",
        to: ["DataError", "Card", "mistakes"],
    },
    Carrier {
        of: ("core/data", "Mistake"),
        variant: "",
        folder: "core/data/src/list/",
        to: ["DataError", "List", "mistakes"],
    },
    Carrier {
        of: ("core/onnx", "Refusal"),
        variant: "Invalid",
        folder: "core/onnx/",
        to: ["OnnxError", "InvalidNode", "reason"],
    },
    Carrier {
        of: ("core/onnx", "Refusal"),
        variant: "Unsupported",
        folder: "core/onnx/",
        to: ["OnnxError", "UnsupportedNodes", "reason"],
    },
    Carrier {
        of: ("core/protocol", "Problem"),
        variant: "",
        folder: "core/protocol/src/findings/",
        to: ["FindingsError", "WrongFigure", "problem"],
    },
];

/// Says whether a type is a carrier.
pub(crate) fn is_one((part, name): &(String, String)) -> bool {
    CARRIERS.iter().any(|carrier| carrier.of == (part.as_str(), name.as_str()))
}

/// Returns the carriers, as (part, name).
pub(crate) fn types() -> [(String, String); CARRIERS.len()] {
    CARRIERS.map(|carrier| (carrier.of.0.to_owned(), carrier.of.1.to_owned()))
}

/// Gives what the carriers hold to the errors.
pub(crate) fn unload(found: Raised) -> Raised {
    let mut raised = Raised::new();
    for (mut sink, said) in found {
        if let Sink::Field(field) = &mut sink
            && is_one(&field.of)
        {
            let is_it = |carrier: &&Carrier| {
                carrier.of.1 == field.of.1
                    && carrier.variant == field.variant
                    && field.file.starts_with(carrier.folder)
            };
            let Some(Carrier { to: [of, variant, name], .. }) = CARRIERS.iter().find(is_it) else {
                continue;
            };
            let of = (field.of.0.clone(), (*of).to_owned());
            let (variant, name) = ((*variant).to_owned(), (*name).to_owned());
            *field = Field { of, variant, name, file: String::new() };
        }
        raised.entry(sink).or_default().extend(said);
    }
    raised
}
