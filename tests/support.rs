//! What the tests of the program share.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Output};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use ndarray::ArrayD;
use ndarray_npy::ReadNpyExt;
use serde_json::Value;
use tempfile::TempDir;

/// The program, with the plugins that this very build made: cargo puts them beside the test's own
/// executable, while beside the program an older copy may lie. It computes everything: what an
/// earlier run found proves nothing.
pub(crate) fn convscope() -> Command {
    let mut command = convscope_caching();
    command.arg("--no-cache");
    command
}

/// The program as [`convscope`] starts it, with the cache that its options say.
pub(crate) fn convscope_caching() -> Command {
    let plugins = std::env::current_exe().unwrap().parent().unwrap().to_owned();
    let mut command = Command::cargo_bin("convscope").unwrap();
    command.arg("--plugin-dir").arg(plugins).current_dir(root());
    command
}

/// The program, with the plugins of another folder too.
pub(crate) fn convscope_with(plugins: &Path) -> Command {
    let mut command = convscope();
    command.arg("--plugin-dir").arg(plugins);
    command
}

/// The folder of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The model of the examples.
pub(crate) fn squeezenet() -> PathBuf {
    root().join("examples/models/squeezenet1_1.onnx")
}

/// A photograph of the examples.
pub(crate) fn photo(name: &str) -> PathBuf {
    root().join("examples/photos").join(name)
}

/// A folder of the fixtures.
pub(crate) fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

/// A new temporary folder.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Runs the program, which must succeed, and returns the object it prints with `--json`.
pub(crate) fn json_of(command: &mut Command) -> Value {
    let output = command.arg("--json").arg("--quiet").output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stdout));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(value["ok"], true);
    value
}

/// Runs the program, which must fail with the given exit code and an empty standard output, and
/// returns what it says on standard error.
pub(crate) fn refusal(command: &mut Command, code: i32) -> String {
    let output: Output = command.output().unwrap();
    let words = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words}");
    assert!(!words.contains('\u{1b}'), "colours belong to terminals: {words:?}");
    assert_eq!(text(&output.stdout), "", "nothing but results belongs to standard output");
    words
}

/// How long to wait for what surely happens, however busy the machine is: only a program that hangs
/// takes as long.
const PATIENCE: Duration = Duration::from_secs(300);

/// Waits until something is there; a program that hangs is killed and fails the test.
fn awaited<T>(child: &mut Child, what: &str, mut look: impl FnMut(&mut Child) -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look(child) {
            return found;
        }
        if begun.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("waited for {what} for {PATIENCE:?}");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until a program handles Ctrl-C, which would end it at once before; where the system does
/// not tell, until it has said something on standard error.
pub(crate) fn await_readiness(child: &mut Child) {
    let status = PathBuf::from(format!("/proc/{}/status", child.id()));
    if !status.exists() {
        return await_words(child);
    }
    awaited(child, "the handler of Ctrl-C", |child| {
        assert_eq!(child.try_wait().unwrap(), None, "the run was over too soon");
        let status = std::fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        // SIGINT is signal 2, and signal 1 the lowest bit.
        (caught & 0b10 != 0).then_some(())
    });
}

/// Waits until a program has said something on its standard error, such as a line of progress.
pub(crate) fn await_words(child: &mut Child) {
    let said = child.stderr.as_mut().unwrap().read(&mut [0]).unwrap();
    assert_eq!(said, 1, "the run was over too soon");
}

/// Waits until something is there that a program makes before it ends.
pub(crate) fn await_file(child: &mut Child, is_there: impl Fn() -> bool) {
    awaited(child, "a file", |child| {
        let is_there = is_there();
        assert_eq!(child.try_wait().unwrap(), None, "the run was over too soon");
        is_there.then_some(())
    });
}

/// Lists all files below a folder, sorted, by their paths from there.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path.strip_prefix(folder).unwrap().to_owned());
            }
        }
    }
    files.sort();
    files
}

/// Sends Ctrl-C.
pub(crate) fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let signal = std::process::Command::new("kill").arg("-INT").arg(pid).status().unwrap();
    assert!(signal.success(), "the run was over too soon");
}

/// Waits for the end of a program that says little.
pub(crate) fn ended(child: &mut Child) -> ExitStatus {
    awaited(child, "the end", |child| child.try_wait().unwrap())
}

/// Asserts that a text holds all of these.
pub(crate) fn assert_says(words: &str, expected: &[&str]) {
    for part in expected {
        assert!(words.contains(part), "expected {part:?} in\n{words}");
    }
}

/// Writes a file and returns its path.
pub(crate) fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Reads an array.
pub(crate) fn npy(path: &Path) -> ArrayD<f32> {
    let name = path.display();
    let file = std::fs::File::open(path).unwrap_or_else(|error| panic!("{name}: {error}"));
    ArrayD::<f32>::read_npy(file).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Asserts that two arrays differ by at most `tolerance` of the largest magnitude of the expected.
pub(crate) fn assert_close(
    actual: &ArrayD<f32>,
    expected: &ArrayD<f32>,
    tolerance: f32,
    what: &str,
) {
    assert_eq!(actual.shape(), expected.shape(), "{what}");
    let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    assert!(largest > 0.0, "{what}: an expectation of zeros proves nothing");
    let difference = actual
        .iter()
        .zip(expected)
        .map(|(a, b)| if (a - b).is_nan() { f32::INFINITY } else { (a - b).abs() })
        .fold(0.0_f32, f32::max);
    assert!(
        difference <= tolerance * largest,
        "{what}: largest difference {difference:e} of largest value {largest:e}"
    );
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Lists the instruction sets that this processor has kernels for, as `CONVSCOPE_ISA` takes them.
pub(crate) fn instruction_sets() -> impl Iterator<Item = &'static str> {
    convscope_runtime::Isa::available().map(convscope_runtime::Isa::name)
}
