//! Loads libraries, copies what they say about themselves, and calls them.
//!
//! One of the two addresses of `unsafe` in this crate; the other is [`crate::serve::table`].
#![allow(unsafe_code, reason = "foreign code can only be reached through pointers")]

use std::error::Error as _;
use std::ffi::c_void;
use std::path::Path;

use convscope_abi::{
    ABI_MAJOR, ABI_MINOR, CS_DETERMINISTIC, CS_NEEDS_BACKWARD, CS_REENTRANT, CsAnalysis, CsHost,
    CsPlugin, CsPluginEntry, CsRun, CsStatus, CsStr, ENTRY_SYMBOL, MAGIC,
};
use convscope_protocol::{AnalysisDescriptor, PluginDescriptor, Schema};

use crate::refusal::Refusal;
use crate::serve::{Run, table};

/// The longest text of a description, in bytes: a length that makes no sense is then not read.
const LONGEST_TEXT: usize = 1 << 20;
/// The most analyses of one plugin.
const MOST_ANALYSES: usize = 1000;

/// How an analysis is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    user: *const c_void,
    run: unsafe extern "C" fn(*const c_void, *const CsHost, *mut CsRun) -> CsStatus,
}

// SAFETY: `user` is only handed back to the plugin, which must accept it on any thread: analyses
// are static, and the interface says that `run` may be called from any thread.
unsafe impl Send for Entry {}
// SAFETY: as above; the host never reads through `user`.
unsafe impl Sync for Entry {}

impl Entry {
    /// Runs the analysis; `run` is what its calls of host functions work on.
    pub(crate) fn call(&self, run: &Run<'_>) -> CsStatus {
        let context = std::ptr::from_ref(run).cast_mut().cast::<CsRun>();
        // SAFETY: the function comes from a checked description of a library that is never
        // unloaded; the table is static; the context outlives the call, after which the plugin
        // must not use it. Table functions only read through the context.
        unsafe { (self.run)(self.user, table::host(), context) }
    }
}

/// What a loaded library says about itself.
pub(crate) struct Loaded {
    /// Its description.
    pub descriptor: PluginDescriptor,
    /// How its analyses are called, in the order of the description.
    pub entries: Vec<Entry>,
    /// The version of the plugin interface that it was built for, major and minor.
    pub interface: [u32; 2],
}

/// Loads a library that passed preflight, and copies and checks its description. Its init function
/// is called last, unless `refuse` has something against the description.
///
/// The library is never unloaded: threads, thread-local destructors and static data of a plugin
/// may outlive any point at which it would seem safe.
pub(crate) fn load(
    path: &Path,
    hash: &blake3::Hash,
    refuse: impl FnOnce(&PluginDescriptor) -> Option<Refusal>,
) -> Result<Loaded, Refusal> {
    let library = open(path).map_err(|error| Refusal::Load(reason_of(&error)))?;
    let library = std::mem::ManuallyDrop::new(library);
    // SAFETY: the interface fixes the type of this symbol for ever.
    let entry = unsafe { library.get::<CsPluginEntry>(ENTRY_SYMBOL) }
        .map_err(|error| Refusal::Load(reason_of(&error)))?;
    // SAFETY: the entry point takes nothing and returns a pointer to static data, or null.
    let plugin = unsafe { entry() };
    check_prefix(plugin)?;
    // SAFETY: magic number, equal version and sufficient size say that a whole, static `CsPlugin`
    // is there.
    let plugin = unsafe { &*plugin };
    let (descriptor, entries) = describe(plugin, hash)?;
    if let Some(refusal) = refuse(&descriptor) {
        return Err(refusal);
    }
    if let Some(init) = plugin.init {
        // SAFETY: the interface says that init takes nothing and may be called after checking.
        let status = unsafe { init() };
        if status != CsStatus::OK {
            return Err(Refusal::Init(status.0));
        }
    }
    Ok(Loaded { descriptor, entries, interface: [plugin.abi_major, plugin.abi_minor] })
}

#[cfg(unix)]
fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: loading runs the constructors of a library that the user trusts and that preflight
    // found whole. NOW finds missing symbols here rather than in the middle of a run.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
