//! The schema of parameters, as the host accepts it.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// Writes the schema of a parameter type with the keywords that hosts accept.
///
/// schemars may use others for types that parameters should not have (maps, tuples, patterns); the
/// host then refuses the plugin and names the keyword.
pub(crate) fn text<P: JsonSchema>() -> String {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
    let mut schema = settings.into_generator().into_root_schema_for::<P>();
    // The name of a Rust type says nothing to the user.
    schema.remove("title");
    serde_json::to_string(&Schema::to_value(schema)).unwrap_or_default()
}
