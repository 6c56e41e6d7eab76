//! Loops without end, hungry scripts, and the wish to stop.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use convscope_script::ScriptError;

use crate::fake::{Desk, LOADED, marked, mistake};

fn stopped_after(looks: u64, script: &str) -> Result<(), ScriptError> {
    let mut desk = Desk::new();
    desk.fake.patience = AtomicU64::new(looks);
    desk.run(script).outcome.map(|_| ())
}

#[test]
fn the_wish_to_stop_ends_an_endless_loop() {
    let error = stopped_after(1000, "loop { }").unwrap_err();

    assert!(matches!(error, ScriptError::Cancelled), "{error}");
}

#[test]
fn the_wish_to_stop_cannot_be_caught() {
    for script in [
        "loop { try { loop { } } catch { } }",
        "fn f() { loop { } } try { f(); } catch (e) { loop { } }",
    ] {
        let error = stopped_after(1000, script).unwrap_err();
        assert!(matches!(error, ScriptError::Cancelled), "{error}");
    }
    // The analysis itself reports that it was stopped.
    let script = format!(
        "{LOADED} try {{ model.occlusion(#{{ images: photos, stride: 1 }}); }} catch {{ }}"
    );
    let error = Desk::new().run(&script).outcome.unwrap_err();
    assert!(matches!(error, ScriptError::Cancelled), "{error}");
}

