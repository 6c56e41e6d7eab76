//! `convscope plugins`: which plugins there are, what they can do, and which may run.

mod describe;
mod list;
mod trust;

use super::Outcome;
use crate::arguments::{Common, Plugins};
use crate::console::Console;
use crate::failure::Failure;
use crate::session;

/// Width of what is printed.
const WIDTH: usize = 80;

/// Lists, describes, trusts or no longer trusts plugins.
pub(crate) fn execute(
    arguments: &Plugins,
    common: &Common,
    console: &Console,
) -> Result<Outcome, Failure> {
    match arguments {
        Plugins::Describe { id } => {
            let registry = session::discover(common);
            session::report_refused(&registry, console);
            describe::describe(&registry, id)
        }
        Plugins::List => Ok(list::list(&session::discover(common))),
        Plugins::Trust { file } => trust::trust(&session::search(common), file),
        Plugins::Untrust { name } => trust::untrust(&session::search(common), name),
    }
}
