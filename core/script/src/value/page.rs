//! A report that is being filled.

use crate::{Failure, kind};
use convscope_report::{Entry, Report};

use crate::state::{Entries, State};

/// A handle of a report that is being filled.
#[derive(Clone)]
pub(crate) struct Page {
    number: usize,
    title: String,
    entries: Entries,
}

impl Page {
    /// Opens a report.
    pub(crate) fn open(state: &State, title: &str) -> Self {
        let mut ledger = state.ledger();
        ledger.reports += 1;
        let number = ledger.reports;
        ledger.unsaved.insert(number, 0);
        Self { number, title: title.to_owned(), entries: Entries::default() }
    }

    /// Adds an entry at the end.
    pub(crate) fn add(&self, state: &State, entry: Entry) {
        *state.ledger().unsaved.entry(self.number).or_default() += 1;
        self.lock().push(entry);
    }

    /// Marks the report, as it is now, as what is to be written.
    ///
    /// # Errors
    ///
    /// When another report was saved before, or there is nothing in it.
    pub(crate) fn save(&self, state: &State) -> Result<(), Failure> {
        let entries = self.lock().clone();
        if entries.is_empty() {
            return Err(Failure::new(
                kind::EMPTY_REPORT,
                format!("the report `{}` is empty", self.title),
            )
            .with_help("add something first: `page.text(…)`, `page.add(…)`"));
        }
        let mut ledger = state.ledger();
        if let Some((number, report)) = &ledger.saved
            && *number != self.number
        {
            let message = format!("a run writes one report, and `{}` is saved", report.title);
            return Err(Failure::new(kind::SECOND_REPORT, message)
                .with_help("add everything to one report, or run two scripts"));
        }
        ledger.unsaved.remove(&self.number);
        ledger.saved = Some((self.number, Report { title: self.title.clone(), entries }));
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
