//! A set of images.

use std::sync::Arc;

use crate::ScriptImages;

/// A handle of a set of images.
#[derive(Clone)]
pub(crate) struct Images(Arc<dyn ScriptImages>);

impl Images {
    pub(crate) fn new(images: Arc<dyn ScriptImages>) -> Self {
        Self(images)
    }

    pub(crate) fn shared(&self) -> Arc<dyn ScriptImages> {
        Arc::clone(&self.0)
    }
}
