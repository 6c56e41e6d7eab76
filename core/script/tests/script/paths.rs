//! Where paths start, and what may be read.

use crate::fake::{Desk, marked, mistake};

#[test]
fn paths_in_a_script_start_at_the_script() {
    let asked = Desk::new().run("load_model(\"models/tiny.onnx\");").asked();

    assert!(asked[0].contains("/home/models/tiny.onnx "), "{asked:?}");
}

#[test]
fn paths_from_the_command_line_start_at_the_working_folder() {
    let script =
        "let m = option(\"model\", \"models/tiny.onnx\"); let list = [m]; load_model(list[0]);";

    let asked = Desk::new().set("model", "mine.onnx").run(script).asked();
    assert!(asked[0].contains("/work/mine.onnx "), "{asked:?}");
    let asked = Desk::new().run(script).asked();
    assert!(asked[0].contains("/home/models/tiny.onnx "), "{asked:?}");
}

#[test]
fn the_origin_of_a_path_survives_functions_and_lists() {
    let asked = Desk::new()
        .set("images", "[\"mine.onnx\", \"*.onnx\"]")
        .run("fn load(x) { load_images(x) } load(option(\"images\", [\"photos\"]));")
        .asked();

    assert!(asked[0].contains("/work/mine.onnx "), "{asked:?}");
    assert!(asked[0].contains("/work/*.onnx "), "{asked:?}");
}

#[test]
fn a_path_made_of_one_from_the_command_line_starts_where_that_does() {
    let script = "load_images(option(\"folder\") + \"/mine.onnx\"); load_images(\"photos\");";

    let asked = Desk::new().set("folder", "../work").run(script).asked();

    assert!(asked[0].contains("/work/mine.onnx "), "{asked:?}");
    assert!(asked[1].contains("/home/photos "), "{asked:?}");
}

#[test]
fn scripts_do_not_read_elsewhere() {
    let secret = |desk: &Desk| desk.root.join("secret.onnx").display().to_string();
    let desk = Desk::new();
    let absolute = secret(&desk);
    for path in ["../secret.onnx", "models/../../secret.onnx", &absolute] {
        let mistake = mistake(&format!("load_model(\"{path}\");"));
        // The absolute path is another desk's, which is elsewhere as well.
        assert_eq!(mistake.kind, "out_of_reach");
        assert!(mistake.message.starts_with("this script may not read `"));
        assert_eq!(marked(&mistake), format!("\"{path}\""));
        assert!(mistake.help.unwrap().contains("option(\"NAME\")"));
    }
    let mistake = mistake("load_images(\"../*.onnx\");");
    assert_eq!(mistake.kind, "out_of_reach");
}

#[test]
fn the_working_folder_may_be_read_by_its_absolute_path() {
    let desk = Desk::new();
    let path = desk.root.join("work/mine.onnx").display().to_string();

    let asked = desk.run(&format!("load_model(\"{path}\");")).asked();

    assert!(asked[0].contains("/work/mine.onnx "));
}

#[test]
fn what_the_command_line_names_may_be_read_wherever_it_is() {
    let desk = Desk::new();
    let path = desk.root.join("secret.onnx").display().to_string();
    let asked = desk.set("model", &path).run("load_model(option(\"model\"));").asked();
    assert!(asked[0].contains("/secret.onnx "));

    let mut desk = Desk::new();
    desk.options.readable = vec!["../secret.onnx".into()];
    let asked = desk.run("load_model(\"../secret.onnx\");").asked();
    assert!(asked[0].contains("/secret.onnx "));
}

#[cfg(unix)]
#[test]
fn links_do_not_lead_elsewhere() {
    let desk = Desk::new();
    let link = desk.root.join("home/models/link.onnx");
    std::os::unix::fs::symlink(desk.root.join("secret.onnx"), link).unwrap();

    let mistake = desk.run("load_model(\"models/link.onnx\");").mistake();

    assert_eq!(mistake.kind, "out_of_reach");
    assert!(mistake.message.contains("/models/link.onnx`: it is `"), "{}", mistake.message);
}

#[test]
fn a_missing_file_is_told_with_the_nearest_name() {
    let mistake = mistake("load_model(\"models/tinny.onnx\");");

    assert_eq!(mistake.kind, "not_found");
    assert!(mistake.message.contains("/home/models/tinny.onnx`"), "{}", mistake.message);
    assert_eq!(mistake.label.unwrap(), "did you mean `tiny.onnx`?");
}
