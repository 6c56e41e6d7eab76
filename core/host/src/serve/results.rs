//! Collects what an analysis hands back.

use convscope_abi::{CS_EMIT_ARRAY, CS_EMIT_FIGURE, CS_EMIT_NOTE, CS_EMIT_SCALAR, CS_EMIT_TABLE};
use convscope_protocol::array::ArrayMeta;
use convscope_protocol::{Array, Figure, Findings, Table, Values};
use serde::de::DeserializeOwned;

use super::Fault;
use crate::HostError;

/// What an analysis has handed back so far.
#[derive(Debug, Default)]
pub(crate) struct Results {
    findings: Findings,
    /// Why the first result that was not taken was refused.
    refused: Option<String>,
}

impl Results {
    /// Takes one result, or remembers why not.
    pub(super) fn add(
        &mut self,
        kind: u32,
        name: &str,
        meta: &str,
        values: Option<Values>,
    ) -> Result<(), Fault> {
        self.take(kind, name, meta, values).map_err(|reason| {
            self.refused.get_or_insert_with(|| reason.clone());
            Fault::Invalid(reason)
        })
    }

    fn take(
        &mut self,
        kind: u32,
        name: &str,
        meta: &str,
        values: Option<Values>,
    ) -> Result<(), String> {
        let findings = &mut self.findings;
        match kind {
            CS_EMIT_ARRAY => {
                let meta = parse::<ArrayMeta>("array", name, meta)?;
                let values = values.ok_or_else(|| format!("array `{name}` has no tensor"))?;
                findings.add_array(Array { name: name.to_owned(), meta, values })
            }
            CS_EMIT_TABLE => {
                let table = parse::<Table>("table", name, meta)?;
                check_same_name("table", name, &table.name)?;
                findings.add_table(table)
            }
            CS_EMIT_FIGURE => {
                let figure = parse::<Figure>("figure", name, meta)?;
                check_same_name("figure", name, &figure.name)?;
                findings.add_figure(figure)
            }
            CS_EMIT_SCALAR => findings.add_scalar(name, parse("scalar", name, meta)?),
            CS_EMIT_NOTE => findings.add_note(parse("note", name, meta)?),
            other => return Err(format!("`{name}`: there are no results of kind {other}")),
        }
        .map_err(|error| error.to_string())
    }

    /// Returns everything, unless something was refused: findings with a hole would mislead.
    pub(crate) fn finish(self, analysis: &str) -> Result<Findings, HostError> {
        match self.refused {
            None => Ok(self.findings),
            Some(reason) => Err(HostError::BadResult { analysis: analysis.to_owned(), reason }),
        }
    }
}

fn parse<T: DeserializeOwned>(what: &str, name: &str, json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|error| format!("{what} `{name}`: its description: {error}"))
}

fn check_same_name(what: &str, emitted: &str, described: &str) -> Result<(), String> {
    if emitted == described {
        Ok(())
    } else {
        Err(format!("{what} `{emitted}`: its description calls it `{described}`"))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{ArcArray, IxDyn};
    use serde_json::json;

    use super::*;

    fn map() -> Values {
        Values::F32(ArcArray::zeros(IxDyn(&[2, 4, 4])))
    }

    fn meta(axes: &[&str]) -> String {
        let axes: Vec<_> = axes.iter().map(|name| json!({ "name": name })).collect();
        json!({ "axes": axes }).to_string()
    }

    fn figure(array: &str, index: usize) -> String {
        json!({
            "name": "shown", "title": "", "how_to_read": "", "caption": "",
            "content": { "kind": "picture", "source": { "array": array, "index": [index] },
                         "colours": { "map": "signed", "limit": 1.0 } },
        })
        .to_string()
    }

    #[test]
    fn figures_must_show_what_was_emitted() {
        let mut results = Results::default();
        let axes = meta(&["image", "row", "column"]);
        results.add(CS_EMIT_ARRAY, "map", &axes, Some(map())).unwrap();
        let fault = results.add(CS_EMIT_FIGURE, "shown", &figure("mop", 0), None).unwrap_err();
        assert_eq!(fault.to_string(), "figure `shown`: there is no array `mop`");
        let fault = results.add(CS_EMIT_FIGURE, "shown", &figure("map", 2), None).unwrap_err();
        assert!(fault.to_string().contains("has no part [2]"), "{fault}");
        results.add(CS_EMIT_FIGURE, "shown", &figure("map", 1), None).unwrap();
    }

    #[test]
    fn a_plugin_that_overlooks_a_refusal_does_not_get_away_with_it() {
        let mut results = Results::default();
        results.add(CS_EMIT_ARRAY, "map", &meta(&["image"]), Some(map())).unwrap_err();
        let error = results.finish("p/a").unwrap_err();
        assert_eq!(error.kind(), "invalid_result");
        assert!(error.to_string().starts_with("p/a: array `map` of shape [2, 4, 4]"), "{error}");
    }

    #[test]
    fn descriptions_must_be_json_and_agree_on_the_name() {
        let mut results = Results::default();
        let fault = results.add(CS_EMIT_NOTE, "", "{", None).unwrap_err();
        assert!(fault.to_string().contains("its description"), "{fault}");
        let fault = results.add(CS_EMIT_FIGURE, "other", &figure("map", 0), None).unwrap_err();
        assert!(fault.to_string().contains("calls it `shown`"), "{fault}");
        let fault = results.add(77, "x", "1", None).unwrap_err();
        assert_eq!(fault.to_string(), "`x`: there are no results of kind 77");
    }
}