#[test]
fn waiting_can_be_stopped() {
    let mut desk = Desk::new();
    desk.fake.cancelled = AtomicBool::new(false);
    desk.fake.patience = AtomicU64::new(20);
    let start = Instant::now();

    let left = desk.run("sleep(1000); sleep(1000.0);");

    assert!(matches!(left.outcome, Err(ScriptError::Cancelled)));
    assert!(left.fake.cancelled.load(Ordering::Relaxed));
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
fn operations_are_counted() {
    let mut desk = Desk::new();
    desk.options.max_operations = 10_000;

    let mistake = desk.run("let x = 0;\nloop { x += 1; }").mistake();

    assert_eq!(mistake.message, "stopped after 10000 operations");
    assert_eq!(mistake.kind, "too_many_operations");
    assert!(mistake.help.unwrap().contains("--max-operations N"));
    assert_eq!(mistake.place.unwrap().line, 2);
}

#[test]
fn lists_strings_and_maps_do_not_grow_without_end() {
    let grown = |script: &str| mistake(script).message;

    assert_eq!(
        grown("let s = \"0123456789\"; loop { s += s; }"),
        "a string grew beyond 4194304 bytes"
    );
    assert_eq!(grown("let a = [1]; loop { a += a; }"), "a list grew beyond 1048576 entries");
    assert_eq!(grown("let a = [1]; loop { a = [a, a]; }"), "a list grew beyond 1048576 entries");
    assert_eq!(
        grown("let m = #{}; let i = 0; loop { m += parse_json(`{\"k${i}\": 1}`); i += 1; }"),
        "a map grew beyond 10000 entries"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn memory_that_no_single_limit_counts_is_limited() {
    for script in [
        "let m = #{}; let i = 0; let s = \"0123456789\"; for k in 0..14 { s += s; }
         loop { m[`${i}`] = s + i; i += 1; }",
        "let a = []; a.pad(100000, \"\"); let i = 0; let s = \"0123456789\";
         for k in 0..14 { s += s; } loop { a[i] = s + i; i += 1; }",
    ] {
        let mut desk = Desk::new();
        desk.options.max_memory_bytes = 300 << 20;

        let mistake = desk.run(script).mistake();

        assert_eq!(mistake.message, "the script takes too much memory");
    }
}

#[test]
fn arrays_that_a_script_keeps_are_counted_in_bytes() {
    let mut desk = Desk::new();
    desk.options.max_array_bytes = 20_000;
    let script = format!(
        "{LOADED} let p = model.occlusion(#{{ images: photos }}).probability;
         let kept = []; loop {{ kept.push(p * 2); }}"
    );

    let mistake = desk.run(&script).mistake();

    assert_eq!(mistake.kind, "too_large");
    assert_eq!(
        mistake.message,
        "the arrays that this script keeps would take 20 KiB, more than the 20 KiB allowed"
    );
    assert_eq!(marked(&mistake), "*");
}

#[test]
fn arrays_that_go_out_of_scope_are_not_counted() {
    let mut desk = Desk::new();
    desk.options.max_array_bytes = 20_000;
    let script = format!(
        "{LOADED} let p = model.occlusion(#{{ images: photos }}).probability;
         for i in 0..5000 {{ let q = p * 2; }}"
    );

    assert!(desk.run(&script).outcome.is_ok());
}

#[test]
fn calls_inside_one_another_are_counted_and_fit_on_the_stack() {
    let deep = mistake("fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } }\nprint(f(1000));");

    assert_eq!(deep.message, "more than 64 calls inside one another");
    let fine = Desk::new().run("fn f(n) { if n == 0 { 0 } else { 1 + f(n - 1) } } print(f(60));");
    assert_eq!(fine.printed(), ["60"]);
}

#[test]
fn text_made_by_a_script_is_never_run() {
    for script in [
        "Fn(\"eval\").call(\"print(1)\");",
        "call(Fn(\"eval\"), \"print(1)\");",
        "let e = \"eval\"; Fn(e).call(\"1\");",
    ] {
        let left = Desk::new().run(script);
        assert!(left.outcome.is_err(), "{script}");
        assert!(left.fake.printed.lock().unwrap().is_empty(), "{script}");
    }
}

#[test]
fn expressions_inside_one_another_are_counted() {
    let deep = |depth: usize| format!("{}1{}", "(1 + ".repeat(depth), ")".repeat(depth));
    assert!(Desk::new().run(&format!("let x = {};", deep(15))).outcome.is_ok());

    let outside = mistake(&format!("let x = {};", deep(100)));
    assert_eq!(outside.message, "too many expressions inside one another");
    assert_eq!(outside.kind, "syntax");
    assert_eq!(outside.help.as_deref(), Some("give parts of it names with `let`"));
    assert_eq!(outside.place.as_ref().unwrap().line, 1);
    assert!(!marked(&outside).is_empty());
    // Within functions fewer are allowed: those of their callers are on the stack as well.
    let inside = mistake(&format!("fn f() {{ {} }}", deep(30)));
    assert_eq!(inside.message, "too many expressions inside one another");
    let blocks = mistake(&format!("{}{}", "if true { ".repeat(100), "}".repeat(100)));
    assert_eq!(blocks.message, "too many expressions inside one another");
}

#[test]
fn imports_are_counted() {
    let mut desk = Desk::new();
    for number in 0..70 {
        desk = desk.write(&format!("home/m{number}.rhai"), "export const N = 1;");
    }
    let imports: Vec<String> = (0..70).map(|n| format!("import \"m{n}\" as m{n};\n")).collect();

    let mistake = desk.run(&imports.concat()).mistake();

    assert_eq!(
        (mistake.kind.as_str(), mistake.message.as_str()),
        ("too_many_imports", "more than 64 imports")
    );
    assert_eq!(mistake.place.as_ref().unwrap().line, 65);
    assert_eq!(marked(&mistake), "import");
}

#[test]
fn what_grows_too_large_is_told_where_it_does() {
    let told = |script: &str| {
        let mistake = mistake(script);
        (mistake.kind.clone(), mistake.place.as_ref().unwrap().line, marked(&mistake))
    };
    let large = |line, word: &str| ("too_large".to_owned(), line, word.to_owned());

    assert_eq!(told("let s = \"0123456789\";\nloop { s += s; }"), large(2, "+="));
    assert_eq!(told("let a = [1];\n\nloop { a += a; }"), large(3, "+="));
    assert_eq!(told("let a = [];\na.pad(2000000, 0);"), large(2, "pad"));
    let endless = mistake("fn f(n) { f(n + 1) }\nf(0);");
    assert_eq!(marked(&endless), "f");
    assert_eq!(endless.help.unwrap(), "does a function call itself without end?");
}

#[test]
fn any_number_of_operations_is_allowed_when_asked_for() {
    let mut desk = Desk::new();
    desk.options.max_operations = 0;

    let left = desk.run("let x = 0; while x < 200000 { x += 1; } print(x);");

    assert_eq!(left.printed(), ["200000"]);
    assert_eq!(convscope_script::ScriptOptions::default().max_operations, 500_000_000);
}
