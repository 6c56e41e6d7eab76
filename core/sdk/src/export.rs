//! How a plugin's library shows itself.

#[doc(hidden)]
pub use crate::boundary::entry::{Descriptor, PluginInfo, guarded, register};
#[doc(hidden)]
pub use convscope_abi::CsPlugin;

/// Exports a plugin: the one symbol that hosts look for.
///
/// `id` is a reverse domain name; `analyses` are values of types that implement
/// [`Analysis`](crate::Analysis), usually unit structs. Version, authors, licence and home page
/// come from the crate's `Cargo.toml`.
///
/// A crate that is a plugin is built with `crate-type = ["cdylib", "rlib"]`. Never link two plugins
/// into one program: each exports the same symbol. Plugins must be built with `panic = "unwind"`
/// (the default): a panic then becomes an error with file and line instead of the program's end.
///
/// The documentation of [the crate](crate) has an example.
#[macro_export]
macro_rules! export_plugin {
    (id: $id:expr, name: $name:expr, analyses: [$($analysis:expr),+ $(,)?] $(,)?) => {
        #[cfg(panic = "abort")]
        compile_error!(
            "a convscope plugin must be built with panic = \"unwind\": with \"abort\" a panic in \
             the plugin would end the whole program"
        );

        const _: () = {
            /// Returns the plugin's description. The host calls it once.
            #[unsafe(no_mangle)]
            extern "C" fn cs_plugin_entry() -> *const $crate::export::CsPlugin {
                static DESCRIPTOR: ::std::sync::OnceLock<$crate::export::Descriptor> =
                    ::std::sync::OnceLock::new();
                $crate::export::guarded(|| {
                    DESCRIPTOR.get_or_init(|| {
                        $crate::export::Descriptor::new(
                            &$crate::export::PluginInfo {
                                id: $id,
                                name: $name,
                                version: env!("CARGO_PKG_VERSION"),
                                authors: env!("CARGO_PKG_AUTHORS"),
                                license: env!("CARGO_PKG_LICENSE"),
                                homepage: env!("CARGO_PKG_HOMEPAGE"),
                            },
                            ::std::vec![$($crate::export::register(&$analysis)),+],
                        )
                    })
                })
            }
        };
    };
}
