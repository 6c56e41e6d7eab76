//! Files that preflight refuses.

use super::*;

#[test]
fn files_that_are_no_whole_library_are_never_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = plugin(&folder, "whole", "") else { return };
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let refused = |name: &str, bytes: &[u8]| {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("libconvscope_{name}.so")), bytes).unwrap();
        refusal(&folder)
    };
    let again = "copy it again: it did not arrive whole".to_owned();
    assert_eq!(refused("empty", b""), ("the file is empty".to_owned(), again.clone()));
    let random: Vec<u8> =
        (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for bytes in [&random[..], b"#!/bin/sh\necho no library\n"] {
        let (reason, help) = refused("other", bytes);
        assert_eq!(reason, "is no shared library");
        assert!(help.contains("whether it is the right file"), "{help}");
    }
    for part in [20, 100, whole.len() / 4, whole.len() / 2, whole.len() - 1] {
        let (reason, help) = refused("part", &whole[..part]);
        let named = ["truncated", "is no shared library"].iter().any(|word| reason.contains(word));
        assert!(named, "{part}: {reason}");
        assert!(help == again || reason == "is no shared library", "{part}: {help}");
    }
    let mut object = whole.clone();
    object[16..18].copy_from_slice(&1_u16.to_le_bytes());
    let (reason, help) = refused("object", &object);
    assert_eq!(reason, "is no shared library but an object file");
    assert!(help.contains("cdylib") && help.contains("cc -shared"), "{help}");
}

#[test]
fn a_library_of_another_processor_is_refused_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = plugin(&folder, "whole", "") else { return };
    let mut bytes = fs::read(&path).unwrap();
    let (machine, name) =
        if cfg!(target_arch = "aarch64") { (62_u16, "x86_64") } else { (183, "aarch64") };
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let this = std::env::consts::ARCH;
    let (reason, help) = refusal(&folder);
    assert_eq!(reason, format!("is made for the processor {name}, this is {this}"));
    assert_eq!(help, format!("get it, or build it, for {this}"));
}

#[cfg(target_os = "linux")]
#[test]
fn libraries_of_other_systems_are_refused_by_the_system() {
    // The headers with which a library of macOS and one of Windows begin.
    let mut mach = [0xfeed_facf_u32, 0x0100_0007, 3, 6, 0, 0, 0, 0].map(u32::to_le_bytes).concat();
    mach.resize(4096, 0);
    let mut windows = b"MZ".to_vec();
    windows.resize(4096, 0);
    windows[0x3c] = 0x80;
    // Signature, processor, and the magic number of the 64-bit optional header.
    windows[0x80..0x86].copy_from_slice(b"PE\0\0\x64\x86");
    windows[0x98..0x9a].copy_from_slice(&[0x0b, 0x02]);
    for (name, extension, bytes) in [("macOS", "dylib", mach), ("Windows", "dll", windows)] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(format!("convscope_a.{extension}")), bytes).unwrap();
        let (reason, help) = refusal(&folder);
        assert_eq!(reason, format!("is made for {name}, this is Linux"));
        assert_eq!(help, "get it, or build it, for Linux");
    }
}

#[test]
fn a_segment_beyond_the_end_is_a_truncated_file() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) = plugin(&folder, "segment", "") else { return };
    let mut bytes = fs::read(&path).unwrap();
    // The program headers begin where the ELF header says; the first loaded one gets a size that
    // reaches far beyond the file.
    let table = u64::from_le_bytes(bytes[32..40].try_into().unwrap()) as usize;
    let header = (0..64).map(|index| table + 56 * index).find(|&at| bytes[at] == 1).unwrap();
    bytes[header + 32..header + 40].copy_from_slice(&(1_u64 << 30).to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let (reason, _) = refusal(&folder);
    assert!(reason.starts_with("is truncated: it should have at least 1073741824"), "{reason}");
}
