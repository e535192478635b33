use proptest::prelude::*;

use super::*;

const KERNEL_TEXT: &str = "Name:\tcat\nUmask:\t0022\nState:\tR (running)\nTgid:\t4711\nNgid:\t0\n\
    Pid:\t4711\nPPid:\t4242\nTracerPid:\t0\nUid:\t0\t1\t2\t3\nGid:\t4\t5\t6\t7\nFDSize:\t64\n\
    Groups:\t0 20 4294967294 \nNStgid:\t4711\nKthread:\t0\nVmPeak:\t    3232 kB\n\
    CoreDumping:\t0\nTHP_enabled:\t1\nThreads:\t1\nSigQ:\t0/7703\nSigPnd:\t0000000000000000\n\
    SigCgt:\t0000000000000000\nCapInh:\t0000000000000001\nCapPrm:\t000001fffeffffff\n\
    CapEff:\t000001fffeffffff\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000002\n\
    NoNewPrivs:\t0\nSeccomp:\t0\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n\
    Mems_allowed:\t00000000,00000001\nvoluntary_ctxt_switches:\t0\n";

const MINIMAL: &str = "CapInh:\t1\nCapPrm:\t2\nCapEff:\t3\nCapBnd:\t4\nCapAmb:\t5\n";

#[test]
fn a_text_of_the_kernel() {
    let status = parse(KERNEL_TEXT.as_bytes()).unwrap();
    assert_eq!(status.inheritable.bits(), 1);
    assert_eq!(status.permitted.bits(), 0x1ff_feff_ffff);
    assert_eq!(status.effective.bits(), 0x1ff_feff_ffff);
    assert_eq!(status.bounding.bits(), 0x1ff_ffff_ffff);
    assert_eq!(status.ambient.bits(), 2);
    assert_eq!(status.no_new_privs, Some(false));
    assert_eq!(status.name, Some(b"cat".to_vec()));
    assert_eq!(status.ppid, Some(4242));
    let uid = Ids {
        real: 0,
        effective: 1,
        saved: 2,
        fs: 3,
    };
    let gid = Ids {
        real: 4,
        effective: 5,
        saved: 6,
        fs: 7,
    };
    assert_eq!((status.uid, status.gid), (Some(uid), Some(gid)));
    assert_eq!(status.groups, Some(vec![0, 20, 4294967294]));
}

#[test]
fn what_the_kernel_does_not_tell_is_none() {
    let status = parse(MINIMAL.as_bytes()).unwrap();
    assert_eq!(status.no_new_privs, None);
    assert_eq!(status.name, None);
    assert_eq!(status.ppid, None);
    assert_eq!(status.uid, None);
    assert_eq!(status.groups, None);
}

#[test]
fn a_command_name_cannot_forge_a_line() {
    let text = format!("Name:\t\\nCapEff:\\\\ a\\t\n{MINIMAL}");
    let status = parse(text.as_bytes()).unwrap();
    assert_eq!(status.name, Some(b"\nCapEff:\\ a\\t".to_vec()));
    assert_eq!(status.effective.bits(), 3);
}

#[test]
fn each_missing_line_is_named() {
    for key in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        let without: String = MINIMAL
            .split_inclusive('\n')
            .filter(|line| !line.starts_with(key))
            .collect();
        assert_eq!(parse(without.as_bytes()), Err(StatusError::Missing(key)));
        assert_eq!(
            parse_caps(without.as_bytes()),
            Err(StatusError::Missing(key))
        );
    }
    assert_eq!(parse(b""), Err(StatusError::Missing("CapInh")));
}

#[test]
fn each_duplicate_line_is_named() {
    for line in MINIMAL.lines() {
        let twice = format!("{MINIMAL}Threads:\t1\n{line}\n");
        let key = StatusError::Duplicate(match &line[..6] {
            "CapInh" => "CapInh",
            "CapPrm" => "CapPrm",
            "CapEff" => "CapEff",
            "CapBnd" => "CapBnd",
            _ => "CapAmb",
        });
        assert_eq!(parse(twice.as_bytes()), Err(key));
    }
}

