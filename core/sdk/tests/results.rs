//! Results.

use convscope_sdk::fake::FakeHost;
use convscope_sdk::protocol::array::ArrayMeta;
use convscope_sdk::protocol::figure::{Colours, Picture, Source};
use convscope_sdk::protocol::table::Column;
use convscope_sdk::protocol::{Array, Axis, Cell, Figure, FigureContent, Table, Values};
use ndarray::{ArrayD, arr2};
use serde_json::json;

use crate::probe::run;

fn array(name: &str, values: Values) -> Array {
    let axes = values.shape().iter().map(|_| Axis::named("step")).collect();
    Array { name: name.into(), meta: ArrayMeta { axes, ..ArrayMeta::default() }, values }
}

fn picture(array: &str) -> Figure {
    let source = Source { array: array.into(), index: vec![] };
    let colours = Colours::Signed { limit: 3.0 };
    Figure {
        name: "map".into(),
        title: "A map".into(),
        how_to_read: "Red is positive.".into(),
        caption: "One map.".into(),
        content: FigureContent::Picture(Picture { source, colours, label: String::new() }),
    }
}

#[test]
fn everything_emitted_arrives_as_it_was() {
    let found = run(&FakeHost::new(), &json!({}), |host, _| {
        // Transposed: rows are not contiguous in memory.
        let values = arr2(&[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).reversed_axes().into_dyn();
        host.emit_array(array("response", values.into()))?;
        host.emit_array(array("rank", ArrayD::from_elem(vec![2], 7_u32).into()))?;
        host.emit_array(array("patch", ArrayD::from_elem(vec![1, 2], 9_u8).into()))?;
        host.emit_array(array("nothing", ArrayD::<f32>::zeros(vec![0, 4]).into()))?;
        let column = Column { name: "map".into(), unit: String::new(), decimals: None };
        host.emit_table(&Table {
            name: "winner".into(),
            caption: "Winners.".into(),
            columns: vec![column],
            rows: vec![vec![Cell::Integer(3)]],
        })?;
        host.emit_figure(&picture("response"))?;
        host.emit_scalar("share", 0.25)?;
        host.note("Clipped at 1.")
    })
    .unwrap();
    let Values::F32(response) = &found.array("response").unwrap().values else { panic!() };
    assert_eq!(response, &arr2(&[[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]).into_dyn());
    let dtypes: Vec<&str> = found.arrays.iter().map(|array| array.values.dtype()).collect();
    assert_eq!(dtypes, ["float32", "uint32", "uint8", "float32"]);
    assert_eq!(found.array("nothing").unwrap().values.shape(), [0, 4]);
    assert_eq!(found.table("winner").unwrap().rows.len(), 1);
    assert_eq!(found.figure("map").unwrap(), &picture("response"));
    assert_eq!(found.scalars, [("share".to_owned(), 0.25)]);
    assert_eq!(found.notes, ["Clipped at 1."]);
}

#[test]
fn results_that_contradict_themselves_are_refused() {
    run(&FakeHost::new(), &json!({}), |host, _| {
        let values = || Values::from(ArrayD::<f32>::zeros(vec![2]));
        let mut unnamed = array("response", values());
        unnamed.meta.axes.clear();
        assert_eq!(
            host.emit_array(unnamed).unwrap_err().to_string(),
            "array `response` of shape [2]: 0 axes are named for 1"
        );
        host.emit_array(array("response", values()))?;
        assert_eq!(
            host.emit_array(array("response", values())).unwrap_err().to_string(),
            "array `response` was emitted before"
        );
        assert_eq!(
            host.emit_figure(&picture("patch")).unwrap_err().to_string(),
            "figure `map`: there is no array `patch`"
        );
        // JSON has no word for it: it arrives as null.
        assert!(host.emit_scalar("share", f64::NAN).unwrap_err().to_string().contains("scalar"));
        Ok(())
    })
    .unwrap();
}