fn open(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: loading runs the initialization of a library that the user trusts and that preflight
    // found whole.
    unsafe { libloading::Library::new(path) }
}

/// Says why loading failed: libloading itself only says that it did.
fn reason_of(error: &libloading::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    text
}

/// Reads the fields that are frozen for ever, and nothing else.
fn check_prefix(plugin: *const CsPlugin) -> Result<(), Refusal> {
    if plugin.is_null() {
        return Err(Refusal::NullEntry);
    }
    if !plugin.is_aligned() {
        return Err(bad("the address of the description", "is not aligned"));
    }
    // SAFETY: not null, aligned, and the interface promises at least the frozen prefix, of which
    // each field is read by itself.
    let (magic, major, minor, size) = unsafe {
        let magic = (&raw const (*plugin).magic).read();
        if magic != MAGIC {
            return Err(Refusal::BadMagic(magic));
        }
        (
            magic,
            (&raw const (*plugin).abi_major).read(),
            (&raw const (*plugin).abi_minor).read(),
            (&raw const (*plugin).struct_size).read(),
        )
    };
    debug_assert_eq!(magic, MAGIC);
    if major != ABI_MAJOR {
        return Err(Refusal::OtherMajor { major, minor });
    }
    if minor > ABI_MINOR {
        return Err(Refusal::NewerMinor { major, minor });
    }
    if minor < ABI_MINOR && ABI_MAJOR == 0 {
        return Err(Refusal::OlderMinor { major, minor });
    }
    if (size as usize) < size_of::<CsPlugin>() {
        let reason = format!("is {size}, less than the {} of its version", size_of::<CsPlugin>());
        return Err(bad("the size of the description", reason));
    }
    Ok(())
}

fn describe(
    plugin: &CsPlugin,
    hash: &blake3::Hash,
) -> Result<(PluginDescriptor, Vec<Entry>), Refusal> {
    let id = text(plugin.id, "the plugin's id")?;
    if !is_plugin_id(&id) {
        let reason = format!(
            "`{id}` is not like `org.example.method`: lower-case letters, digits, `-` and `_` between dots"
        );
        return Err(bad("the plugin's id", reason));
    }
    let mut descriptor = PluginDescriptor {
        id,
        name: text(plugin.name, "the plugin's name")?,
        version: text(plugin.version, "the plugin's version")?,
        authors: text(plugin.authors, "the plugin's authors")?,
        license: text(plugin.license, "the plugin's licence")?,
        homepage: text(plugin.homepage, "the plugin's homepage")?,
        build_info: text(plugin.build_info, "the plugin's build information")?,
        hash: hash.to_hex().to_string(),
        analyses: Vec::new(),
    };
    let mut entries = Vec::new();
    for analysis in analyses(plugin)? {
        let (described, entry) = describe_analysis(analysis)?;
        if descriptor.analyses.iter().any(|other| other.id == described.id) {
            return Err(bad("the analysis' id", format!("`{}` appears twice", described.id)));
        }
        descriptor.analyses.push(described);
        entries.push(entry);
    }
    Ok((descriptor, entries))
}

/// Finds the analyses of a plugin, each as large as it says it is.
fn analyses(plugin: &CsPlugin) -> Result<Vec<&CsAnalysis>, Refusal> {
    let count = plugin.analysis_count;
    let what = "the list of analyses";
    if count == 0 || plugin.analyses.is_null() {
        return Err(bad(what, "is empty"));
    }
    if count > MOST_ANALYSES {
        return Err(bad(what, format!("has {count} entries, more than {MOST_ANALYSES}")));
    }
    if !plugin.analyses.is_aligned() {
        return Err(bad(what, "is not aligned"));
    }
    // SAFETY: not null, aligned, and every analysis begins with its size in all versions.
    let size = unsafe { (&raw const (*plugin.analyses).struct_size).read() } as usize;
    if size < size_of::<CsAnalysis>() || !size.is_multiple_of(align_of::<CsAnalysis>()) {
        let least = size_of::<CsAnalysis>();
        return Err(bad(what, format!("has entries of {size} bytes, not of at least {least}")));
    }
    let mut found = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: the plugin promises `count` static entries of `size` bytes each; the size is a
        // multiple of the alignment and holds at least a `CsAnalysis`.
        let analysis = unsafe { &*plugin.analyses.byte_add(index * size) };
        if analysis.struct_size as usize != size {
            return Err(bad(what, format!("has entries of different sizes, see entry {index}")));
        }
        found.push(analysis);
    }
    Ok(found)
}

