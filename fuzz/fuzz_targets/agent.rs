#![no_main]

libfuzzer_sys::fuzz_target!(
    init: linx_fuzz::agent::prepare(),
    |data: &[u8]| linx_fuzz::agent::agent(data)
);
