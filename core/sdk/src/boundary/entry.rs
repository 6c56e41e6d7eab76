//! What a plugin shows to the host: its description, and the functions that run its analyses.

use std::ffi::c_void;

use convscope_abi::{
    ABI_MAJOR, ABI_MINOR, CS_DETERMINISTIC, CS_NEEDS_BACKWARD, CS_REENTRANT, CsAnalysis, CsHost,
    CsPlugin, CsRun, CsStatus, CsStr, MAGIC,
};

use super::Connection;
use crate::panics::catch;
use crate::{Analysis, AnalysisError, Host};

/// What a plugin says about itself beside its analyses.
#[derive(Clone, Copy, Debug)]
pub struct PluginInfo {
    /// Reverse domain name.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Its own version.
    pub version: &'static str,
    /// Who wrote it.
    pub authors: &'static str,
    /// SPDX expression.
    pub license: &'static str,
    /// Where to read more.
    pub homepage: &'static str,
}

/// The description that the host reads: made once, never freed.
#[derive(Debug)]
pub struct Descriptor(CsPlugin);

// SAFETY: every pointer in it leads to leaked or static memory that nobody changes.
unsafe impl Send for Descriptor {}
// SAFETY: as above.
unsafe impl Sync for Descriptor {}

impl Descriptor {
    /// Describes a plugin. What it allocates stays for ever: libraries are never unloaded.
    pub fn new(info: &PluginInfo, analyses: Vec<CsAnalysis>) -> Self {
        let analyses: &'static [CsAnalysis] = Vec::leak(analyses);
        Self(CsPlugin {
            magic: MAGIC,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            struct_size: size_of::<CsPlugin>() as u32,
            flags: 0,
            id: CsStr::new(info.id),
            name: CsStr::new(info.name),
            version: CsStr::new(info.version),
            authors: CsStr::new(info.authors),
            license: CsStr::new(info.license),
            homepage: CsStr::new(info.homepage),
            build_info: CsStr::new(leaked(build_info())),
            analyses: analyses.as_ptr(),
            analysis_count: analyses.len(),
            init: None,
            get_extension: None,
        })
    }

    /// Returns what the entry returns.
    pub fn as_ptr(&'static self) -> *const CsPlugin {
        &raw const self.0
    }
}

/// Describes one analysis.
pub fn register<A: Analysis>(analysis: &'static A) -> CsAnalysis {
    let flag = |set: bool, bit: u32| if set { bit } else { 0 };
    CsAnalysis {
        struct_size: size_of::<CsAnalysis>() as u32,
        flags: flag(A::REENTRANT, CS_REENTRANT)
            | flag(A::DETERMINISTIC, CS_DETERMINISTIC)
            | flag(A::NEEDS_BACKWARD, CS_NEEDS_BACKWARD),
        id: CsStr::new(A::ID),
        name: CsStr::new(A::NAME),
        doc: CsStr::new(A::DOC),
        reference: CsStr::new(A::REFERENCE),
        category: CsStr::new(A::CATEGORY),
        params_schema: CsStr::new(leaked(crate::schema::text::<A::Parameters>())),
        outputs_schema: CsStr::new(""),
        user: (&raw const *analysis).cast(),
        run: Some(run::<A>),
    }
}

/// Makes the description, or null when that panics: nothing may unwind into the host.
pub fn guarded(make: impl FnOnce() -> &'static Descriptor) -> *const CsPlugin {
    catch(make).map_or(std::ptr::null(), Descriptor::as_ptr)
}

/// Runs an analysis for the host.
///
/// # Safety
/// `user` must be what [`register`] stored for `A`, `host` and `run` what the host passes.
unsafe extern "C" fn run<A: Analysis>(
    user: *const c_void,
    host: *const CsHost,
    run: *mut CsRun,
) -> CsStatus {
    // SAFETY: `register` stored a reference to a static `A`.
    let Some(analysis) = (unsafe { user.cast::<A>().as_ref() }) else {
        return CsStatus::INVALID;
    };
    // SAFETY: the host passes its own table and run, which live until this function returns.
    let Ok(connection) = (unsafe { Connection::new(host, run) }) else {
        // Without a table that fits there is no function to say why; the host checked the
        // versions before and cannot come here.
        return CsStatus::UNSUPPORTED;
    };
    let (status, reason) = match catch(|| start(analysis, &connection)) {
        Ok(Ok(())) => return CsStatus::OK,
        Ok(Err(error)) => (error.status(), with_sources(&error)),
        Err(panic) => (CsStatus::PANICKED, panic),
    };
    connection.set_error(&reason);
    status
}

fn start<A: Analysis>(analysis: &A, connection: &Connection<'_>) -> Result<(), AnalysisError> {
    let parameters = serde_json::from_str(connection.parameters()?)
        .map_err(|error| AnalysisError::Invalid(format!("parameters: {error}")))?;
    analysis.run(&Host::new(connection), parameters)
}

fn with_sources(error: &AnalysisError) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

fn leaked(text: String) -> &'static str {
    String::leak(text)
}

fn build_info() -> String {
    let profile = if cfg!(debug_assertions) { "debug" } else { "release" };
    let (sdk, arch, os) = (env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS);
    format!("convscope-sdk {sdk}, {arch} {os}, {profile}")
}
