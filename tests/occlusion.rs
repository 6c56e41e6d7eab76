//! Occlusion: the fixtures, whose maps are one forward pass of torch per place
//! (`tests/fixtures/README.md`), and photographs.

use std::path::{Path, PathBuf};

use ndarray::{ArrayD, Axis};
use serde_json::Value;

use crate::support::{
    assert_close, convscope, fixture, folder, instruction_sets, json_of, npy, photo, refusal,
    squeezenet, written,
};

/// Largest difference of a score.
const TOLERANCE: f32 = 1e-5;

fn occlude(
    model: &Path,
    images: &Path,
    settings: &[String],
    out: &Path,
    isa: &str,
    extra: &[&str],
) {
    let mut command = convscope();
    command.env("CONVSCOPE_ISA", isa);
    command.arg("analyze").arg("occlusion").arg("--model").arg(model);
    command.arg("--images").arg(images).arg("--out").arg(out).args(extra);
    for setting in settings {
        command.arg("--set").arg(setting);
    }
    json_of(&mut command);
}

fn best() -> &'static str {
    convscope_runtime::Isa::best().name()
}

fn result(out: &Path, array: &str) -> ArrayD<f32> {
    npy(&out.join(format!("data/occlusion/{array}.npy")))
}

/// The rows of a table, without its heading.
fn rows(out: &Path, table: &str) -> Vec<Vec<String>> {
    let path = out.join(format!("data/occlusion/{table}.csv"));
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines().skip(1).map(cells).collect()
}

/// The cells of a line, of which some stand in quotation marks.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut is_quoted = false;
    for letter in line.chars() {
        match (letter, cells.last_mut()) {
            ('"', _) => is_quoted = !is_quoted,
            (',', _) if !is_quoted => cells.push(String::new()),
            (letter, Some(cell)) => cell.push(letter),
            (_, None) => {}
        }
    }
    cells
}

#[test]
fn scores_are_those_of_one_forward_pass_per_place() {
    for network in ["alexish", "branching", "depthwise", "residual"] {
        let folder_of = fixture(network);
        let text = std::fs::read_to_string(folder_of.join("fixture.json")).unwrap();
        let occlusion = &serde_json::from_str::<Value>(&text).unwrap()["occlusion"];
        let expected = npy(&folder_of.join("reference/occlusion_shifted.npy"));
        let starts = occlusion["occlusion_shifted.npy"]["starts"].as_array().unwrap();
        let settings = [
            format!("target={}", occlusion["target"]),
            format!("window={}", occlusion["window"]),
            format!("stride={}", occlusion["stride"]),
            "baseline=zero".to_owned(),
        ];
        for isa in instruction_sets() {
            let out = folder();
            let (model, input) = (folder_of.join("model.onnx"), folder_of.join("input.npy"));
            occlude(&model, &input, &settings, out.path(), isa, &[]);
            let score = result(out.path(), "score");
            let score = score.index_axis(Axis(0), 0);
            assert_eq!(score.shape(), expected.shape(), "{network}");
            assert_eq!(score.shape(), [starts.len(); 2], "{network}");
            for (place, expected) in expected.indexed_iter() {
                let error = (score[&place] - expected).abs();
                assert!(error <= TOLERANCE, "{network} {isa} {place:?}: {error:e}");
            }
            let clean = result(out.path(), "clean_score")[[0]];
            let error = f64::from(clean) - occlusion["unoccluded"].as_f64().unwrap();
            assert!(error.abs() <= f64::from(TOLERANCE), "{network}: {error:e}");
        }
    }
}

#[test]
fn attribution_is_that_of_captum_where_windows_fit_exactly() {
    let (folder_of, out) = (fixture("branching"), folder());
    let settings = ["target=5", "window=9", "stride=4", "baseline=zero"].map(str::to_owned);
    let (model, input) = (folder_of.join("model.onnx"), folder_of.join("input.npy"));
    occlude(&model, &input, &settings, out.path(), best(), &[]);
    let attribution = result(out.path(), "attribution");
    let attribution = attribution.index_axis(Axis(0), 0).to_owned();
    let expected = npy(&folder_of.join("reference/occlusion_attribution.npy"));
    assert_close(&attribution, &expected, TOLERANCE, "attribution");
}

/// Photographs with the parts that make them what they are, in pixels of the originals.
fn photographs(place: &Path) -> PathBuf {
    let line = |name: &str, part: &str| format!("{},,{part}\n", photo(name).display());
    let list = [
        "file,label,part,x,y,width,height\n".to_owned(),
        line("chelsea.png", "face,130,80,220,190"),
        line("coffee.png", "cup,175,20,240,260"),
    ];
    written(place, "list.csv", list.concat().as_bytes())
}

#[test]
fn covering_the_face_or_the_cup_destroys_the_class() {
    let out = folder();
    let list = photographs(out.path());
    let (settings, report) = (["window=96", "stride=24"].map(str::to_owned), out.path().join("o"));
    occlude(&squeezenet(), &list, &settings, &report, best(), &[]);
    let drop = result(&report, "drop");
    assert_eq!(drop.shape(), [2, 227, 227]);
    for (row, part) in rows(&report, "box").iter().zip(["face", "cup"]) {
        let [drop, area] = [3, 4].map(|column: usize| row[column].parse::<f32>().unwrap());
        assert_eq!(row[1], part);
        assert!(drop > 1.1 * area, "{drop} % of the drop in {area} % of the picture: {row:?}");
    }
    for row in rows(&report, "per_picture") {
        let [clean, lost] = [3, 5].map(|column: usize| row[column].parse::<f32>().unwrap());
        assert!(lost > 0.5 * clean, "{row:?}");
    }
    assert_eq!(rows(&report, "set").len(), 4);
    assert!(report.join("figures/01-occlusion.svg").is_file());
}

#[test]
fn batches_and_threads_change_no_byte() {
    let settings = ["window=64", "stride=64", "baseline=noise"].map(str::to_owned);
    let run = |extra: &[&str]| {
        let out = folder();
        occlude(&squeezenet(), &photo("coffee.png"), &settings, out.path(), best(), extra);
        ["score", "probability", "activity", "attribution", "projection"].map(|name| {
            std::fs::read(out.path().join(format!("data/occlusion/{name}.npy"))).unwrap()
        })
    };
    let whole = run(&["--threads", "2"]);
    assert!(whole == run(&["--threads", "1", "--memory", "96M"]));
}

#[test]
fn mistakes_are_told_before_anything_is_computed() {
    let place = folder();
    let refused = |settings: &[&str]| {
        let mut command = convscope();
        command.arg("analyze").arg("occlusion").arg("--model").arg(squeezenet());
        command.arg("--images").arg(photo("chelsea.png")).arg("--out").arg(place.path().join("o"));
        for setting in settings {
            command.arg("--set").arg(setting);
        }
        refusal(&mut command, 1)
    };
    for (setting, words) in [
        ("window=228", "`window`: 228 × 228 pixels are more than the picture of 227 × 227"),
        ("stride=0", "`stride`: expected a whole number of at least 1"),
        ("baseline=grey", "`baseline`: expected "),
        ("target=tabbi", "`target`: there is no class `tabbi`; did you mean `tabby`?"),
        ("target=1000", "`target`: "),
        ("layer=flatten", "`layer`: flatten has no space in which something could be covered"),
        ("map=1000000", "`map`: "),
        ("box=[0, 0, 300, 1]", "`box`: [0, 0, 300, 1] is no part of a picture of 227 × 227 pixels"),
    ] {
        let message = refused(&[setting]);
        assert!(message.contains(words), "{setting}: {message}");
    }
}
