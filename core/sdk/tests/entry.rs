//! The symbol that hosts look for, as a host reads it.
#![allow(unsafe_code, reason = "a host follows the pointers of a plugin")]

use convscope_abi::{
    ABI_MAJOR, ABI_MINOR, CS_NEEDS_BACKWARD, CS_REENTRANT, CsAnalysis, CsPlugin, CsStatus, CsStr,
    MAGIC,
};
use convscope_sdk::protocol::Schema;
use convscope_sdk::{Analysis, AnalysisError, Host, export_plugin};

use crate::probe::Parameters;

/// Does nothing.
struct Idle;

impl Analysis for Idle {
    const ID: &'static str = "idle";
    const NAME: &'static str = "Idle";
    const DOC: &'static str = "Does nothing.";
    const REFERENCE: &'static str = "Nobody (1900)";
    const NEEDS_BACKWARD: bool = true;
    type Parameters = Parameters;

    fn run(&self, _: &Host<'_>, _: Parameters) -> Result<(), AnalysisError> {
        Ok(())
    }
}

export_plugin! { id: "org.example.idle", name: "Idle things", analyses: [Idle] }

unsafe extern "C" {
    fn cs_plugin_entry() -> *const CsPlugin;
}

fn text(text: CsStr) -> &'static str {
    // SAFETY: texts of a descriptor live for ever.
    let bytes = unsafe { std::slice::from_raw_parts(text.ptr, text.len) };
    std::str::from_utf8(bytes).unwrap()
}

fn descriptor() -> (&'static CsPlugin, &'static [CsAnalysis]) {
    // SAFETY: the entry takes nothing and returns a descriptor that lives for ever.
    unsafe {
        let plugin = &*cs_plugin_entry();
        (plugin, std::slice::from_raw_parts(plugin.analyses, plugin.analysis_count))
    }
}

#[test]
fn the_descriptor_says_what_the_plugin_is() {
    let (plugin, analyses) = descriptor();
    assert_eq!(plugin.magic, MAGIC);
    assert_eq!((plugin.abi_major, plugin.abi_minor), (ABI_MAJOR, ABI_MINOR));
    assert_eq!(plugin.struct_size as usize, size_of::<CsPlugin>());
    assert_eq!((text(plugin.id), text(plugin.name)), ("org.example.idle", "Idle things"));
    assert_eq!(text(plugin.version), env!("CARGO_PKG_VERSION"));
    assert_eq!(text(plugin.license), "MIT OR Apache-2.0");
    assert!(text(plugin.build_info).contains(std::env::consts::ARCH));
    let [idle] = analyses else { panic!("{} analyses", analyses.len()) };
    assert_eq!((text(idle.id), text(idle.reference)), ("idle", "Nobody (1900)"));
    assert_eq!(idle.flags, CS_REENTRANT | CS_NEEDS_BACKWARD);
    Schema::parse(text(idle.params_schema)).unwrap();
}

#[test]
fn the_descriptor_stays_where_it_is() {
    assert!(std::ptr::eq(descriptor().0, descriptor().0));
}

#[test]
fn a_host_without_a_table_is_refused_without_a_crash() {
    let (_, analyses) = descriptor();
    let run = analyses[0].run.unwrap();
    // SAFETY: `user` is the analysis' own; null is what the test is about.
    let status = unsafe { run(analyses[0].user, std::ptr::null(), std::ptr::null_mut()) };
    assert_eq!(status, CsStatus::UNSUPPORTED);
}