#[test]
fn malformed_sets_are_named() {
    for value in ["", " ", "g", "0x1", "1 2", "-1", "00000000000000001", "1\r"] {
        let text = MINIMAL.replace("CapBnd:\t4", &format!("CapBnd:\t{value}"));
        assert_eq!(
            parse_caps(text.as_bytes()),
            Err(StatusError::Malformed("CapBnd")),
            "{value:?}"
        );
    }
}

#[test]
fn malformed_other_lines_are_named() {
    let cases = [
        ("PPid:\tx", "PPid"),
        ("Uid:\t1 2 3", "Uid"),
        ("Gid:\t1 2 3 4 5", "Gid"),
        ("Uid:\t4294967296 0 0 0", "Uid"),
        ("Groups:\t1 +2", "Groups"),
        ("NoNewPrivs:\t2", "NoNewPrivs"),
    ];
    for (line, key) in cases {
        let text = format!("{line}\n{MINIMAL}");
        assert_eq!(
            parse(text.as_bytes()),
            Err(StatusError::Malformed(key)),
            "{line}"
        );
    }
}

#[test]
fn two_short_lines_are_not_taken_for_a_long_one() {
    // The second newline stands where that of a value of sixteen digits would.
    let text = b"CapInh:\tf4\nCapBnd:  FfF \nCapPrm: 2\nCapEff: 1\nCapAmb: 0\n";
    let state = parse_caps(text).unwrap();
    assert_eq!(
        (state.inheritable.bits(), state.bounding.bits()),
        (0xf4, 0xfff)
    );
}

#[test]
fn unknown_cap_lines_are_skipped() {
    let text = format!("CapNew:\tzz\nCap\nCapInhX:\t1\n xCapEff:\t9\n{MINIMAL}");
    assert_eq!(parse_caps(text.as_bytes()).unwrap().effective.bits(), 3);
}

#[test]
fn a_huge_text_is_read_in_one_pass() {
    let mut text = "\nC".repeat(2_000_000);
    text.push('\n');
    text.push_str(MINIMAL);
    assert_eq!(parse_caps(text.as_bytes()).unwrap().ambient.bits(), 5);
}

fn line(key: &'static str, bits: u64) -> impl Strategy<Value = String> {
    let blank = prop_oneof![Just("\t"), Just(" "), Just("  \t"), Just("")];
    let hex = prop_oneof![
        Just(format!("{bits:016x}")),
        Just(format!("{bits:X}")),
        Just(format!("{bits:x}"))
    ];
    (blank, hex).prop_map(move |(blank, hex)| format!("{key}:{blank}{hex}"))
}

fn filler() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-BD-Z][a-z]{1,9}:\t[ -~]{0,90}",
        "C[a-z]{1,9}:\t[ -~]{0,90}"
    ]
    .prop_filter("another key", |line| {
        !["Name:", "PPid:", "Uid:", "Gid:", "Groups:", "NoNewPrivs:"]
            .iter()
            .any(|key| line.starts_with(key))
    })
}

fn shuffled_text(sets: [u64; 5]) -> impl Strategy<Value = String> {
    let [inh, prm, eff, bnd, amb] = sets;
    let caps = (
        line("CapInh", inh),
        line("CapPrm", prm),
        line("CapEff", eff),
        line("CapBnd", bnd),
        line("CapAmb", amb),
    );
    (caps, prop::collection::vec(filler(), 0..12))
        .prop_map(|((a, b, c, d, e), mut lines)| {
            lines.extend([a, b, c, d, e]);
            lines
        })
        .prop_shuffle()
        .prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn order_blanks_and_case_do_not_matter(
        (sets, text) in any::<[u64; 5]>().prop_flat_map(|sets| (Just(sets), shuffled_text(sets)))
    ) {
        let state = parse_caps(text.as_bytes()).unwrap();
        let read = [state.inheritable, state.permitted, state.effective, state.bounding, state.ambient];
        prop_assert_eq!(read.map(CapSet::bits), sets);
        prop_assert_eq!(parse(text.as_bytes()).unwrap().state(), state);
    }

    #[test]
    fn no_bytes_panic(text: Vec<u8>, at in 0usize..MINIMAL.len()) {
        let _ = parse(&text);
        let mut broken = MINIMAL.as_bytes().to_vec();
        broken.splice(at..at, text);
        let _ = parse(&broken);
    }
}
