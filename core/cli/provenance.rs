//! What a report says about how it was made.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use convscope_host::{Plugin, Session};
use convscope_protocol::Findings;
use convscope_report::{PluginOrigin, Provenance};
use serde_json::{Map, json};

use crate::workbench::Loaded;

/// Measures a run from its start.
#[derive(Debug)]
pub(crate) struct Clock {
    started: SystemTime,
    instant: Instant,
}

impl Clock {
    /// Starts the clock.
    pub(crate) fn start() -> Self {
        Self { started: SystemTime::now(), instant: Instant::now() }
    }

    /// Returns the seconds since the start.
    pub(crate) fn seconds(&self) -> f64 {
        self.instant.elapsed().as_secs_f64()
    }
}

/// Collects what is needed to repeat a report.
pub(crate) fn of<'a>(
    session: &Session,
    clock: &Clock,
    loaded: Loaded,
    findings: impl IntoIterator<Item = &'a Findings>,
) -> Provenance {
    let used: Vec<&str> = findings.into_iter().map(|f| f.origin.plugin_hash.as_str()).collect();
    let plugins = session.registry().plugins().iter().map(Plugin::descriptor);
    let plugins = plugins
        .filter(|plugin| used.contains(&plugin.hash.as_str()))
        .map(|plugin| PluginOrigin {
            id: plugin.id.clone(),
            version: plugin.version.clone(),
            hash: plugin.hash.clone(),
        })
        .collect();
    let started = clock.started.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let mut run = Map::new();
    run.insert("started_unix_seconds".to_owned(), json!(started));
    run.insert("seconds".to_owned(), json!(clock.seconds()));
    run.insert("instruction_set".to_owned(), json!(session.instruction_set()));
    run.insert("conversions".to_owned(), json!(session.conversions()));
    run.insert("threads".to_owned(), json!(session.threads()));
    run.insert("cache".to_owned(), json!(session.cache_use()));
    run.insert("memory_bytes".to_owned(), json!(session.memory()));
    Provenance {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        command: std::env::args().skip(1).collect(),
        seed: session.seed(),
        backend: session.backend().to_owned(),
        script_hash: None,
        models: loaded.models,
        images: loaded.images,
        plugins,
        run,
    }
}
