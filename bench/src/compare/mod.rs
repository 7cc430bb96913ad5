//! `bench compare`: all contests, with all peers that can be installed, into `docs/benchmarks.*`.

mod document;
mod projection;

use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    contest::{Comparison, Contest, Entry, Pool, Rounds},
    cores::Cores,
    machine::{Build, Machine},
    program, report,
    scenario::BODY,
    subject::{LIMIT, LIMIT_COALESCING, LIMIT_ECHO, Peer, Programs, Subject},
};

/// Every round of every contest, in the folder of the document.
const JSON: &str = "benchmarks.json";

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
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Findings {
    pub(crate) machine: Machine,
    pub(crate) peers: Vec<Participant>,
    /// Peers that could not be installed, and why.
    pub(crate) missing: BTreeMap<String, String>,
    pub(crate) contests: Vec<Finding>,
}

/// What one contest gave.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Finding {
    /// Contests of one file may have been held at different times.
    pub(crate) build: Build,
    pub(crate) comparison: Comparison,
}

/// A peer that took part.
#[derive(Clone, Debug, Deserialize, Serialize)]
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
    // Before peers are installed, which takes minutes.
    let known: Vec<_> =
        contests(&[], programs, wishes.subscribers)?.into_iter().map(|(contest, _)| contest.name).collect();
    for name in &wishes.only {
        if !known.iter().any(|contest| is_called(contest, name)) {
            return Err(format!("There is no contest {name}. There are: {}.", known.join(", ")).into());
        }
    }
    let build = Build::describe();
    let mut findings = before(&wishes.output, Machine::describe(cores))?;
    let peers = install(wishes, programs, &mut findings, tell)?;
    let mut pool = Pool::new(cores);
    let contests = contests(&peers, programs, wishes.subscribers)?;
    let order: Vec<_> = contests.iter().map(|(contest, _)| contest.name.clone()).collect();
    for (contest, has_peers) in contests {
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
        findings.enter(Finding { build: build.clone(), comparison }, &order);
        write(&findings, &wishes.output)?;
    }
    Ok(())
}

/// What the files say that are there already: contests that are not held now stay, with the commit and the day that they are
/// of. Nothing is taken over from another machine.
fn before(output: &Path, machine: Machine) -> Result<Findings, Box<dyn Error>> {
    let fresh = Findings { machine, peers: Vec::new(), missing: BTreeMap::new(), contests: Vec::new() };
    if !output.join(JSON).exists() {
        return Ok(fresh);
    }
    let written = read(output)?;
    Ok(if written.machine == fresh.machine { written } else { fresh })
}

/// Writes the document and its plots anew, of what was measured before, on whichever machine.
pub(crate) fn render(output: &Path) -> Result<(), Box<dyn Error>> {
    write_document(&read(output)?, output)
}

fn read(output: &Path) -> Result<Findings, Box<dyn Error>> {
    let path = output.join(JSON);
    let text = fs::read_to_string(&path).map_err(|error| format!("{} cannot be read: {error}", path.display()))?;
    let findings = serde_json::from_str(&text)
        .map_err(|error| format!("{} cannot be gone on with: {error}. Remove it to begin anew.", path.display()))?;
    Ok(findings)
}

impl Findings {
    /// Puts a contest in its place, or in that of an earlier one of its name.
    fn enter(&mut self, finding: Finding, order: &[String]) {
        self.contests.retain(|other| other.comparison.name != finding.comparison.name);
        self.contests.push(finding);
        // One that there is no more has no place.
        self.contests.retain(|other| order.contains(&other.comparison.name));
        self.contests.sort_by_key(|other| order.iter().position(|name| *name == other.comparison.name));
    }

    /// A contest's outcome.
    pub(crate) fn comparison(&self, name: &str) -> Option<&Comparison> {
        self.contests.iter().map(|finding| &finding.comparison).find(|comparison| comparison.name == name)
    }
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
                findings.missing.remove(&name);
                findings.peers.retain(|other| other.name != name);
                findings.peers.push(Participant { name, version, notes });
                subjects.push(Subject::peer(&peer));
            }
            Err(missing) => {
                tell(&missing.to_string());
                findings.missing.insert(missing.name, missing.reason);
            }
        }
    }
    findings.peers.sort_by_key(|peer| peer.name.to_lowercase());
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
        program::awake(&all, subscribers),
        program::burst(&together, subscribers),
        program::rate(&all, subscribers, None),
        program::idle(&all, 10_000),
    ];
    let own = [
        program::interactive(&ours, subscribers),
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

/// Writes every round as JSON, and the document.
fn write(findings: &Findings, output: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(output)?;
    fs::write(output.join(JSON), serde_json::to_string_pretty(findings)? + "\n")?;
    write_document(findings, output)
}

/// Writes the document and its plots.
fn write_document(findings: &Findings, output: &Path) -> Result<(), Box<dyn Error>> {
    let plots = output.join("benchmarks");
    fs::create_dir_all(&plots)?;
    for Finding { comparison, .. } in &findings.contests {
        if let Some(svg) = document::plot(comparison) {
            fs::write(plots.join(format!("{}.svg", comparison.name)), svg)?;
        }
    }
    Ok(fs::write(output.join("benchmarks.md"), document::document(findings))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::tests;

    fn machine(cores: usize) -> Machine {
        let [processor, kernel, pinning] = ["a processor", "6.1", "nothing is pinned"].map(str::to_owned);
        Machine { processor, cores, memory_gib: 24.0, kernel, pinning }
    }

    fn finding(name: &str, commit: &str) -> Finding {
        let comparison = Comparison { name: name.to_owned(), ..tests::comparison(&[Some(1.0), None], &[Some(2.0)]) };
        Finding { build: Build { commit: commit.to_owned(), day: "2026-11-28".to_owned() }, comparison }
    }

    #[test]
    fn what_is_not_measured_anew_stays_and_says_of_which_commit_it_is() {
        let output = std::env::temp_dir().join(format!("parlor-bench-{}", std::process::id()));
        let order = ["fan-out", "burst"].map(str::to_owned);
        let mut findings = before(&output, machine(2)).expect("there is nothing");
        findings.enter(finding("burst", "old"), &order);
        findings.contests.push(finding("retired", "old"));
        findings.enter(finding("fan-out", "old"), &order);
        write(&findings, &output).expect("the folder can be written");
        let mut findings = before(&output, machine(2)).expect("what was written can be read");
        findings.enter(finding("burst", "new"), &order);
        let seen = |findings: &Findings| -> Vec<_> {
            let each = |Finding { build, comparison }: &Finding| (comparison.name.clone(), build.commit.clone());
            findings.contests.iter().map(each).collect()
        };
        let [old, new] = [("fan-out", "old"), ("burst", "new")].map(|(name, of)| (name.to_owned(), of.to_owned()));
        assert_eq!(seen(&findings), [old, new]);
        assert_eq!(findings.contests[0].comparison.entries[0].rounds, finding("", "").comparison.entries[0].rounds);
        assert!(before(&output, machine(4)).expect("it can be read").contests.is_empty(), "another machine");
        fs::remove_dir_all(&output).expect("it was written here");
    }

    #[test]
    fn a_contest_is_called_by_its_name_or_its_kind() {
        assert!(is_called("fan-out-1000", "fan-out-1000"));
        assert!(is_called("curve-ids", "curve"));
        assert!(!is_called("fan-out-10000", "fan-out-1000"));
    }
}
