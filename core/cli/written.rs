//! Writes a report and says so.

use std::path::Path;

use convscope_report::{Provenance, Report, ReportError};
use serde_json::{Map, json};

use crate::command::Outcome;
use crate::console::Console;
use crate::failure::Failure;
use crate::kind;
use crate::provenance::Clock;

/// Writes a report into its folder.
pub(crate) fn write(
    report: &Report,
    provenance: &Provenance,
    out: &Path,
    clock: &Clock,
    console: &Console,
) -> Result<Outcome, Failure> {
    if convscope_host::Control::is_cancelled(console) {
        return Err(Failure::interrupted());
    }
    console.note("writing the report");
    let written =
        convscope_report::write(report, provenance, out).map_err(|error| failure(&error))?;
    for warning in &written.warnings {
        console.warn(warning);
    }
    let page = out.join("report.html");
    let text =
        format!("{} ({} files, {:.1} s)\n", page.display(), written.files.len(), clock.seconds());
    let mut json = Map::new();
    json.insert("report".to_owned(), json!(page));
    json.insert("files".to_owned(), json!(written.files));
    json.insert("warnings".to_owned(), json!(written.warnings));
    json.insert("seconds".to_owned(), json!(clock.seconds()));
    json.insert("run".to_owned(), json!(provenance.run));
    Ok(Outcome { text, json })
}

/// Turns an error of the report into a failure.
pub(crate) fn failure(error: &ReportError) -> Failure {
    Failure::new(kind::REPORT, error.to_string())
}
