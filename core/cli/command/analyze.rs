//! `convscope analyze`: one analysis without a script.

use std::collections::BTreeMap;
use std::sync::Arc;

use convscope_host::{Argument, ImageOptions};
use convscope_report::{Entry, Ingredient, Report, check_folder};

use super::Outcome;
use crate::arguments::{Analyze, Common};
use crate::console::{Console, Named};
use crate::failure::Failure;
use crate::provenance::{self, Clock};
use crate::workbench::{Loaded, model_ingredient};
use crate::{session, settings, written};

/// Runs one analysis and writes its report.
pub(crate) fn execute(
    arguments: &Analyze,
    common: &Common,
    console: &Arc<Console>,
) -> Result<Outcome, Failure> {
    let clock = Clock::start();
    let mut parameters: BTreeMap<String, Argument> = settings::parse(&arguments.set)?
        .into_iter()
        .map(|(name, value)| (name, Argument::Json(value)))
        .collect();
    check_folder(&arguments.out).map_err(|error| written::failure(&error))?;
    let session = session::open(common, console)?;
    // A name that is wrong is said before the model is read.
    let (_, analysis) = session.registry().analysis(&arguments.analysis)?;
    let (id, title) = (analysis.descriptor().id.clone(), analysis.descriptor().name.clone());
    let options = session::model_options(&arguments.input, arguments.weights.as_deref());
    let model = session.load_model(&arguments.model, &options)?;
    let images = session.load_images(&arguments.images, &ImageOptions::default())?;
    let hash = images.hash(&**console)?.to_owned();
    if parameters.insert("images".to_owned(), Argument::Images(images)).is_some() {
        return Err(Failure::usage("--set images: give pictures with --images"));
    }
    let control = Named::new(console, &id);
    let findings = session.run(&model, &arguments.analysis, parameters, &control)?;
    console.clear();

    let name = model.description().name.clone();
    let folder = arguments.images[0].file_name().unwrap_or_default().to_string_lossy();
    let loaded = Loaded {
        models: vec![model_ingredient(model.description())],
        images: vec![Ingredient { name: folder.into_owned(), hash, preprocessing: None }],
    };
    let findings = Arc::new(findings);
    let provenance = provenance::of(&session, &clock, loaded, [findings.as_ref()]);
    let report = Report {
        title: format!("{title} of {name}"),
        entries: vec![Entry::Findings { result: id.clone(), findings: Arc::clone(&findings) }],
    };
    written::write(&report, &provenance, &arguments.out, &clock, console)
}
