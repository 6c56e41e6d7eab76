//! Texts of every kind: places are right whatever stands before them.

use crate::fake::{Desk, marked, mistake, printed};

/// Returns line and column of a mistake, and the marked word.
fn place(script: &str) -> (usize, usize, String) {
    let mistake = mistake(script);
    let word = marked(&mistake);
    let place = mistake.place.unwrap();
    (place.line, place.column, word)
}

fn at(line: usize, column: usize, word: &str) -> (usize, usize, String) {
    (line, column, word.to_owned())
}

#[test]
fn a_mark_that_editors_put_first_is_no_part_of_the_text() {
    assert_eq!(printed("\u{feff}print(1);"), ["1"]);
    assert_eq!(place("\u{feff}print(x);"), at(1, 7, "x"));
    assert_eq!(place("\u{feff}throw 1;"), at(1, 1, "throw"));
    assert_eq!(printed("\u{feff}#!/usr/bin/env convscope run\nprint(1);"), ["1"]);
    let desk = Desk::new().write("home/tools.rhai", "\u{feff}fn f() { y }");
    let mistake = desk.run("import \"tools\" as t;").mistake();
    assert_eq!((marked(&mistake).as_str(), mistake.place.unwrap().column), ("y", 10));
}

#[test]
fn lines_may_end_as_on_windows() {
    assert_eq!(printed("print(1);\r\nprint(2);\r\n"), ["1", "2"]);
    assert_eq!(place("let a = 1;\r\nlet b = c;\r\n"), at(2, 9, "c"));
    assert_eq!(place("let a = [1];\r\n\r\n  a[7];\r\n"), at(3, 5, "7"));
    assert_eq!(place("let s = `one\r\ntwo`; print(t);\r\n"), at(2, 13, "t"));
}

#[test]
fn a_tab_is_one_column() {
    assert_eq!(place("\tlet\ta = b;"), at(1, 10, "b"));
    assert_eq!(place("\t\tlet a = 1;\n\t/* \t */\tthrow a;"), at(2, 10, "throw"));
}

#[test]
fn letters_beyond_ascii_are_one_column_each() {
    assert_eq!(place("let 漢字 = \"😀 ü\"; print(漢子);"), at(1, 23, "漢子"));
    assert_eq!(place("let größe = [1]; /* ÄÖÜ */ größe[3];"), at(1, 34, "3"));
    assert_eq!(place("let s = \"\\U0001F600 \\\" ü\"; print(s2);"), at(1, 34, "s2"));
    // A letter of two characters.
    assert_eq!(place("let e = \"e\u{301}\"; f(1);"), at(1, 15, "f"));
}

#[test]
fn a_very_long_line_is_no_obstacle() {
    let long = "1 + ".repeat(30);
    let line = format!("let a = [{}]; print(b);", vec![long.trim_end_matches("+ "); 100].join(","));

    assert_eq!(place(&line), at(1, line.chars().count() - 2, "b"));
}

#[test]
fn a_place_behind_what_the_engine_can_count_is_still_one() {
    let script = format!("{}print(b);", " ".repeat(70_000));

    let mistake = mistake(&script);

    assert_eq!(mistake.message, "unknown variable `b`");
    assert_eq!(mistake.place.unwrap().line, 1);
}

#[test]
fn an_empty_script_is_no_mistake() {
    for script in ["", "\n", "\u{feff}", "// nothing", "#!/bin/convscope"] {
        assert!(Desk::new().run(script).outcome.is_ok(), "{script:?}");
    }
}
