//! Scripts read and write only where they may, also through the files they name.

use std::path::{Path, PathBuf};

use crate::support::{convscope, folder, photo, refusal, squeezenet};

/// A folder with a script's own folder in it, `home`, and a secret beside that.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = folder();
        std::fs::create_dir(folder.path().join("home")).unwrap();
        std::fs::copy(photo("chelsea.png"), folder.path().join("secret.png")).unwrap();
        std::fs::write(folder.path().join("secret.txt"), "a\nb\n").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn link(&self, name: &str, target: &str) {
        std::os::unix::fs::symlink(self.path(target), self.path(name)).unwrap();
    }

    /// Returns what the program says of a script, to `check` and to `run` alike.
    fn refused(&self, script: &str) -> String {
        let path = self.path("home/script.rhai");
        std::fs::write(&path, script).unwrap();
        let checked = refusal(self.command("check").arg(&path), 1);
        let out = self.path("out");
        let run = refusal(self.command("run").arg(&path).arg("--out").arg(&out), 1);
        assert_eq!(checked, run);
        assert!(!out.exists(), "nothing is written");
        // A value that is computed is looked at when it is used.
        let computed = script.replace("(\"", "(\"\" + computed + \"");
        std::fs::write(&path, format!("let computed = \"\"; computed += \"\";\n{computed}"))
            .unwrap();
        let late = refusal(self.command("run").arg(&path).arg("--out").arg(&out), 1);
        assert!(late.contains("may not read `"), "{late}");
        checked
    }

    fn command(&self, name: &str) -> assert_cmd::Command {
        let mut command = convscope();
        command.arg(name).current_dir(self.path("home"));
        command
    }
}

fn assert_unreadable(words: &str, file: &Path) {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    assert!(words.contains("error: this script may not read `"), "{words}");
    assert!(words.contains(&format!("{name}`")), "{words}");
}

#[test]
fn neither_parents_nor_absolute_paths_lead_out() {
    let place = Place::new();
    let secret = place.path("secret.png");

    assert_unreadable(&place.refused("load_images(\"../secret.png\");"), &secret);
    let absolute = format!("load_images(\"{}\");", secret.display());
    assert_unreadable(&place.refused(&absolute), &secret);
    place.refused("load_images(\"../*.png\");");
}

#[test]
fn links_do_not_lead_out() {
    let place = Place::new();
    let secret = place.path("secret.png");
    place.link("home/link.png", "secret.png");
    assert_unreadable(&place.refused("load_images(\"link.png\");"), &secret);
    assert_unreadable(&place.refused("load_images(\"*.png\");"), &secret);
    std::fs::create_dir(place.path("home/photos")).unwrap();
    place.link("home/photos/link.png", "secret.png");
    assert_unreadable(&place.refused("load_images(\"photos\");"), &secret);
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    std::fs::copy(&secret, place.path("elsewhere/cat.png")).unwrap();
    place.link("home/album", "elsewhere");
    assert_unreadable(&place.refused("load_images(\"album\");"), &place.path("elsewhere"));
    place.refused("load_images(\"album/*.png\");");
}

#[test]
fn lists_do_not_lead_out() {
    let place = Place::new();
    let secret = place.path("secret.png");
    for entry in ["../secret.png".to_owned(), secret.display().to_string()] {
        std::fs::write(place.path("home/list.csv"), format!("file\n{entry}\n")).unwrap();
        assert_unreadable(&place.refused("load_images(\"list.csv\");"), &secret);
    }
}

#[test]
fn the_card_of_a_model_does_not_lead_out() {
    let place = Place::new();
    let model = place.path("home/net.onnx");
    std::fs::copy(squeezenet(), &model).unwrap();
    let card = "[input]\nscale = 1.0\nmean = [0.0]\nstd = [1.0]\nchannels = \"rgb\"\n\
                [output]\nlabels = \"../secret.txt\"\n";
    std::fs::write(place.path("home/net.toml"), card).unwrap();
    assert_unreadable(&place.refused("load_model(\"net.onnx\");"), &place.path("secret.txt"));
    std::fs::remove_file(place.path("home/net.toml")).unwrap();
    place.link("home/net.toml", "secret.txt");
    assert_unreadable(&place.refused("load_model(\"net.onnx\");"), &place.path("secret.txt"));
}

/// As in the cache of Hugging Face: every name is a link to a file that is named by its content.
#[test]
fn a_model_that_is_a_link_has_the_card_beside_the_link() {
    let place = Place::new();
    std::fs::create_dir(place.path("home/blobs")).unwrap();
    std::fs::copy(squeezenet(), place.path("home/blobs/ab")).unwrap();
    std::fs::write(place.path("home/blobs/cd"), "[input]\nmean = [0.0]\nwidth = 1\n").unwrap();
    place.link("home/net.onnx", "home/blobs/ab");
    place.link("home/net.toml", "home/blobs/cd");
    let path = place.path("home/script.rhai");
    std::fs::write(&path, "load_model(\"net.onnx\");").unwrap();
    for command in ["check", "run"] {
        let words = refusal(place.command(command).arg(&path), 1);
        assert!(words.contains("net.toml"), "the card is read: {words}");
    }
}

#[test]
fn what_the_command_line_names_is_read_where_it_is() {
    let place = Place::new();
    let path = place.path("home/script.rhai");
    std::fs::write(&path, "print(load_images(option(\"images\")).len());").unwrap();
    for name in ["../secret.png".to_owned(), place.path("secret.png").display().to_string()] {
        let mut command = place.command("run");
        let output =
            command.arg(&path).arg("--set").arg(format!("images={name}")).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n");
    }
}

#[test]
fn a_link_in_the_output_folder_is_not_followed() {
    let place = Place::new();
    let model = place.path("home/net.onnx");
    std::fs::copy(squeezenet(), &model).unwrap();
    std::fs::copy(photo("chelsea.png"), place.path("home/cat.png")).unwrap();
    let path = place.path("home/script.rhai");
    let script = "let net = load_model(\"net.onnx\", #{ preprocess: \"raw\" });
                  let found = net.saliency(#{ images: load_images(\"cat.png\") });
                  found.save_npy(found.arrays[0], \"maps/one.npy\");";
    std::fs::write(&path, script).unwrap();
    let out = place.path("out");
    let run = || place.command("run").arg(&path).arg("--out").arg(&out).output().unwrap();
    assert!(run().status.success());
    std::fs::remove_dir_all(out.join("maps")).unwrap();
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    place.link("out/maps", "elsewhere");

    let output = run();

    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let elsewhere = place.path("elsewhere").read_dir().unwrap().count();
    assert_eq!(elsewhere, 0, "{words}");
    assert!(!output.status.success() || !out.join("maps").is_symlink(), "{words}");
}
