//! Opens a session as the command line says.

use std::path::Path;

use convscope_host::{
    CacheOptions, HostError, ModelOptions, Origin, Passes, Refusal, Refused, Registry, Search,
    Session, SessionOptions,
};
use convscope_runtime::ConvolutionForms;

use crate::arguments::{Common, Keeping};
use crate::console::Console;
use crate::failure::Failure;

/// Says where plugins are looked for, and which are refused for their names.
pub(crate) fn search(common: &Common) -> Search {
    Search::standard(&common.plugin_dir).reserving(convscope_script::is_reserved)
}

/// Finds and loads plugins.
pub(crate) fn discover(common: &Common) -> Registry {
    Registry::discover(&search(common))
}

/// Says which plugins were refused, and what is odd about those that were not.
pub(crate) fn report_refused(registry: &Registry, console: &Console) {
    for refused in registry.failures().iter().filter(|one| !is_replaced(registry, one)) {
        let (path, reason) = (refused.path.display(), &refused.reason);
        console.warn(&format!("plugin {path}: {reason}\n  = help: {}", reason.help()));
    }
    for plugin in registry.plugins() {
        for warning in plugin.warnings() {
            console.warn(&format!("plugin {}: {warning}", plugin.path().display()));
        }
    }
}

/// Says whether a plugin gave way to one of `--plugin-dir`: that is what the user asked for.
fn is_replaced(registry: &Registry, refused: &Refused) -> bool {
    let Refusal::Duplicate { first, .. } = &refused.reason else { return false };
    let used = registry.plugins().iter().find(|plugin| plugin.path() == first);
    used.is_some_and(|plugin| plugin.origin() == Origin::Explicit)
}

/// Opens a session with the plugins that are found, and warns of those that are refused.
pub(crate) fn open(common: &Common, console: &Console) -> Result<Session, Failure> {
    let registry = discover(common);
    report_refused(&registry, console);
    with(common, registry)
}

/// Opens a session without plugins, for commands that run no analysis.
pub(crate) fn open_bare(common: &Common) -> Result<Session, Failure> {
    with(common, Registry::default())
}

fn with(common: &Common, registry: Registry) -> Result<Session, Failure> {
    let options = SessionOptions {
        seed: common.seed,
        threads: common.threads.map(|threads| threads as usize),
        memory: common.memory.map(|size| size.0),
        preprocess: common.preprocess,
        convolutions: if common.rounding.exact_conv {
            ConvolutionForms::Direct
        } else {
            ConvolutionForms::Any
        },
        passes: if common.rounding.no_incremental { Passes::Full } else { Passes::Incremental },
        cache: cache(&common.keeping),
    };
    Ok(Session::new(options, registry)?)
}

/// Says where results are kept for later runs.
fn cache(given: &Keeping) -> Option<CacheOptions> {
    let folder = match (given.no_cache, &given.cache_dir) {
        (true, _) => None,
        (false, Some(folder)) => Some(folder.clone()),
        (false, None) => CacheOptions::user_folder(),
    }?;
    let limit = given.cache_size.map_or(CacheOptions::DEFAULT_LIMIT, |size| size.0);
    Some(CacheOptions { folder, limit })
}

/// Returns the options of a model whose input has the given shape, the file's where it is empty, and
/// which takes its weights from another file where one is given.
pub(crate) fn model_options(input: &[usize], weights: Option<&Path>) -> ModelOptions {
    let input = (!input.is_empty()).then(|| input.to_vec());
    ModelOptions { input, weights: weights.map(Path::to_owned), ..ModelOptions::default() }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        if matches!(error, HostError::Cancelled) {
            return Self::interrupted();
        }
        let mut failure = Self::new(error.kind(), error.to_string());
        failure.key = error.key().map(Into::into);
        failure.help = error.help();
        failure
    }
}
