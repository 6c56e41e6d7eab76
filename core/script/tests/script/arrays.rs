//! Arithmetic and parts of arrays.

use crate::fake::{Desk, LOADED, printed};

/// Prints expressions over `p` [2, 3] = [[0.5, 1, -2], [NaN, 4, 0.25]] and `w`, whole numbers.
fn values(expressions: &[&str]) -> Vec<String> {
    let prints: Vec<String> =
        expressions.iter().map(|expression| format!("print({expression});")).collect();
    let prints = prints.join("\n");
    printed(&format!(
        "{LOADED} let r = model.occlusion(#{{ images: photos }}); let p = r.probability;
         let w = r.winner; {prints}"
    ))
}

fn failure(expression: &str) -> String {
    let script = format!(
        "{LOADED} let r = model.occlusion(#{{ images: photos }}); let p = r.probability;
         let w = r.winner; {expression};"
    );
    let mistake = Desk::new().run(&script).mistake();
    format!("{}: {}", mistake.kind, mistake.message)
}

#[test]
fn an_array_says_what_it_is() {
    assert_eq!(
        values(&["p.shape", "p.axes", "p.unit", "p.name", "p.doc", "p.len()", "p"]),
        [
            "[2, 3]",
            "[\"image\", \"place\"]",
            "probability",
            "probability",
            "Probability of the class.",
            "2",
            "probability [2, 3] in probability, -2 to 4",
        ]
    );
}

#[test]
fn an_index_takes_parts_of_the_leading_axis() {
    assert_eq!(
        values(&["p[0].to_array()", "p[-1][1]", "p[0][2]", "w[0][0]", "w[0][1]", "p[0].axes"]),
        ["[0.5, 1.0, -2.0]", "4.0", "-2.0", "3", "", "[\"place\"]"]
    );
    assert_eq!(failure("p[2]"), "out_of_bounds: index 2 is out of bounds: the axis has 2 entries");
}

#[test]
fn slices_are_ranges_of_an_axis() {
    assert_eq!(
        values(&[
            "p.slice(0..1).to_array()",
            "p.slice(\"place\", 1..3)[0].to_array()",
            "w.slice(1, 2..3).to_array()",
        ]),
        ["[[0.5, 1.0, -2.0]]", "[1.0, -2.0]", "[[1], [2]]"]
    );
    assert_eq!(
        failure("p.slice(1..4)"),
        "out_of_bounds: 1..4 is out of bounds: the axis has 2 entries"
    );
    assert_eq!(failure("p.slice(\"plaice\", 0..1)"), "unknown_axis: there is no axis `plaice`");
    assert_eq!(failure("p.slice(2, 0..1)"), "unknown_axis: there is no axis 2");
}

#[test]
fn operators_work_number_by_number() {
    assert_eq!(
        values(&[
            "(p[0] + p[0]).to_array()",
            "(p[0] * 2).to_array()",
            "(1 - p[0]).to_array()",
            "(p[0] / 0.5).to_array()",
            "(1.0 / p[0]).to_array()",
            "(-p[0]).to_array()",
            "(w[1] + 1).to_array()",
            "(p[0] - p[0]).unit",
            "(p[0] * p[0]).unit",
            "p[0] == p[0] * 1",
            "p[0] != p[1]",
        ]),
        [
            "[1.0, 2.0, -4.0]",
            "[1.0, 2.0, -4.0]",
            "[0.5, 0.0, 3.0]",
            "[1.0, 2.0, -4.0]",
            "[2.0, 1.0, -0.5]",
            "[-0.5, -1.0, 2.0]",
            "[1.0, 10.0, 3.0]",
            "probability",
            "",
            "true",
            "true",
        ]
    );
    assert_eq!(
        failure("p + p[0]"),
        "shape_mismatch: arrays of shapes [2, 3] and [3] do not fit together"
    );
    assert_eq!(failure("p * \"x\""), "wrong_type: `*` does not work with (Tensor, string)");
}

#[test]
fn arrays_are_not_compared_with_numbers_by_mistake() {
    for expression in ["p > 3", "1.5 < p", "p == 1", "p[0] >= p[1]"] {
        assert!(failure(expression).ends_with("compares numbers, and this is an array"));
    }
    assert_eq!(failure("p[0] = 3"), "read_only: parts of a Tensor cannot be changed");
    assert_eq!(
        failure("r.probability = 3"),
        "read_only: `probability` of a Result cannot be changed"
    );
    assert_eq!(failure("p[true]"), "wrong_type: a value of type Tensor has no index of type bool");
}

#[test]
fn reductions_leave_out_what_is_not_a_number() {
    assert_eq!(
        values(&[
            "p.min()",
            "p.max()",
            "p.mean()",
            "p.sum()",
            "w.max()",
            "p.max(0).to_array()",
            "p.sum(\"place\").to_array()",
            "p[0].mean(0)",
        ]),
        [
            "-2.0",
            "4.0",
            "0.75",
            "3.75",
            "9.0",
            "[0.5, 4.0, 0.25]",
            "[-0.5, 4.25]",
            "-0.16666666666666666",
        ]
    );
    assert_eq!(
        failure("p.slice(0..0).max()"),
        "empty: `probability` of shape [0, 3] holds no number to take the maximum of"
    );
}

#[test]
fn the_largest_come_with_their_places() {
    assert_eq!(
        values(&["p.top_k(2)", "p[0].top_k(9).len()", "p[0].top_k(1)[0].index"]),
        ["[#{\"index\": [1, 1], \"value\": 4.0}, #{\"index\": [0, 1], \"value\": 1.0}]", "3", "1",]
    );
    assert_eq!(failure("p.top_k(-1)"), "out_of_bounds: cannot take the largest -1 numbers");
}

#[test]
fn functions_work_on_whole_arrays() {
    assert_eq!(
        values(&[
            "p[0].abs().to_array()",
            "(p[0] * p[0]).sqrt().to_array()",
            "p[0].normalize().to_array()",
            "(p[0].exp().ln() - p[0]).abs().max() < 0.001",
            "p[0].map(|x| x * x).to_array()",
            "w[1].map(|x| 1).sum()",
        ]),
        [
            "[0.5, 1.0, 2.0]",
            "[0.5, 1.0, 2.0]",
            "[0.25, 0.5, -1.0]",
            "true",
            "[0.25, 1.0, 4.0]",
            "3.0",
        ]
    );
    assert_eq!(
        failure("p.map(|x| \"no\")"),
        "wrong_type: the function of `map` returned a string, not a number"
    );
    assert_eq!(
        failure("(p / 0).normalize()"),
        "infinite: `probability` holds an infinite number and cannot be normalized"
    );
}
