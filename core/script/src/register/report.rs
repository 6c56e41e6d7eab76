//! The report.

use std::sync::Arc;

use convscope_report::Entry;
use rhai::{Dynamic, Engine, ImmutableString, Map};
use serde_json::{Value, json};

use super::{Options, Properties, function, properties};
use crate::state::State;
use crate::throw::Fallible;
use crate::value::{FigureHandle, Page, Results, TableHandle};
use crate::{Failure, convert, kind};

pub(super) const OPTIONS: &[&str] = &["caption"];

/// Properties of reports.
pub(crate) const REPORT: Properties = ("report", &[]);

/// Describes the options of `add`.
pub(super) fn options() -> Value {
    json!({ "caption": { "type": "string" } })
}

pub(super) fn register(engine: &mut Engine, state: &Arc<State>) {
    engine.register_type_with_name::<Page>("Report");
    properties::<Page>(engine, REPORT);

    let shared = Arc::clone(state);
    function("report", &["title: String", "Report"], "Begins the report of this run.")
        .register_into_engine(engine, move |title: ImmutableString| Page::open(&shared, &title));

    let shared = Arc::clone(state);
    function("text", &["report: Report", "markdown: String"], "Adds words, written in Markdown.")
        .register_into_engine(engine, move |page: &mut Page, markdown: ImmutableString| {
            page.add(&shared, Entry::Text(markdown.to_string()));
        });

    let doc = "Adds a figure, a table, or all figures and tables of a result.\n\n\
               Options: `caption`, words before the figure's own.";
    let shared = Arc::clone(state);
    function("add", &["report: Report", "what: ?"], doc).register_into_engine(
        engine,
        move |page: &mut Page, what: Dynamic| -> Fallible<()> {
            page.add(&shared, entry(&what, None)?);
            Ok(())
        },
    );
    let shared = Arc::clone(state);
    function("add", &["report: Report", "what: ?", "options: Map"], doc).register_into_engine(
        engine,
        move |page: &mut Page, what: Dynamic, options: Map| -> Fallible<()> {
            let caption = Options::new(options, OPTIONS)?.string("caption")?;
            page.add(&shared, entry(&what, caption)?);
            Ok(())
        },
    );

    let shared = Arc::clone(state);
    function(
        "save",
        &["report: Report"],
        "Marks the report, as it is now, as what the run writes. Saving again replaces it.",
    )
    .register_into_engine(engine, move |page: &mut Page| -> Fallible<()> {
        Ok(page.save(&shared)?)
    });
}

fn entry(what: &Dynamic, caption: Option<String>) -> Result<Entry, Failure> {
    if let Some(result) = what.read_lock::<Results>() {
        return result.entry(caption);
    }
    if let Some(figure) = what.read_lock::<FigureHandle>() {
        return Ok(figure.entry(caption));
    }
    if let Some(table) = what.read_lock::<TableHandle>() {
        return Ok(table.entry(caption));
    }
    let message =
        format!("a report takes results, figures and tables, not {}", convert::described(what));
    let help = if what.is_string() {
        "words are added with `page.text(…)`"
    } else {
        "a result's figures: `page.add(result)`, or one of them: `page.add(result.figure(\"…\"))`"
    };
    Err(Failure::new(kind::WRONG_TYPE, message).with_help(help))
}
