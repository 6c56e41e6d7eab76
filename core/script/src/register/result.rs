//! Results of analyses, their figures and tables.

use std::sync::Arc;

use convscope_protocol::Cell;
use rhai::{Dynamic, Engine, INT, ImmutableString, Map};

use super::{Properties, function, indexer, properties, property};
use crate::convert;
use crate::state::State;
use crate::suggest::{did_you_mean, listed};
use crate::throw::Fallible;
use crate::value::{FigureHandle, Results, TableHandle, Tensor};

/// Properties of figures.
pub(crate) const FIGURE: Properties = ("figure", &["caption", "name", "title"]);
/// Properties of tables.
pub(crate) const TABLE: Properties = ("table", &["caption", "columns", "name", "rows"]);
/// Properties of a result beside its arrays.
pub(crate) const RESULT: [&str; 8] =
    ["analysis", "arrays", "figures", "notes", "parameters", "scalars", "semantics", "tables"];

pub(super) fn register(engine: &mut Engine, state: &Arc<State>) {
    engine.register_type_with_name::<Results>("Result");
    engine.register_type_with_name::<FigureHandle>("Figure");
    engine.register_type_with_name::<TableHandle>("Table");
    properties::<FigureHandle>(engine, FIGURE);
    properties::<TableHandle>(engine, TABLE);
    arrays(engine, state);
    origin(engine);
    figures(engine);
    tables(engine);
}

fn arrays(engine: &mut Engine, state: &Arc<State>) {
    indexer(
        &["result: Result", "name: String", "Tensor"],
        "The array of a name; `result.activation` is the same as `result[\"activation\"]`.",
    )
    .register_into_engine(
        engine,
        |result: &mut Results, name: ImmutableString| -> Fallible<Tensor> {
            Ok(result.array(&name).map_err(|mut failure| {
                // A name after a point may also be a property that was misspelt.
                failure.help = did_you_mean(&name, RESULT).or(failure.help);
                failure
            })?)
        },
    );
    property("arrays", &["result: Result", "Array"], "Names of the arrays.").register_into_engine(
        engine,
        |result: &mut Results| {
            let arrays = result.findings().arrays.iter();
            arrays.map(|array| Dynamic::from(array.name.clone())).collect::<rhai::Array>()
        },
    );
    let shared = Arc::clone(state);
    function(
        "save_npy",
        &["result: Result", "name: String", "path: String"],
        "Writes an array as a file of its own, at a relative path below the output folder.",
    )
    .register_into_engine(
        engine,
        move |result: &mut Results, name: ImmutableString, path: ImmutableString| -> Fallible<()> {
            let file = result.file(&name, &path)?;
            // Saving again replaces, as writing a file does.
            shared.ledger().files.insert(path.to_string(), file);
            Ok(())
        },
    );
}

fn origin(engine: &mut Engine) {
    property("analysis", &["result: Result", "String"], "Full name of the analysis.")
        .register_into_engine(engine, |result: &mut Results| {
            result.findings().origin.analysis.clone()
        });
    property("semantics", &["result: Result", "String"], "What was computed, by which definition.")
        .register_into_engine(engine, |result: &mut Results| {
            result.findings().origin.semantics.clone()
        });
    property("parameters", &["result: Result", "Map"], "The parameters, defaults filled in.")
        .register_into_engine(engine, |result: &mut Results| {
            let parameters = result.findings().origin.parameters.iter();
            let entry = |(name, value): (&String, _)| (name.into(), convert::dynamic(value));
            parameters.map(entry).collect::<Map>()
        });
    property("notes", &["result: Result", "Array"], "Remarks that a reader must see.")
        .register_into_engine(engine, |result: &mut Results| {
            result.findings().notes.iter().cloned().map(Dynamic::from).collect::<rhai::Array>()
        });
    property("scalars", &["result: Result", "Map"], "Single numbers by name.")
        .register_into_engine(engine, |result: &mut Results| {
            let scalars = result.findings().scalars.iter();
            scalars.map(|(name, value)| (name.into(), (*value).into())).collect::<Map>()
        });
    function("to_string", &["result: Result", "String"], "Its name and what it holds.")
        .register_into_engine(engine, |result: &mut Results| described(result));
    function("to_debug", &["result: Result", "String"], "As `to_string`.")
        .register_into_engine(engine, |result: &mut Results| described(result));
}

