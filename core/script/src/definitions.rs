//! What editors need to know of the functions that scripts may call.

use std::path::Path;
use std::sync::Arc;

use crate::state::State;
use crate::{ScriptOptions, Workbench, engine};

/// Describes everything that scripts may call as definition files of Rhai: name and text of each.
///
/// Every analysis of every plugin is among the functions, with its parameters in its comment.
pub fn definitions(workbench: Arc<dyn Workbench>) -> Vec<(String, String)> {
    let options = ScriptOptions::default();
    let state = Arc::new(State::new(Path::new(""), workbench, &options));
    let engine = engine::engine(&state, &options);
    let definitions = engine.definitions();
    definitions.iter_files().map(|(name, text)| (name, corrected(&text))).collect()
}

/// Leaves out what is switched off, says what is returned where Rhai leaves a gap, and ends lines in
/// one way.
fn corrected(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let functions = text.trim_end().split("\n\n").filter(|function| {
        let mut lines = function.lines();
        !lines.any(|line| line.starts_with("fn eval("))
    });
    let functions: Vec<String> = functions
        .map(|function| {
            // Only functions of Rhai's own have parameters without names; of what they return
            // nothing is known.
            let returned = if function.contains("(_") { " -> ?;" } else { " -> ();" };
            function.replace(" -> ;", returned)
        })
        .collect();
    functions.join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use convscope_protocol::{AnalysisDescriptor, PluginDescriptor};

    use super::*;
    use crate::check::Catalogue;
    use crate::{Failure, ImageOptions, ModelOptions, ModelOutline, ScriptImages, ScriptModel};

    /// Offers one analysis, and has nothing else.
    struct Bare;

    fn nothing<T>() -> Result<T, Failure> {
        Err(Failure::new("nothing", "there is nothing"))
    }

    impl Workbench for Bare {
        fn plugins(&self) -> Vec<PluginDescriptor> {
            let analysis = AnalysisDescriptor {
                id: "occlusion".to_owned(),
                doc: "Covers parts.".to_owned(),
                ..AnalysisDescriptor::default()
            };
            let id = "org.example".to_owned();
            vec![PluginDescriptor { id, analyses: vec![analysis], ..PluginDescriptor::default() }]
        }

        fn presets(&self) -> Vec<String> {
            Vec::new()
        }

        fn outline(
            &self,
            _path: &Path,
            _options: &ModelOptions,
        ) -> Result<Arc<dyn ModelOutline>, Failure> {
            nothing()
        }

        fn check_images(
            &self,
            _sources: &[PathBuf],
            _options: &ImageOptions,
        ) -> Result<(), Failure> {
            nothing()
        }

        fn load_model(
            &self,
            _path: &Path,
            _options: &ModelOptions,
        ) -> Result<Arc<dyn ScriptModel>, Failure> {
            nothing()
        }

        fn load_images(
            &self,
            _sources: &[PathBuf],
            _options: &ImageOptions,
        ) -> Result<Arc<dyn ScriptImages>, Failure> {
            nothing()
        }

        fn progress(&self, _text: &str) {}

        fn print(&self, _text: &str) {}

        fn debug(&self, _text: &str) {}

        fn is_cancelled(&self) -> bool {
            false
        }
    }

    fn all() -> String {
        let files = definitions(Arc::new(Bare));
        assert!(files.iter().all(|(name, _)| name.ends_with(".d.rhai")));
        files.into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn every_function_is_defined_with_what_it_returns() {
        let text = all();
        let options = ScriptOptions::default();
        let state = Arc::new(State::new(Path::new(""), Arc::new(Bare), &options));
        let catalogue = Catalogue::of(&engine::engine(&state, &options));

        for name in catalogue.names().filter(|name| *name != "eval") {
            assert!(text.contains(&format!("fn {name}(")), "{name}");
        }
        assert!(!text.contains("fn eval("), "it is switched off");
        assert!(!text.contains("-> ;") && !text.contains('\r'));
        assert!(text.contains("fn text(report: Report, markdown: String) -> ();"));
    }

    #[test]
    fn an_analysis_is_a_method_with_its_comment() {
        let expected = "/// Covers parts.\n///\n/// `model.occlusion(#{})`\n///\n\
                        /// Offered by `org.example/occlusion`.\n\
                        fn occlusion(model: Model, parameters: map) -> Result;";

        assert!(all().contains(expected), "{}", all());
    }
}
