//! Results of whole analyses.

use convscope_protocol::array::ArrayMeta;
use convscope_protocol::findings::FindingsError;
use convscope_protocol::{Array, Figure, Findings, Table, Values};
use serde::{Deserialize, Serialize};

use super::{Cache, Key};
use crate::control::{Control, LogLevel};

/// Lines of a log that are kept; what says more is not cached.
pub(crate) const MOST_LINES: usize = 1000;

/// What an analysis found, without the values of its arrays.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Content {
    arrays: Vec<(String, ArrayMeta)>,
    tables: Vec<Table>,
    figures: Vec<Figure>,
    scalars: Vec<(String, f64)>,
    notes: Vec<String>,
    /// What it said on the way, which the user reads again.
    said: Vec<(LogLevel, String)>,
}

impl Content {
    /// Checks everything as if the analysis had handed it back now.
    fn into_findings(self, values: Vec<Values>) -> Result<Findings, FindingsError> {
        let mut findings = Findings::default();
        for ((name, meta), values) in self.arrays.into_iter().zip(values) {
            findings.add_array(Array { name, meta, values })?;
        }
        for table in self.tables {
            findings.add_table(table)?;
        }
        for figure in self.figures {
            findings.add_figure(figure)?;
        }
        for (name, number) in self.scalars {
            findings.add_scalar(&name, number)?;
        }
        for note in self.notes {
            findings.add_note(note)?;
        }
        Ok(findings)
    }
}

impl Cache {
    /// Finds what an analysis found before, but for its origin, and says that it was re-used.
    pub(crate) fn load_findings(&self, key: &Key, control: &dyn Control) -> Option<Findings> {
        let (content, values) = self.load::<Content>(key, control)?;
        let said = content.said.clone();
        if content.arrays.len() != values.len() {
            self.report_damage(key, "it holds something else", control);
            return None;
        }
        match content.into_findings(values) {
            Ok(findings) => {
                for (level, text) in said {
                    control.log(level, &text);
                }
                self.count_result();
                control.log(LogLevel::Info, "re-used the result of an earlier run");
                Some(findings)
            }
            Err(error) => {
                self.report_damage(key, &error.to_string(), control);
                None
            }
        }
    }

    /// Keeps what an analysis found and said.
    pub(crate) fn save_findings(
        &self,
        key: &Key,
        findings: &Findings,
        said: Vec<(LogLevel, String)>,
        control: &dyn Control,
    ) {
        if said.len() > MOST_LINES {
            return;
        }
        let content = Content {
            arrays: findings.arrays.iter().map(|a| (a.name.clone(), a.meta.clone())).collect(),
            tables: findings.tables.clone(),
            figures: findings.figures.clone(),
            scalars: findings.scalars.clone(),
            notes: findings.notes.clone(),
            said,
        };
        let values: Vec<&Values> = findings.arrays.iter().map(|array| &array.values).collect();
        self.save(key, &content, &values, control);
    }
}
