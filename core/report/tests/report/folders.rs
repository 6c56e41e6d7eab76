//! A report appears whole or not at all, and never takes what is not convscope's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use convscope_report::{ReportError, check_folder, write};
use tempfile::TempDir;

use crate::sample::{self, Files};

/// A number that no process has: the largest that Linux gives is 4,194,304.
const DEAD: u32 = 4_000_000_000;

struct Place {
    scratch: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { scratch: tempfile::tempdir().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.scratch.path().join("report")
    }

    fn write(&self, title: &str) -> Result<(), ReportError> {
        let mut report = sample::report(sample::findings(&[]));
        report.title = title.into();
        write(&report, &sample::provenance(), &self.out()).map(|written| {
            assert!(written.warnings.is_empty(), "{:?}", written.warnings);
        })
    }

    fn holds(&self, title: &str) -> bool {
        let page = fs::read_to_string(self.out().join("report.html")).unwrap();
        page.contains(&format!("<h1>{title}</h1>"))
    }

    fn beside(&self) -> Vec<String> {
        let entries = fs::read_dir(self.scratch.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_folder_that_does_not_exist_is_made_with_those_above_it() {
    let scratch = tempfile::tempdir().unwrap();
    let out = scratch.path().join("a/b/report");
    write(&sample::report(sample::findings(&[])), &sample::provenance(), &out).unwrap();
    assert!(out.join("report.html").is_file());
}

#[test]
fn an_empty_folder_is_filled() {
    let place = Place::new();
    fs::create_dir(place.out()).unwrap();
    place.write("First").unwrap();
    assert!(place.holds("First"));
    assert_eq!(place.beside(), ["report"]);
}

#[test]
fn an_older_report_is_replaced_and_nothing_of_it_stays() {
    let place = Place::new();
    let report = sample::report(sample::findings(&[sample::LOW]));
    write(&report, &sample::provenance(), &place.out()).unwrap();
    assert!(place.out().join("figures").exists());
    place.write("Second").unwrap();
    assert!(place.holds("Second"));
    assert!(!place.out().join("figures").exists());
    assert_eq!(place.beside(), ["report"]);
}

#[test]
fn a_foreign_file_in_a_report_is_named_and_everything_stays() {
    for foreign in ["notes.txt", "data/deconvnet/mine.npy", "figures/a/deep.svg", ".hidden"] {
        let place = Place::new();
        place.write("First").unwrap();
        let file = place.out().join(foreign);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "mine").unwrap();
        let before = Files::below(&place.out());
        let message = place.write("Second").unwrap_err().to_string();
        let named = if foreign.starts_with("figures") { "figures" } else { foreign };
        let expected = format!(
            "{} holds `{named}`, which is not part of a convscope report: give another folder \
             with --out, or move it away",
            place.out().canonicalize().unwrap().display()
        );
        assert_eq!(message, expected);
        assert!(Files::below(&place.out()) == before);
        assert_eq!(place.beside(), ["report"]);
    }
}

#[test]
fn a_folder_of_someone_else_is_left_alone_and_its_first_file_named() {
    let place = Place::new();
    fs::create_dir(place.out()).unwrap();
    for name in ["b.txt", "a.txt", "manifest.json"] {
        fs::write(place.out().join(name), "{\"name\": \"an app\", \"files\": []}").unwrap();
    }
    let fault = check_folder(&place.out()).unwrap_err();
    assert!(fault.to_string().contains("holds `a.txt`"), "{fault}");
    assert!(place.write("First").is_err());
    assert_eq!(fs::read_dir(place.out()).unwrap().count(), 3);
}

#[test]
fn a_file_in_its_place_is_refused() {
    let place = Place::new();
    fs::write(place.out(), "a file").unwrap();
    let message = place.write("First").unwrap_err().to_string();
    let expected = format!(
        "{} is a file, not a folder: give another folder with --out, or move it away",
        place.out().display()
    );
    assert_eq!(message, expected);
    assert_eq!(fs::read_to_string(place.out()).unwrap(), "a file");
}

#[test]
fn a_file_above_it_is_refused() {
    let place = Place::new();
    fs::write(place.out(), "a file").unwrap();
    let report = sample::report(sample::findings(&[]));
    let out = place.out().join("inner");
    let message = write(&report, &sample::provenance(), &out).unwrap_err().to_string();
    assert!(message.starts_with("cannot open ") || message.starts_with("cannot create "));
    assert!(message.contains("inner") || message.contains("report"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_place_that_nobody_can_write_to_is_refused_with_the_reason() {
    let report = sample::report(sample::findings(&[]));
    let out = Path::new("/proc/convscope/report");
    let message = write(&report, &sample::provenance(), out).unwrap_err().to_string();
    assert!(message.starts_with("cannot create /proc/convscope: "), "{message}");
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_stays_a_link() {
    let place = Place::new();
    let real = place.scratch.path().join("real");
    fs::create_dir(&real).unwrap();
    std::os::unix::fs::symlink(&real, place.out()).unwrap();
    place.write("First").unwrap();
    place.write("Second").unwrap();
    assert!(place.holds("Second") && real.join("manifest.json").is_file());
    assert!(fs::symlink_metadata(place.out()).unwrap().is_symlink());
    assert_eq!(place.beside(), ["real", "report"]);
}

#[test]
fn partial_folders_of_dead_processes_are_removed_and_others_are_not() {
    let place = Place::new();
    let beside = |name: &str| place.scratch.path().join(name);
    let dead = beside(&format!("report.partial-{DEAD}"));
    fs::create_dir_all(dead.join("data/deconvnet")).unwrap();
    fs::write(dead.join("data/deconvnet/half.npy"), "half").unwrap();
    // This one was further, and its manifest says which files are its own.
    let further = beside(&format!("report.partial-{}", DEAD + 2));
    fs::create_dir_all(further.join("extra")).unwrap();
    fs::write(further.join("extra/mean.npy"), "half").unwrap();
    let listed = "{\"convscope\": \"0\", \"files\": [\"extra/mean.npy\", \"manifest.json\"]}";
    fs::write(further.join("manifest.json"), listed).unwrap();
    let alive = format!("report.partial-{}", std::os::unix::process::parent_id());
    let kept = [
        alive.clone(),
        format!("another.partial-{DEAD}"),
        format!("report.partial-{DEAD}x"),
        format!("report.partial-{}", DEAD + 1),
    ];
    for name in &kept {
        fs::create_dir(beside(name)).unwrap();
    }
    // This one is dead too, but holds something that no report has.
    fs::write(beside(&kept[3]).join("thesis.tex"), "mine").unwrap();
    place.write("First").unwrap();
    assert!(!dead.exists() && !further.exists());
    for name in &kept {
        assert!(beside(name).exists(), "{name}");
    }
}

#[test]
fn a_report_that_a_dead_process_had_moved_away_is_replaced_or_comes_back() {
    let place = Place::new();
    place.write("First").unwrap();
    let old = place.scratch.path().join(format!("report.old-{DEAD}"));
    fs::rename(place.out(), &old).unwrap();
    place.write("Second").unwrap();
    assert!(place.holds("Second"));
    assert_eq!(place.beside(), ["report"]);
}

#[test]
fn a_folder_that_only_looks_left_over_is_kept() {
    let place = Place::new();
    let old = place.scratch.path().join("report.old-4000000000");
    fs::create_dir(&old).unwrap();
    fs::write(old.join("keep.txt"), "mine").unwrap();
    place.write("First").unwrap();
    assert!(old.join("keep.txt").is_file());
}

/// A disk that is full, as a limit on the size of files: the process runs again under a shell.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_the_old_report_and_nothing_half_written() {
    let place = Place::new();
    place.write("First").unwrap();
    let before = Files::below(&place.out());
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "folders::writes_until_the_disk_is_full"])
        .env("CONVSCOPE_FULL_DISK", place.out())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(Files::below(&place.out()) == before);
    assert_eq!(place.beside(), ["report"]);
}

/// The other half of the test above, in a process that may write no more than 64 blocks a file.
#[test]
#[ignore = "runs only within the test of a full disk"]
fn writes_until_the_disk_is_full() {
    let Some(out) = std::env::var_os("CONVSCOPE_FULL_DISK") else { return };
    let report = sample::report(sample::findings(&[sample::LOW, sample::HIGH]));
    let fault = write(&report, &sample::provenance(), Path::new(&out)).unwrap_err();
    let message = fault.to_string();
    assert!(message.starts_with("cannot write ") && message.contains(".partial-"), "{message}");
}