fn described(result: &Results) -> String {
    let findings = result.findings();
    let names: Vec<&str> = findings.arrays.iter().map(|array| array.name.as_str()).collect();
    format!(
        "{}: arrays {}; {} figures, {} tables",
        result.name(),
        listed(names, 12),
        findings.figures.len(),
        findings.tables.len()
    )
}

fn figures(engine: &mut Engine) {
    property("figures", &["result: Result", "Array"], "Its figures.").register_into_engine(
        engine,
        |result: &mut Results| {
            result.figures().into_iter().map(Dynamic::from).collect::<rhai::Array>()
        },
    );
    function("figure", &["result: Result", "name: String", "Figure"], "The figure of a name.")
        .register_into_engine(
            engine,
            |result: &mut Results, name: ImmutableString| -> Fallible<FigureHandle> {
                Ok(result.figure(&name)?)
            },
        );
    property("name", &["figure: Figure", "String"], "Its name.")
        .register_into_engine(engine, |figure: &mut FigureHandle| figure.get().name.clone());
    property("title", &["figure: Figure", "String"], "Its heading.")
        .register_into_engine(engine, |figure: &mut FigureHandle| figure.get().title.clone());
    property("caption", &["figure: Figure", "String"], "The words below it.")
        .register_into_engine(engine, |figure: &mut FigureHandle| figure.get().caption.clone());
    for name in ["to_string", "to_debug"] {
        function(name, &["figure: Figure", "String"], "Its name and heading.")
            .register_into_engine(engine, |figure: &mut FigureHandle| {
                format!("{}: {}", figure.get().name, figure.get().title)
            });
    }
}

fn tables(engine: &mut Engine) {
    property("tables", &["result: Result", "Array"], "Its tables.").register_into_engine(
        engine,
        |result: &mut Results| {
            result.tables().into_iter().map(Dynamic::from).collect::<rhai::Array>()
        },
    );
    function("table", &["result: Result", "name: String", "Table"], "The table of a name.")
        .register_into_engine(
            engine,
            |result: &mut Results, name: ImmutableString| -> Fallible<TableHandle> {
                Ok(result.table(&name)?)
            },
        );
    property("name", &["table: Table", "String"], "Its name.")
        .register_into_engine(engine, |table: &mut TableHandle| table.get().name.clone());
    property("caption", &["table: Table", "String"], "The sentence above it.")
        .register_into_engine(engine, |table: &mut TableHandle| table.get().caption.clone());
    property("columns", &["table: Table", "Array"], "The headings.").register_into_engine(
        engine,
        |table: &mut TableHandle| {
            let columns = table.get().columns.iter();
            columns.map(|column| Dynamic::from(column.name.clone())).collect::<rhai::Array>()
        },
    );
    property("rows", &["table: Table", "Array"], "The rows, each a map by heading.")
        .register_into_engine(engine, |table: &mut TableHandle| rows(table));
    for name in ["to_string", "to_debug"] {
        function(name, &["table: Table", "String"], "Its name and size.").register_into_engine(
            engine,
            |table: &mut TableHandle| {
                let (name, rows) = (&table.get().name, table.get().rows.len());
                format!("{name}: {rows} rows of {} columns", table.get().columns.len())
            },
        );
    }
}

fn rows(table: &TableHandle) -> rhai::Array {
    let value = |cell: &Cell| match cell {
        Cell::Integer(number) => Dynamic::from(*number as INT),
        Cell::Number(number) => (*number).into(),
        Cell::Text(text) => text.clone().into(),
        Cell::Empty => Dynamic::UNIT,
    };
    let columns = &table.get().columns;
    let row = |row: &Vec<Cell>| {
        let cells = columns.iter().zip(row);
        let map: Map =
            cells.map(|(column, cell)| (column.name.as_str().into(), value(cell))).collect();
        Dynamic::from(map)
    };
    table.get().rows.iter().map(row).collect()
}