fn describe_analysis(analysis: &CsAnalysis) -> Result<(AnalysisDescriptor, Entry), Refusal> {
    let id = text(analysis.id, "the analysis' id")?;
    if !is_snake_case(&id) {
        return Err(bad("the analysis' id", format!("`{id}` is not in snake_case")));
    }
    let field = |name: &str| format!("the {name} of {id}");
    let schema = text(analysis.params_schema, &field("parameters"))?;
    let parameters = Schema::parse(&schema)
        .map_err(|source| Refusal::BadSchema { analysis: id.clone(), source })?;
    let outputs = text(analysis.outputs_schema, &field("outputs"))?;
    let outputs = if outputs.is_empty() {
        serde_json::Value::Null
    } else {
        serde_json::from_str(&outputs)
            .map_err(|error| bad(&field("outputs"), format!("are no JSON: {error}")))?
    };
    let Some(run) = analysis.run else {
        return Err(bad(&field("run function"), "is missing"));
    };
    let has = |flag| analysis.flags & flag != 0;
    let descriptor = AnalysisDescriptor {
        name: text(analysis.name, &field("name"))?,
        doc: text(analysis.doc, &field("description"))?,
        reference: text(analysis.reference, &field("reference"))?,
        category: text(analysis.category, &field("category"))?,
        parameters,
        outputs,
        reentrant: has(CS_REENTRANT),
        deterministic: has(CS_DETERMINISTIC),
        needs_backward: has(CS_NEEDS_BACKWARD),
        id,
    };
    Ok((descriptor, Entry { user: analysis.user, run }))
}

/// Copies a text of a description.
fn text(borrowed: CsStr, what: &str) -> Result<String, Refusal> {
    if borrowed.len == 0 {
        return Ok(String::new());
    }
    if borrowed.ptr.is_null() {
        return Err(bad(what, "is a null pointer with a length"));
    }
    if borrowed.len > LONGEST_TEXT {
        return Err(bad(what, format!("has {} bytes, more than {LONGEST_TEXT}", borrowed.len)));
    }
    // SAFETY: not null, and the plugin promises `len` static bytes.
    let bytes = unsafe { std::slice::from_raw_parts(borrowed.ptr, borrowed.len) };
    let text = std::str::from_utf8(bytes).map_err(|_| bad(what, "is not UTF-8"))?;
    Ok(text.to_owned())
}

fn bad(what: &str, reason: impl Into<String>) -> Refusal {
    Refusal::BadDescriptor { what: what.to_owned(), reason: reason.into() }
}

fn is_plugin_id(id: &str) -> bool {
    let word = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c))
    };
    id.split('.').all(word)
}

fn is_snake_case(id: &str) -> bool {
    id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugin_ids_are_words_between_dots() {
        assert!(is_plugin_id("org.convscope.gradients"));
        assert!(is_plugin_id("mine"));
        for id in ["", "org..x", "Org.x", "org/x", ".x", "org.1"] {
            assert!(!is_plugin_id(id), "{id}");
        }
    }

    #[test]
    fn a_text_that_is_not_utf8_is_refused() {
        let bytes = [0xff_u8, 0xfe];
        let refusal = text(CsStr { ptr: bytes.as_ptr(), len: 2 }, "the plugin's name").unwrap_err();
        assert_eq!(refusal.to_string(), "the plugin's name is not UTF-8");
        let null = CsStr { ptr: std::ptr::null(), len: 3 };
        assert!(text(null, "x").unwrap_err().to_string().contains("null pointer"));
        let endless = CsStr { ptr: bytes.as_ptr(), len: usize::MAX };
        assert!(text(endless, "x").unwrap_err().to_string().contains("more than"));
    }
}
