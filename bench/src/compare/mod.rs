//! `bench compare`: all contests, with all peers that can be installed, into `docs/benchmarks.*`.

mod document;
mod projection;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{
    contest::{Comparison, Contest, Entry, Pool, Rounds},
    cores::Cores,
    machine::Machine,
    program, report,
    scenario::BODY,
    subject::{LIMIT, LIMIT_COALESCING, LIMIT_ECHO, Peer, Programs, Subject},
};

/// What is to be compared.
#[derive(Clone, Debug)]
pub(crate) struct Wishes {
    pub(crate) rounds: Rounds,
    /// Subscribers of the contests that peers take part in.
    pub(crate) subscribers: usize,
    /// Peers by the names of their folders; all if there are none.
    pub(crate) subjects: Vec<String>,
    /// Contests by name, or by what stands before a hyphen of it; all if there are none.
    pub(crate) only: Vec<String>,
    /// The folder of `benchmarks.md`.
    pub(crate) output: PathBuf,
}

/// All that was found out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Findings {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) peers: Vec<Participant>,
    /// Peers that could not be installed, and why.
    pub(crate) missing: BTreeMap<String, String>,
    pub(crate) comparisons: Vec<Comparison>,
}

/// A peer that took part.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Participant {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) notes: String,
}

/// Compares, and writes after each contest what there is by then.
pub(crate) fn compare(
    wishes: &Wishes,
    programs: &Programs,
    cores: Cores,
    tell: &mut dyn FnMut(&str),
) -> Result<(), Box<dyn Error>> {
    let mut findings = Findings {
        machine: Machine::describe(cores),
        rounds: wishes.rounds.rounds,
        peers: Vec::new(),
        missing: BTreeMap::new(),
        comparisons: Vec::new(),
    };
    let peers = install(wishes, programs, &mut findings, tell)?;
    let mut pool = Pool::new(cores);
    for (contest, has_peers) in contests(&peers, programs, wishes.subscribers)? {
        let wanted = wishes.only.is_empty() || wishes.only.iter().any(|name| is_called(&contest.name, name));
        if !wanted {
            continue;
        }
        let mut comparison = contest.hold_alone(wishes.rounds, &mut pool, tell);
        if has_peers {
            // A dash for whoever is not there.
            comparison.entries.extend(findings.missing.keys().map(|name| Entry::new(name, name, None)));
        }
        tell(&format!("\n{}\n\n{}", comparison.title, report::table(&comparison)));
        findings.comparisons.push(comparison);
        write(&findings, &wishes.output)?;
    }
    Ok(())
}

/// The peers that are there now.
fn install(
    wishes: &Wishes,
    programs: &Programs,
    findings: &mut Findings,
    tell: &mut dyn FnMut(&str),
) -> Result<Vec<Subject>, Box<dyn Error>> {
    let mut subjects = Vec::new();
    for peer in Peer::all(&programs.peers)? {
        if !wishes.subjects.is_empty() && !wishes.subjects.iter().any(|name| name == peer.folder_name()) {
            continue;
        }
        tell(&format!("installing {}", peer.name));
        match peer.install() {
            Ok(()) => {
                let (name, version, notes) = (peer.name.clone(), peer.version(), peer.notes.trim().to_owned());
                findings.peers.push(Participant { name, version, notes });
                subjects.push(Subject::peer(&peer));
            }
            Err(missing) => {
                tell(&missing.to_string());
                findings.missing.insert(missing.name, missing.reason);
            }
        }
    }
    Ok(subjects)
}

/// All contests in the order of the document, and whether peers take part.
fn contests(
    peers: &[Subject],
    programs: &Programs,
    subscribers: usize,
) -> Result<Vec<(Contest, bool)>, Box<dyn Error>> {
    let (echoes, peers): (Vec<_>, Vec<_>) = peers.iter().cloned().partition(|peer| peer.language.dialect == "raw-echo");
    let parlor = Subject::parlor(programs);
    let limit = Subject::limit(LIMIT)?;
    let coalescing = Subject::limit(LIMIT_COALESCING)?;
    let echoes = [vec![Subject::limit(LIMIT_ECHO)?], echoes].concat();
    let ours = vec![parlor.clone(), limit.clone()];
    let all = [ours.clone(), peers.clone()].concat();
    let together = [vec![parlor.clone(), coalescing], peers].concat();
    let open = [
        program::fan_out(&all, subscribers, 1, BODY),
        program::burst(&together, subscribers),
        program::rate(&all, subscribers, None),
        program::idle(&all, 10_000),
    ];
    let own = [
        program::fan_out(&ours, 10_000, 1, BODY),
        program::idle(&ours, 19_000),
        program::rooms(&ours, 1000, 10),
        program::neighbours(&ours),
        program::connects(&ours),
        program::topic_churn(&ours),
        program::kinds(&parlor, subscribers),
        program::sse(&parlor, subscribers),
        program::handlers(&parlor, &echoes, 100),
    ];
    let curves = program::curves(&parlor, &limit);
    let own = own.into_iter().chain(curves).map(|contest| (contest, false));
    Ok(open.into_iter().map(|contest| (contest, true)).chain(own).collect())
}

/// Whether a contest has this name, or one that goes on behind a hyphen: `curve` are all curves.
fn is_called(contest: &str, name: &str) -> bool {
    contest.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// Writes the document, its plots, and every round as JSON.
fn write(findings: &Findings, output: &Path) -> Result<(), Box<dyn Error>> {
    let plots = output.join("benchmarks");
    fs::create_dir_all(&plots)?;
    for comparison in &findings.comparisons {
        if let Some(svg) = document::plot(comparison) {
            fs::write(plots.join(format!("{}.svg", comparison.name)), svg)?;
        }
    }
    fs::write(output.join("benchmarks.json"), serde_json::to_string_pretty(findings)? + "\n")?;
    fs::write(output.join("benchmarks.md"), document::document(findings))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contest_is_called_by_its_name_or_its_kind() {
        assert!(is_called("fan-out-1000", "fan-out-1000"));
        assert!(is_called("curve-ids", "curve"));
        assert!(!is_called("fan-out-10000", "fan-out-1000"));
    }
}
