//! `docs/benchmarks.md`: what was measured, in words, tables and plots.

use std::fmt::Write;

use super::{Finding, Findings, projection};
use crate::{contest::Comparison, machine::Build, report, sample::Unit};

const METHOD: &str = include_str!("../../notes/method.md");
const GROWTH: &str = include_str!("../../notes/growth.md");

/// The plot of a comparison, if its figures can be drawn.
pub(super) fn plot(comparison: &Comparison) -> Option<String> {
    report::curve(comparison).or_else(|| report::bars(comparison))
}

/// The whole document.
pub(super) fn document(findings: &Findings) -> String {
    let mut text = String::from(
        "# Benchmarks\n\nWritten by `cargo run --release -p bench -- compare` alone: what is changed here by hand is lost. Every round, \
         with all figures of it, stands in [benchmarks.json](benchmarks.json).\n\n",
    );
    let machine = &findings.machine;
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "Measured on {} cores of {}, {:.0} GiB of memory, Linux {}; {}.\n\n{METHOD}\n",
        machine.cores, machine.processor, machine.memory_gib, machine.kernel, machine.pinning,
    );
    participants(findings, &mut text);
    let (curves, contests): (Vec<_>, Vec<_>) =
        findings.contests.iter().partition(|finding| finding.comparison.growing.is_some());
    for contest in contests {
        section(contest, "##", &mut text);
    }
    if !curves.is_empty() {
        let _ = write!(text, "## How cost grows\n\n{GROWTH}\n");
        for curve in curves {
            section(curve, "###", &mut text);
        }
    }
    if let Some(projection) = projection::project(findings) {
        let _ = write!(text, "## On paper: a million sessions\n\n{projection}");
    }
    text
}

/// Who took part, and who did not.
fn participants(findings: &Findings, text: &mut String) {
    if !findings.peers.is_empty() {
        text.push_str("## Who takes part\n\n| peer | version | set up |\n|---|---|---|\n");
        for peer in &findings.peers {
            let _ = writeln!(text, "| {} | {} | {} |", peer.name, cell(&peer.version), cell(&peer.notes));
        }
        text.push('\n');
    }
    if !findings.missing.is_empty() {
        text.push_str("Not there, and why:\n\n");
        for (name, reason) in &findings.missing {
            let _ = writeln!(text, "- {name}: {reason}");
        }
        text.push('\n');
    }
}

/// A text of several lines, or with bars, in one cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn section(Finding { build, comparison }: &Finding, level: &str, text: &mut String) {
    let Comparison { name, title, note, seconds, .. } = comparison;
    let rounds = comparison.entries.iter().map(|entry| entry.rounds.len()).max().unwrap_or_default();
    let Build { commit, day } = build;
    let _ = write!(text, "{level} {title}\n\n{note} {rounds} rounds of {seconds} s, {day}, commit {commit}.\n\n");
    if plot(comparison).is_some() {
        let _ = write!(text, "![{title}](benchmarks/{name}.svg)\n\n");
    }
    text.push_str(&report::table(comparison));
    text.push('\n');
    for entry in &comparison.entries {
        if let Some(reason) = entry.failure() {
            let _ = write!(text, "{}: a round failed: {}\n\n", entry.label, cell(reason));
        }
        if entry.is_faulty() {
            let _ = write!(text, "{}: deliveries were lost, doubled or went astray.\n\n", entry.label);
        }
    }
    let ranges: Vec<_> = comparison.entries.iter().filter_map(|entry| range(comparison, entry)).collect();
    if !ranges.is_empty() {
        let _ = write!(text, "Of all rounds: {}.\n\n", ranges.join("; "));
    }
}

/// The least and the most of the figure that counts, which quartiles do not show.
fn range(comparison: &Comparison, entry: &crate::contest::Entry) -> Option<String> {
    let column = comparison.first_column()?;
    let spread = entry.spread(column)?;
    let unit: Unit = column.unit;
    Some(format!("{} {} to {} in {}", entry.label, unit.write(spread.least), unit.write(spread.most), spread.rounds))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{compare::Participant, contest::tests::comparison, machine::Machine};

    #[test]
    fn the_document_says_who_took_part_who_did_not_and_what_came_out() {
        let findings = Findings {
            machine: Machine {
                processor: "a processor".to_owned(),
                cores: 2,
                memory_gib: 24.0,
                kernel: "6.1".to_owned(),
                pinning: "nothing is pinned".to_owned(),
            },
            peers: vec![Participant {
                name: "ws".to_owned(),
                version: "8".to_owned(),
                notes: "one\nprocess".to_owned(),
            }],
            missing: BTreeMap::from([("artemis".to_owned(), "there is no Java".to_owned())]),
            contests: vec![Finding {
                build: Build { commit: "abc".to_owned(), day: "2026-11-28".to_owned() },
                comparison: comparison(&[Some(80_000.0)], &[Some(100_000.0)]),
            }],
        };
        let text = document(&findings);
        for part in [
            "| ws | 8 | one process |",
            "- artemis: there is no Java",
            "(benchmarks/fan-out.svg)",
            "| parlor | 80 k",
            "One to many. 1 rounds of 3 s, 2026-11-28, commit abc.",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }
}
