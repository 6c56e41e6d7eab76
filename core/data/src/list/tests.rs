use std::fs;

use convscope_runtime::{Region, Tensor};
use tempfile::TempDir;

use super::*;
use crate::{Part, write_npy};

/// A folder that holds empty files of these names.
fn folder(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in names {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

fn names(folder: &TempDir, source: &str) -> Vec<String> {
    let entries = list_images(&[folder.path().join(source)]).unwrap();
    entries.iter().map(Entry::name).collect()
}

fn refused(folder: &TempDir, source: &str) -> String {
    let error = list_images(&[folder.path().join(source)]).unwrap_err().to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn a_folder_yields_its_pictures_sorted_by_name() {
    let folder = folder(&["b.PNG", "a.jpeg", "c.txt", ".hidden.png", "sub/d.png"]);
    assert_eq!(names(&folder, ""), ["a.jpeg", "b.PNG"]);
}

fn label(entry: &Entry) -> Option<&str> {
    match entry {
        Entry::Picture { label, .. } => label.as_deref(),
        Entry::Tensor { .. } => None,
    }
}

fn labels(entries: &[Entry]) -> Vec<(String, Option<&str>)> {
    entries.iter().map(|entry| (entry.name(), label(entry))).collect()
}

#[test]
fn folders_in_a_folder_without_pictures_are_classes() {
    let folder =
        folder(&["dog/b.png", "cat/a.png", "cat/more/c.png", "cat/n.txt", ".git/d.png", "n.txt"]);
    let entries = list_images(&[folder.path().into()]).unwrap();
    let [cat, dog] = ["cat", "dog"].map(Some);
    let wanted = [("a.png", cat), ("c.png", cat), ("b.png", dog)];
    assert_eq!(labels(&entries), wanted.map(|(name, label)| (name.to_owned(), label)));
}

#[test]
fn hidden_files_are_matched_only_where_the_pattern_writes_their_dot() {
    let folder = folder(&[".a.png", ".git/b.png", "c/.d.png", "c/e.png"]);
    assert_eq!(names(&folder, "**/*.png"), ["e.png"]);
    assert_eq!(names(&folder, "**/.*.png"), [".a.png", ".d.png"]);
    assert_eq!(names(&folder, ".git/**/*.png"), ["b.png"]);
    assert_eq!(names(&folder, ".*.png"), [".a.png"]);
    assert_eq!(names(&folder, "**"), ["e.png"]);
    assert_eq!(names(&folder, "[c]/../**/**/e.*"), ["e.png"]);
    assert_eq!(
        refused(&folder, "nowhere/**/*.png"),
        "no pictures in nowhere/**/*.png: nothing matches"
    );
}

#[cfg(unix)]
#[test]
fn links_that_lead_back_are_not_followed_again() {
    let folder = folder(&["cat/a.png", "cat/deep/b.png"]);
    let link = |from: &str, to: &str| {
        std::os::unix::fs::symlink(folder.path().join(to), folder.path().join(from)).unwrap();
    };
    link("cat/deep/back", "cat");
    link("cat/deep/root", "");
    link("cat/deep/self", "cat/deep/self");
    assert_eq!(names(&folder, ""), ["a.png", "b.png"]);
    assert_eq!(names(&folder, "**/*.png"), ["a.png", "b.png"]);
}

#[test]
fn more_pictures_than_can_be_listed_are_refused() {
    check_count(Path::new("p"), MAX_FILES).unwrap();
    assert_eq!(
        check_count(Path::new("p"), MAX_FILES + 1).unwrap_err().to_string(),
        "p holds more than 1000000 pictures; give a part of them"
    );
}

#[test]
fn a_pattern_yields_the_pictures_it_matches() {
    let folder = folder(&["b1.png", "a1.png", "a2.txt", "sub/a3.gif", "[x].png"]);
    assert_eq!(names(&folder, "a*"), ["a1.png"]);
    assert_eq!(names(&folder, "**/*[13].*"), ["a1.png", "b1.png", "a3.gif"]);
    // A file of that very name wins over the pattern.
    assert_eq!(names(&folder, "[x].png"), ["[x].png"]);
}

#[test]
fn sources_keep_their_order_and_may_repeat() {
    let folder = folder(&["a.png", "b.png"]);
    let [a, b] = ["a.png", "b.png"].map(|name| folder.path().join(name));
    let entries = list_images(&[b.clone(), folder.path().into(), a]).unwrap();
    let names: Vec<String> = entries.iter().map(Entry::name).collect();
    assert_eq!(names, ["b.png", "a.png", "b.png", "a.png"]);
}

#[test]
fn what_yields_nothing_is_refused_with_what_was_there() {
    let empty = tempfile::tempdir().unwrap();
    assert!(refused(&empty, "").ends_with("it is empty"));
    let folder = folder(&["notes/a.png", "mixed/a.txt", "mixed/b/c.txt", "bare/b/c.txt", "x.txt"]);
    assert_eq!(
        refused(&folder, "mixed"),
        "no pictures in mixed: it holds 1 file of another kind and 1 folder without pictures"
    );
    assert_eq!(refused(&folder, "bare"), "no pictures in bare: it holds 1 folder without pictures");
    assert_eq!(
        refused(&folder, "mixed/b"),
        "no pictures in mixed/b: it holds 1 file of another kind"
    );
    assert_eq!(refused(&folder, "*.png"), "no pictures in *.png: nothing matches");
    assert_eq!(refused(&folder, "*"), "no pictures in *: 4 matches, but no picture among them");
    assert!(refused(&folder, "a***b").starts_with("pattern a***b: "));
}

#[test]
fn a_listed_file_must_exist_and_be_a_picture_by_its_extension() {
    let folder = folder(&["a.txt"]);
    assert!(refused(&folder, "b.png").starts_with("cannot read b.png: "));
    assert_eq!(
        refused(&folder, "a.txt"),
        "a.txt is no picture by its extension; read are png, jpg, jpeg, webp, bmp, tif, tiff, \
         gif, lists (.csv) and tensors (.npy, .pb)"
    );
}

#[test]
fn a_tensor_yields_its_rows() {
    let folder = tempfile::tempdir().unwrap();
    write_npy(&folder.path().join("t.npy"), &Tensor::zeros([2, 3, 4, 4])).unwrap();
    assert_eq!(names(&folder, "t.npy"), ["tensor 0", "tensor 1"]);
}

fn csv(text: &str) -> TempDir {
    let folder = folder(&["a.png", "sub/b.png", "n.txt"]);
    fs::write(folder.path().join("l.csv"), text).unwrap();
    folder
}

#[test]
fn a_list_yields_files_with_labels_and_parts() {
    let folder = csv("\u{feff}part, file,label,x,y,width,height\n\
                      eye,sub/b.png,dog,1,2.0,3,4\n\
                      ,a.png,\"cat, tabby\",,,,\n\
                      nose,sub/b.png,dog,5,6,7,8\n");
    let entries = list_images(&[folder.path().join("l.csv")]).unwrap();
    let [Entry::Picture { path, label, parts }, second] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!(*path, folder.path().join("sub/b.png"));
    assert_eq!(label.as_deref(), Some("dog"));
    let part = |name: &str, left, top, width, height| Part {
        name: name.to_owned(),
        region: Region { top, left, height, width },
    };
    assert_eq!(*parts, [part("eye", 1, 2, 3, 4), part("nose", 5, 6, 7, 8)]);
    assert!(matches!(second, Entry::Picture { label: Some(label), .. } if label == "cat, tabby"));
}

#[test]
fn a_list_needs_no_more_than_files() {
    assert_eq!(names(&csv("file\na.png\nsub/b.png\n"), "l.csv"), ["a.png", "b.png"]);
}

#[test]
fn mistakes_in_a_list_are_refused_with_their_line() {
    for (text, reason) in [
        ("name\na.png\n", ": 2 mistakes\n  line 1: unknown column \"name\"; known are file, "),
        ("label\ncat\n", "line 1: there is no column \"file\"; the first line must name the"),
        ("file,file\na.png,a.png\n", "line 1: column \"file\" stands there twice"),
        ("file,label\n,cat\n", "line 2: the file is missing"),
        ("file\n\na.png\nc.png\n", "line 4: cannot read "),
        ("file\nn.txt\n", "line 2: n.txt is no picture by its extension"),
        ("file,label\na.png\n", "line 2: it has 1 cells, the first line 2"),
        ("file,lable\na.png,cat\n", "line 1: unknown column \"lable\"; known are file, label, "),
        ("file;label\na.png;cat\n", ": 2 mistakes\n  line 1: unknown column \"file;label\"; "),
        ("file,label\na.png,\"cat\nb.png,dog\n", "line 2: a cell holds a line break; is a quote"),
        ("file\na.png\na.png\n", "line 3: the file stands there already"),
        ("file,part,x,y,width,height\na.png,eye,1,1,-3,1\n", "line 2: width \"-3\" is not a whole"),
        (
            "file,label\na.png,cat\na.png,dog\n",
            "line 3: the file was labelled \"cat\", now \"dog\"",
        ),
        ("file,x\na.png,3\n", "line 2: there is a region but no part"),
        ("file,part,x,y,width\na.png,eye,1,1,1\n", "line 2: the part has no height"),
        (
            "file,part,x,y,width,height\na.png,eye,1.5,1,1,1\n",
            "line 2: x \"1.5\" is not a whole number of pixels from 0 up",
        ),
        ("file,part,x,y,width,height\na.png,eye,1,-1,1,1\n", "line 2: y \"-1\" is not a whole"),
        ("file,part,x,y,width,height\na.png,eye,1,1,0,1\n", "line 2: the part is empty"),
        (
            "file,part,x,y,width,height\na.png,eye,1,1,1,1\na.png,eye,1,1,1,1\n",
            "line 3: the file has a part \"eye\" already",
        ),
    ] {
        let error = refused(&csv(text), "l.csv");
        let colon = if reason.starts_with(':') { "" } else { ", " };
        assert!(error.starts_with(&format!("list l.csv{colon}{reason}")), "{error}");
    }
    assert!(refused(&csv("file,lable\n"), "l.csv").ends_with("; did you mean `label`?"));
    assert!(refused(&csv("file;label\n"), "l.csv").contains("; columns are separated by commas"));
    assert_eq!(
        refused(&csv("file\n"), "l.csv"),
        "no pictures in l.csv: it has no lines below its header"
    );
}

#[test]
fn all_mistakes_in_a_list_are_told_at_once() {
    let error = refused(&csv("file,label\n,cat\na.png,cat\na.png,dog\nn.txt,cat\n"), "l.csv");
    let wanted = "list l.csv: 3 mistakes\n  line 2: the file is missing\n  line 4: the file was \
                  labelled \"cat\", now \"dog\"\n  line 5: n.txt is no picture by its extension";
    assert!(error.starts_with(wanted), "{error}");
    let many = refused(&csv(&format!("file\n{}", "no.png\n".repeat(30))), "l.csv");
    assert!(many.starts_with("list l.csv: 30 mistakes\n") && many.ends_with("\n  and 10 more"));
    assert_eq!(many.lines().count(), 22);
}

#[test]
fn line_ends_quotes_and_marks_of_other_systems_are_read() {
    let folder =
        csv("\u{feff}file,label\r\n\"a.png\",\"say \"\"cat\"\", twice\"\r\nsub/b.png,\r\n\r\n");
    let entries = list_images(&[folder.path().join("l.csv")]).unwrap();
    let wanted = [("a.png", Some("say \"cat\", twice")), ("b.png", None)];
    assert_eq!(labels(&entries), wanted.map(|(name, label)| (name.to_owned(), label)));
}
