//! Ten scripts with three mistakes each: all thirty are found at once, each at its place.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{convscope, folder, json_of, refusal, root};

/// A kind of mistake, with its file, line and column.
type Mistake = (&'static str, &'static str, u64, u64);

/// The mistakes of each script, in the order of its text.
const MISTAKES: [(&str, [Mistake; 3]); 10] = [
    (
        "files",
        [
            ("not_found", "files.rhai", 2, 24),
            ("invalid_data", "files.rhai", 3, 55),
            ("out_of_reach", "files.rhai", 4, 43),
        ],
    ),
    (
        "functions",
        [
            ("unknown_function", "functions.rhai", 3, 13),
            ("wrong_type", "functions.rhai", 4, 12),
            ("wrong_type", "functions.rhai", 5, 11),
        ],
    ),
    (
        "imports",
        [
            ("unknown_function", "imports.rhai", 3, 14),
            ("unknown_variable", "imports.rhai", 4, 14),
            ("unknown_function", "modules/tools.rhai", 4, 10),
        ],
    ),
    (
        "layers",
        [
            ("unknown_layer", "layers.rhai", 4, 29),
            ("unknown_layer", "layers.rhai", 6, 19),
            ("unknown_layer", "layers.rhai", 7, 42),
        ],
    ),
    (
        "letters",
        [
            ("unknown_variable", "letters.rhai", 2, 29),
            ("invalid_parameter", "letters.rhai", 4, 48),
            ("out_of_reach", "letters.rhai", 5, 28),
        ],
    ),
    (
        "options",
        [
            ("invalid_parameter", "options.rhai", 2, 86),
            ("invalid_parameter", "options.rhai", 3, 64),
            ("unknown_option", "options.rhai", 5, 50),
        ],
    ),
    (
        "parameters",
        [
            ("unknown_analysis", "parameters.rhai", 4, 7),
            ("unknown_parameter", "parameters.rhai", 7, 5),
            ("missing_parameter", "parameters.rhai", 9, 7),
        ],
    ),
    (
        "targets",
        [
            ("unknown_target", "targets.rhai", 4, 43),
            ("unknown_target", "targets.rhai", 5, 56),
            ("unknown_target", "targets.rhai", 6, 79),
        ],
    ),
    (
        "values",
        [
            ("invalid_parameter", "values.rhai", 3, 45),
            ("invalid_parameter", "values.rhai", 3, 60),
            ("invalid_parameter", "values.rhai", 9, 42),
        ],
    ),
    (
        "variables",
        [
            ("unknown_variable", "variables.rhai", 3, 7),
            ("unknown_variable", "variables.rhai", 7, 32),
            ("unknown_module", "variables.rhai", 8, 18),
        ],
    ),
];

fn script(name: &str) -> PathBuf {
    PathBuf::from("tests/scripts/mistakes").join(name).with_extension("rhai")
}

#[test]
fn ten_scripts_have_thirty_mistakes_each_at_its_place() {
    for (name, expected) in MISTAKES {
        let output = convscope().arg("check").arg(script(name)).arg("--json").output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();

        assert_eq!(answer["error"]["kind"], "mistakes");
        assert_eq!(answer["error"]["message"], "3 mistakes");
        let found: Vec<_> = answer["error"]["mistakes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|mistake| {
                let file = mistake["file"].as_str().unwrap();
                let (_, file) = file.rsplit_once("/tests/scripts/mistakes/").unwrap();
                let number = |key: &str| mistake[key].as_u64().unwrap();
                (mistake["kind"].as_str().unwrap(), file, number("line"), number("column"))
            })
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// Joins the lines of messages again: where they were folded depends on the length of paths.
fn unfolded(words: &str) -> String {
    let is_excerpt = |line: &str| ["│", "╭", "╰", "╯"].iter().any(|sign| line.contains(sign));
    let mut joined = String::new();
    for line in words.lines() {
        match line.strip_prefix("  ") {
            Some(rest) if !rest.starts_with(' ') && !is_excerpt(line) => {
                joined.truncate(joined.trim_end_matches('\n').len());
                joined.push(' ');
                joined.push_str(rest);
            }
            _ => joined.push_str(line),
        }
        joined.push('\n');
    }
    joined
}

#[test]
fn mistakes_are_printed_with_excerpts_in_the_order_of_the_text() {
    let root = root().canonicalize().unwrap().display().to_string();
    for (name, _) in MISTAKES {
        let words = refusal(convscope().arg("check").arg(script(name)), 1);

        let words = unfolded(&words.replace(&root, "[root]"));
        insta::with_settings!({
            snapshot_path => "scripts/mistakes",
            prepend_module_to_snapshot => false,
            omit_expression => true,
        }, {
            insta::assert_snapshot!(name, words);
        });
    }
}

#[test]
fn a_run_begins_with_the_same_check_and_writes_nothing() {
    let place = folder();
    let out = place.path().join("out");
    let checked = refusal(convscope().arg("check").arg(script("values")), 1);

    let run = refusal(convscope().arg("run").arg(script("values")).arg("--out").arg(&out), 1);

    assert_eq!(run, checked);
    assert!(!out.exists(), "nothing was computed");
}

#[test]
fn a_script_without_mistakes_is_said_to_have_none() {
    let output = convscope().args(["check", "examples/quickstart.rhai"]).output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stdout), "examples/quickstart.rhai: no mistakes\n");
    let mut command = convscope();
    command.args(["check", "scripts/deconvnet.rhai", "--set", "layers=[\"fire9/concat\"]"]);
    command.args(["--set", "model=examples/models/squeezenet1_1.onnx"]);
    assert_eq!(json_of(&mut command)["script"], "scripts/deconvnet.rhai");
    let mut command = convscope();
    command.args(["check", "scripts/occlusion.rhai", "--set", "windows=[16, [32, 24]]"]);
    command.args(["--set", "model=examples/models/squeezenet1_1.onnx"]);
    command.args(["--set", "target=espresso", "--set", "box=[0, 0, 90, 120]"]);
    assert_eq!(json_of(&mut command)["script"], "scripts/occlusion.rhai");
}

#[test]
fn what_the_command_line_sets_is_checked_with_the_script() {
    let mut command = convscope();
    command.args(["check", "scripts/deconvnet.rhai", "--set", "layers=fire9/conct"]);
    command.args(["--set", "model=examples/models/squeezenet1_1.onnx"]);
    command.args(["--set", "choose=strngest", "--set", "imags=examples/photos"]);

    let words = refusal(&mut command, 1);

    for part in [
        "`layers`: the model has no layer `fire9/conct`",
        "`choose`: expected \"random\" or \"strongest\", got \"strngest\"",
        "error: the script has no option `imags`\n  = help: did you mean `images`?",
        "\n3 mistakes\n",
    ] {
        assert!(words.contains(part), "{words}");
    }
}
