#![allow(clippy::unwrap_used)]

mod frames;
mod golden;
mod hostile;
mod properties;
mod spec;

/// The frames of a golden file: each term's text with its encodings.
fn golden(file: &'static str) -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let mut frames: Vec<(&str, Vec<Vec<u8>>)> = Vec::new();
    for line in file.lines().filter(|line| !line.starts_with('%')) {
        match line.strip_prefix("    ") {
            Some(hex) => frames.last_mut().unwrap().1.push(bytes(hex)),
            None => frames.push((line.strip_suffix('.').unwrap(), Vec::new())),
        }
    }
    frames
}

fn commands() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    golden(include_str!("../../../tests/golden/commands.txt"))
}

fn events() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    golden(include_str!("../../../tests/golden/events.txt"))
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// The bytes of a golden command, in its last encoding.
fn command(term: &str) -> Vec<u8> {
    let (_, encodings) = commands()
        .into_iter()
        .find(|(text, _)| *text == term)
        .unwrap();
    encodings.last().unwrap().clone()
}
