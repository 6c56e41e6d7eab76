//! Files that a script names: whether they are there, and what is known about the models in them.

use std::path::PathBuf;
use std::sync::Arc;

use rhai::{Dynamic, Position};

use super::known::{Content, Known};
use super::walk::Walker;
use crate::register::like;
use crate::state::Origin;
use crate::{Failure, ImageOptions, ModelOptions, ModelOutline, kind};

impl Walker<'_> {
    /// Checks a call of `load_model`; returns what the model consists of where that can be known.
    pub(super) fn load_model(&mut self, arguments: &[Known]) -> Option<Arc<dyn ModelOutline>> {
        self.options("load_model", arguments.get(1..).unwrap_or_default());
        let path = arguments.first()?;
        if !self.is_path(path) || !self.is_certain() {
            return None;
        }
        let file = self.file(path)?;
        let options = match arguments.get(1) {
            Some(options) => self.model_options(options)?,
            None => {
                ModelOptions { reach: Arc::clone(&self.check.state.reach), ..Default::default() }
            }
        };
        let state = self.check.state;
        match state.watch.outside(|| state.workbench.outline(&file, &options)) {
            Ok(outline) => Some(outline),
            Err(failure) => {
                let blamed = failure.key.clone().and_then(|key| {
                    let Content::Map(entries) = &arguments.get(1)?.content else { return None };
                    entries.iter().find(|entry| entry.key == key).map(|entry| entry.value.position)
                });
                self.report(failure, blamed.unwrap_or(path.position));
                None
            }
        }
    }

    /// Reads the options of a model; nothing when one of them is not known or wrong.
    fn model_options(&mut self, given: &Known) -> Option<ModelOptions> {
        let Content::Map(entries) = &given.content else { return None };
        let reach = Arc::clone(&self.check.state.reach);
        let mut options = ModelOptions { reach, ..ModelOptions::default() };
        for entry in entries.iter() {
            match (entry.key.as_str(), &entry.value.content) {
                (_, Content::Unit) => {}
                // Another one was reported as a wrong value.
                ("preprocess", Content::Text(text, _)) if self.check.presets.contains(&**text) => {
                    options.preprocess = Some(text.to_string());
                }
                ("input", Content::List(items)) => {
                    let extent = |item: &Known| match item.content {
                        Content::Integer(number) if number > 0 => usize::try_from(number).ok(),
                        _ => None,
                    };
                    options.input = Some(items.iter().map(extent).collect::<Option<_>>()?);
                }
                ("labels", Content::Text(..)) => options.labels = Some(self.file(&entry.value)?),
                ("weights", Content::Text(..)) => options.weights = Some(self.file(&entry.value)?),
                _ => return None,
            }
        }
        Some(options)
    }

    /// Checks a call of `load_images`.
    pub(super) fn load_images(&mut self, arguments: &[Known]) {
        self.options("load_images", arguments.get(1..).unwrap_or_default());
        let Some(source) = arguments.first() else { return };
        let items = match &source.content {
            Content::List(items) => items.as_ref(),
            _ => std::slice::from_ref(source),
        };
        if items.is_empty() && self.is_certain() {
            let failure = Failure::new(kind::NOT_FOUND, "the list of pictures is empty");
            self.report(failure, source.position);
        }
        let options = self.image_options(arguments.get(1));
        let mut files = Vec::new();
        for item in items {
            if !self.is_path(item) || !self.is_certain() {
                continue;
            }
            let path =
                self.located(item).and_then(|path| self.check.state.reach.check_pattern(&path));
            match path {
                Ok(path) => files.push((path, item.position)),
                Err(failure) => self.report(failure, item.position),
            }
        }
        for (path, position) in files {
            let sources = [path];
            if let Err(failure) = self.check.state.workbench.check_images(&sources, &options) {
                self.report(failure, position);
            }
        }
    }

    /// Checks the file of labels among the options of images, and returns options that say what may
    /// be read.
    fn image_options(&mut self, given: Option<&Known>) -> ImageOptions {
        let reach = Arc::clone(&self.check.state.reach);
        if let Some(Known { content: Content::Map(entries), .. }) = given
            && self.is_certain()
        {
            let labels = entries.iter().find(|entry| entry.key == "labels");
            if let Some(labels) = labels.filter(|labels| labels.value.text().is_some()) {
                self.file(&labels.value);
            }
        }
        ImageOptions { limit: None, labels: None, reach }
    }

    /// Returns whether a value may be a path; a value that cannot be one is reported.
    fn is_path(&mut self, value: &Known) -> bool {
        match &value.content {
            Content::Text(..) => true,
            Content::Unknown | Content::SomeText => false,
            _ => {
                if self.is_fatal() {
                    let message = format!("a path is a string, not {}", value.described());
                    self.report(Failure::new(kind::WRONG_TYPE, message), value.position);
                }
                false
            }
        }
    }

    /// Finds the file that a string stands for; a file that is missing, or may not be read, is
    /// reported.
    fn file(&mut self, path: &Known) -> Option<PathBuf> {
        let located = self.located(path).and_then(|file| {
            self.check.state.reach.check(&file)?;
            Ok(file)
        });
        located.map_err(|failure| self.report(failure, path.position)).ok()
    }

    fn located(&self, path: &Known) -> Result<PathBuf, Failure> {
        let (text, origin) = path.text().map_or(("", Origin::Script), |(t, o)| (t.as_str(), o));
        let script = &self.check.script(self.number).path;
        self.check.state.locate_text(text, origin, script.parent())
    }

    /// Finds the value of an option: what the command line says, else the default.
    pub(super) fn option(&self, arguments: &[Known], position: Position) -> Known {
        let (name, default) = (arguments.first().and_then(Known::text), arguments.get(1));
        let Some((name, _)) = name else { return Known::nothing(position) };
        let Some(given) = self.check.state.settings.get(name.as_str()) else {
            return default.map_or_else(|| Known::nothing(position), Known::clone);
        };
        let like_this = match default.map(|default| &default.content) {
            None | Some(Content::Unit) => Dynamic::UNIT,
            Some(Content::Boolean(value)) => (*value).into(),
            Some(Content::Integer(number)) => (*number).into(),
            Some(Content::Float(number)) => (*number).into(),
            Some(Content::Text(..) | Content::SomeText) => "".into(),
            Some(Content::List(_)) => rhai::Array::new().into(),
            _ => return Known::nothing(position),
        };
        // A value of the wrong kind is left to the call, which names the setting.
        let value = like(name, given, &like_this);
        value.map_or_else(|_| Known::nothing(position), |value| Known::of(&value, position))
    }
}
