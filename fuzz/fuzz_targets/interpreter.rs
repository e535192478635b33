#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| linx_fuzz::interpreter(data));
