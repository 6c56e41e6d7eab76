//! What an author implements.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{AnalysisError, Host};

/// One analysis of a plugin: it becomes `model.<ID>(#{…})` in scripts and `analyze <ID>` on the
/// command line.
pub trait Analysis: Send + Sync + 'static {
    /// Snake case; the name in scripts.
    const ID: &'static str;
    /// Name for people.
    const NAME: &'static str;
    /// What it computes and by which definition; Markdown, the first paragraph in one or two
    /// sentences: reports quote it.
    const DOC: &'static str;
    /// Paper and section.
    const REFERENCE: &'static str = "";
    /// Group in lists, such as `attribution`.
    const CATEGORY: &'static str = "";
    /// Whether several runs may be active at once. Say no where they would share a file or device.
    const REENTRANT: bool = true;
    /// Whether the same input gives the same bytes, so that results may be cached. Say so only of
    /// an analysis that takes no time, no address and no order of threads into its results.
    const DETERMINISTIC: bool = false;
    /// Whether it calls [`Model::attribute`](crate::Model::attribute).
    const NEEDS_BACKWARD: bool = false;

    /// The parameters, checked and completed by the host before they come here.
    ///
    /// Doc comments become help, `#[serde(default = …)]` becomes the default that the user sees.
    /// It must be `Serialize`: without it schemars cannot write the defaults down.
    type Parameters: DeserializeOwned + Serialize + JsonSchema;

    /// Computes. Results are handed to the host as they come, with [`Host::emit_array`] and its
    /// siblings, so that nothing need be held twice.
    ///
    /// # Errors
    /// Returns why it stopped. What was emitted before is dropped by the host.
    fn run(&self, host: &Host<'_>, parameters: Self::Parameters) -> Result<(), AnalysisError>;
}
