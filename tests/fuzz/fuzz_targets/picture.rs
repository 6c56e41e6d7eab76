#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| convscope_fuzz::targets::picture(bytes));
