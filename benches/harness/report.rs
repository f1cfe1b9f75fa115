//! Report: tables in Markdown.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::function::{BATCH, Kind, Maker, Sample, Samples, count, of};
use crate::instructions::each;
use crate::place::Place;
use crate::statistics::median;

/// Describes the measurements and the machine.
pub(crate) fn head(rounds: usize, invocations: usize) -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "# Measured\n\nWritten by `benches/run`; [README.md](README.md) says what is measured.\n\n\
         {cores} cores ({}, {}). {rounds} processes of each function, each beside one of its floor; {invocations} \
         invocations of each (batches of {BATCH}: {}) in ten blocks by turns, after four blocks to warm up; medians, \
         and of ratios the median over the pairs. CPU time is the figure to trust.\n",
        model.trim_start_matches([' ', '\t', ':']),
        std::env::consts::ARCH,
        invocations / BATCH,
    )
}

/// One row of a table: its name, its value in a sample, its decimals, and the maximum excess over the baseline.
type Line = (&'static str, fn(&Sample) -> f64, usize, Option<f64>);

const LINES: [Line; 12] = [
    ("CPU an invocation, µs", |it| it.cpu, 0, Some(1.15)),
    ("wall an invocation, µs", |it| it.wall, 0, None),
    (
        "start to first `next`, ms",
        |it| it.start / 1000.0,
        2,
        Some(1.10),
    ),
    ("its CPU, ms", |it| it.start_cpu / 1000.0, 2, None),
    ("first invocation, ms", |it| it.first / 1000.0, 2, None),
    (
        "with TLS: start and first invocation, ms",
        |it| (it.secure_start + it.secure_first) / 1000.0,
        2,
        Some(1.10),
    ),
    ("its CPU, ms", |it| it.secure_cpu / 1000.0, 2, None),
    ("peak memory, MiB", |it| it.memory / 1024.0, 1, Some(1.3)),
    (
        "memory at the end that is no file's, MiB",
        |it| it.anonymous_memory / 1024.0,
        1,
        None,
    ),
    (
        "AWS calls",
        |it| count(it.counts.calls.values().sum()) / count(it.counted),
        1,
        None,
    ),
    (
        "their bytes",
        |it| count(it.counts.sent) / count(it.counted),
        0,
        None,
    ),
    (
        "write and read units",
        |it| count(it.counts.units.write + it.counts.units.read) / count(it.counted),
        1,
        None,
    ),
];

/// Formats the functions and the baseline.
pub(crate) fn functions(place: &Place, samples: &Samples) -> String {
    let mut page = String::new();
    let hello = &samples[&(Kind::Hello, Maker::Floor)];
    for kind in [Kind::Submit, Kind::Worker, Kind::Status] {
        let batch = if kind == Kind::Worker {
            ", a batch of 10"
        } else {
            ""
        };
        _ = write!(
            page,
            "\n## {}{batch}\n\n| | hello | floor | Cloakroom | ratio | goal |\n|---|--:|--:|--:|--:|--:|\n",
            kind.name()
        );
        for (what, figure, digits, goal) in LINES {
            let [floors, ours] = [Maker::Floor, Maker::Ours].map(|maker| &samples[&(kind, maker)]);
            let ratio = median(
                floors
                    .iter()
                    .zip(ours)
                    .map(|(floor, ours)| figure(ours) / figure(floor)),
            );
            let (floor, ours) = (of(floors, figure), of(ours, figure));
            let hello = of(hello, figure);
            let hello = if hello > 0.0 {
                format!("{hello:.digits$}")
            } else {
                String::new()
            };
            let goal = goal.map_or_else(String::new, |goal| format!("{goal:.2}"));
            _ = writeln!(
                page,
                "| {what} | {hello} | {floor:.digits$} | {ours:.digits$} | {ratio:.2} | {goal} |"
            );
        }
        let instructions = |maker, kind| each(place, maker, kind).map(|n| n / 1000);
        if let (Some(hello), Some(floor), Some(ours)) = (
            instructions(Maker::Floor, Kind::Hello),
            instructions(Maker::Floor, kind),
            instructions(Maker::Ours, kind),
        ) {
            #[expect(clippy::cast_precision_loss, reason = "millions")]
            let ratio = ours as f64 / floor as f64;
            _ = writeln!(
                page,
                "| instructions an invocation, thousands | {hello} | {floor} | {ours} | {ratio:.2} | |"
            );
        }
    }
    page
}

/// Formats the sizes of the deployed programs.
pub(crate) fn sizes(place: &Place) -> String {
    const PROGRAMS: [&str; 10] = [
        "submit",
        "worker",
        "status",
        "dead-letters",
        "sweeper",
        "notify",
        "floor-submit",
        "floor-worker",
        "floor-status",
        "floor-hello",
    ];
    let mut page =
        "\n## Sizes\n\n| | program, MB | `zip -9`, MB | goal |\n|---|--:|--:|--:|\n".to_owned();
    for name in PROGRAMS {
        let program = place.program(name);
        let Ok(plain) = fs::metadata(&program).map(|it| it.len()) else {
            continue;
        };
        let goal = if name.starts_with("floor") {
            ""
        } else {
            "4.00"
        };
        _ = writeln!(
            page,
            "| {name} | {:.2} | {:.2} | {goal} |",
            mb(plain),
            mb(zipped(&program))
        );
    }
    page
}

fn zipped(program: &Path) -> u64 {
    let zip = program.with_extension("bench.zip");
    _ = fs::remove_file(&zip);
    let made = Command::new("zip")
        .arg("-9qj")
        .arg(&zip)
        .arg(program)
        .status()
        .expect("zip runs");
    assert!(made.success());
    let length = fs::metadata(&zip).expect("it was made").len();
    _ = fs::remove_file(&zip);
    length
}

#[expect(clippy::cast_precision_loss, reason = "files are small")]
fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
