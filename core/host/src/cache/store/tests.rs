use std::time::Duration;

use ndarray::{ArcArray, IxDyn};

use super::super::Parts;
use super::*;

fn key(name: &str) -> Key {
    Parts::new().with(name).key()
}

fn numbers(count: usize) -> Values {
    Values::F32((0..count).map(|number| number as f32).collect::<ArcArray<f32, _>>().into_dyn())
}

fn save(store: &Store, name: &str, values: &[&Values]) {
    let draft = Draft::new(&name.to_owned(), values).unwrap();
    store.save(&key(name), &draft).unwrap();
}

fn load(store: &Store, name: &str) -> Option<Vec<Values>> {
    let (content, values) = store.load::<String>(&key(name)).unwrap()?;
    assert_eq!(content, name);
    Some(values)
}

fn damage(store: &Store, name: &str) -> String {
    match store.load::<String>(&key(name)).unwrap_err() {
        Unusable::Damaged(reason) => reason.to_owned(),
        other => panic!("{other:?}"),
    }
}

fn entries(store: &Store) -> usize {
    let folders = fs::read_dir(store.folder()).unwrap().map(|folder| folder.unwrap().path());
    folders.filter(|path| path.is_dir()).map(|path| fs::read_dir(path).unwrap().count()).sum()
}

fn store(limit: u64) -> (tempfile::TempDir, Store) {
    let place = tempfile::tempdir().unwrap();
    let store = Store::new(place.path().join("not/there/yet"), limit);
    (place, store)
}

#[test]
fn what_was_written_is_read_back_bit_by_bit() {
    let (_place, store) = store(1 << 30);
    assert!(load(&store, "a").is_none());
    let odd = ArcArray::from_vec(vec![f32::from_bits(0x7fc0_1234), -0.0, f32::INFINITY, 1e-45]);
    let odd = Values::F32(odd.into_dyn());
    let empty = Values::F32(ArcArray::zeros(IxDyn(&[3, 0, 5])));
    let single = Values::U32(ArcArray::from_elem(IxDyn(&[]), u32::MAX));
    let bytes = Values::U8(ArcArray::from_vec((0..=255).collect()).into_dyn());
    let long = numbers(100_003);
    save(&store, "a", &[&odd, &empty, &single, &bytes, &long]);
    let found = load(&store, "a").unwrap();
    let bits = |values: &Values| match values {
        Values::F32(array) => array.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bits(&found[0]), bits(&odd));
    assert_eq!(found[1..], [empty, single, bytes, long]);
    let arrays = [&found[4]];
    let draft = Draft::new(&"a".to_owned(), &arrays).unwrap();
    store.save(&key("a"), &draft).unwrap();
    assert_eq!(fs::metadata(store.path(&key("a"))).unwrap().len(), draft.bytes());
}

#[test]
fn an_entry_with_any_byte_changed_or_cut_off_is_noticed() {
    let (_place, store) = store(1 << 20);
    save(&store, "a", &[&numbers(5)]);
    let path = store.path(&key("a"));
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x20;
        fs::write(&path, &bytes).unwrap();
        let outcome = store.load::<String>(&key("a"));
        // The number of the format stands from byte 16 on: another format is none of ours.
        let expected = if (16..20).contains(&place) {
            matches!(outcome, Err(Unusable::OtherFormat))
        } else {
            matches!(outcome, Err(Unusable::Damaged(_)))
        };
        assert!(expected, "byte {place}: {outcome:?}");
        fs::write(&path, &whole[..place]).unwrap();
        assert!(matches!(store.load::<String>(&key("a")), Err(Unusable::Damaged(_))), "{place}");
    }
    fs::write(&path, [whole.as_slice(), b"x"].concat()).unwrap();
    assert_eq!(damage(&store, "a"), "its parts do not fit together");
    fs::write(&path, &whole).unwrap();
    assert_eq!(load(&store, "a").unwrap(), [numbers(5)]);
}

#[test]
fn an_entry_under_the_name_of_another_is_noticed() {
    let (_place, store) = store(1 << 20);
    save(&store, "a", &[]);
    save(&store, "b", &[]);
    fs::copy(store.path(&key("a")), store.path(&key("b"))).unwrap();
    assert_eq!(damage(&store, "b"), "it belongs to another key");
}

