//! Parameters of an analysis, as JSON Schema.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A JSON Schema of an analysis' parameters, restricted to the keywords that plugins may use.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Schema(Value);