#[test]
fn lengths_that_no_file_has_take_no_memory() {
    let (_place, store) = store(1 << 20);
    save(&store, "a", &[&numbers(1_000)]);
    let path = store.path(&key("a"));
    let whole = fs::read(&path).unwrap();
    let head = b"[1000]";
    let at = whole.windows(head.len()).position(|window| window == head).unwrap();
    let mut bytes = whole.clone();
    bytes[at..at + 6].copy_from_slice(b"[9e18]");
    fs::write(&path, &bytes).unwrap();
    assert_eq!(damage(&store, "a"), "it cannot be understood");
    bytes[at..at + 6].copy_from_slice(b"[9999]");
    fs::write(&path, &bytes).unwrap();
    assert_eq!(damage(&store, "a"), "its parts do not fit together");
    let mut bytes = whole;
    bytes[52..60].copy_from_slice(&u64::MAX.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    assert_eq!(damage(&store, "a"), "its parts do not fit together");
}

#[test]
fn what_json_cannot_say_is_not_kept() {
    assert!(Draft::new(&vec![1.0, f64::MIN_POSITIVE, 0.1 + 0.2], &[]).is_some());
    assert!(Draft::new(&vec![f64::INFINITY], &[]).is_none());
}

/// Makes an entry look as if it was last used so many seconds ago.
fn age(store: &Store, name: &str, seconds: u64) {
    let file = File::options().write(true).open(store.path(&key(name))).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

#[test]
fn the_least_recently_used_entries_leave_first() {
    // Every entry takes a little more than 4 kB.
    let (_place, store) = store(20_000);
    let values = numbers(1_000);
    for (name, seconds) in [("a", 40), ("b", 30), ("c", 20), ("d", 10)] {
        save(&store, name, &[&values]);
        age(&store, name, seconds);
    }
    assert!(load(&store, "a").is_some());
    save(&store, "e", &[&values]);
    let left = ["a", "b", "c", "d", "e"].map(|name| load(&store, name).is_some());
    assert_eq!(left, [true, false, true, true, true]);
}

#[test]
fn an_entry_that_is_large_beside_the_folder_is_left_out() {
    let (_place, store) = store(10_000);
    save(&store, "a", &[&numbers(1_000)]);
    assert!(load(&store, "a").is_none());
    save(&store, "a", &[&numbers(500)]);
    assert!(load(&store, "a").is_some());
}

#[test]
fn only_files_of_the_cache_are_removed() {
    let (_place, store) = store(10_000);
    let values = numbers(500);
    save(&store, "a", &[&values]);
    let old = SystemTime::now() - Duration::from_secs(7_200);
    let own = store.path(&key("a"));
    let folder = own.parent().unwrap();
    let stale = own.with_extension("1-1.partial");
    let others = [
        store.folder().join("thesis.txt"),
        folder.join("thesis.entry"),
        own.with_extension("txt"),
        own.with_extension("2-1.partial"),
    ];
    for path in others.iter().chain([&stale]) {
        fs::write(path, vec![0; 5_000]).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(old).unwrap();
    }
    // A process that is still at work.
    File::options().write(true).open(&others[3]).unwrap().set_modified(SystemTime::now()).unwrap();
    for name in ["b", "c", "d", "e", "f"] {
        save(&store, name, &[&values]);
    }
    assert!(others.iter().all(|path| path.is_file()), "{others:?}");
    assert!(!stale.exists());
    assert!(load(&store, "f").is_some());
}

#[cfg(unix)]
#[test]
fn a_link_to_another_folder_is_not_followed_when_room_is_made() {
    let (place, store) = store(10_000);
    let name = format!("{}.entry", key("x"));
    let elsewhere = place.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::write(elsewhere.join(&name), vec![0; 50_000]).unwrap();
    fs::create_dir_all(store.folder()).unwrap();
    std::os::unix::fs::symlink(&elsewhere, store.folder().join("ab")).unwrap();
    for name in ["b", "c", "d", "e", "f", "g"] {
        save(&store, name, &[&numbers(500)]);
    }
    assert!(elsewhere.join(name).is_file());
}

#[test]
fn many_writers_and_readers_see_whole_entries_only() {
    let (_place, store) = store(60_000);
    let values: Vec<Values> = (1..=8).map(|number| numbers(number * 400)).collect();
    let names = ["0", "1", "2", "3", "4", "5", "6", "7"];
    std::thread::scope(|scope| {
        for worker in 0..4 {
            let (values, folder) = (&values, store.folder().to_owned());
            scope.spawn(move || {
                // Stores of their own, as processes have them.
                let store = Store::new(folder, 60_000);
                for step in 0..200 {
                    let place = (step * (worker + 3)) % names.len();
                    save(&store, names[place], &[&values[place]]);
                    let other = (step + worker) % names.len();
                    if let Some(found) = load(&store, names[other]) {
                        assert_eq!(found, [values[other].clone()]);
                    }
                }
            });
        }
    });
    assert!(entries(&store) <= names.len(), "something partial is left");
}

#[cfg(unix)]
#[test]
fn only_its_user_may_look_into_the_folder() {
    use std::os::unix::fs::PermissionsExt;

    let (_place, store) = store(10_000);
    save(&store, "a", &[]);
    let mode = fs::metadata(store.folder()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}
