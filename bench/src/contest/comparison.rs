//! The outcome of a contest: every round of everyone, and what is made of them.

use serde::{Deserialize, Serialize};

use crate::{
    sample::{Column, DISORDERED, Sample},
    statistics::Spread,
};

/// All rounds of a contest.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Comparison {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) note: String,
    /// How long each round was.
    pub(crate) seconds: f64,
    /// What is shown, the figure that counts first.
    pub(crate) columns: Vec<Column>,
    /// Whom the others are divided by.
    pub(crate) reference: Option<String>,
    /// What grows along a curve.
    pub(crate) growing: Option<String>,
    pub(crate) entries: Vec<Entry>,
}

/// One contestant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Entry {
    pub(crate) label: String,
    pub(crate) subject: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) point: Option<Point>,
    /// A round that went before and does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) warm_up: Option<Round>,
    pub(crate) rounds: Vec<Round>,
}

/// A place on a curve.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Point {
    pub(crate) series: String,
    /// How much there is of what grows.
    pub(crate) place: f64,
}

/// What one round gave.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Round {
    /// Why there are no figures.
    Failed(String),
    /// Figures.
    Figures(Sample),
}

impl Round {
    /// Its figures, if it has any.
    pub(crate) fn sample(&self) -> Option<&Sample> {
        match self {
            Self::Figures(sample) => Some(sample),
            Self::Failed(_) => None,
        }
    }
}

impl From<Result<Sample, String>> for Round {
    fn from(outcome: Result<Sample, String>) -> Self {
        match outcome {
            Ok(sample) => Self::Figures(sample),
            Err(reason) => Self::Failed(reason),
        }
    }
}

impl Entry {
    pub(crate) fn new(label: &str, subject: &str, point: Option<Point>) -> Self {
        Self { label: label.to_owned(), subject: subject.to_owned(), point, warm_up: None, rounds: Vec::new() }
    }

    /// How a figure lies over the rounds that have it.
    pub(crate) fn spread(&self, column: Column) -> Option<Spread> {
        Spread::of(self.rounds.iter().filter_map(|round| round.sample()?.get(column)))
    }

    /// Why a round failed, if one did.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.rounds.iter().find_map(|round| match round {
            Round::Failed(reason) => Some(reason.as_str()),
            Round::Figures(_) => None,
        })
    }

    /// Whether something was lost, doubled or went astray.
    pub(crate) fn is_faulty(&self) -> bool {
        self.rounds.iter().filter_map(Round::sample).any(Sample::is_faulty)
    }

    /// Whether something overtook what the same publisher had sent to the same destination before.
    pub(crate) fn is_disordered(&self) -> bool {
        self.spread(DISORDERED).is_some_and(|spread| spread.most > 0.0)
    }
}

impl Comparison {
    /// The figure that counts.
    pub(crate) fn first_column(&self) -> Option<Column> {
        self.columns.first().copied()
    }

    /// An entry's figure that counts, divided by the reference's of the same round.
    pub(crate) fn ratio(&self, entry: &Entry) -> Option<Spread> {
        let column = self.first_column()?;
        let reference = self.reference.as_ref().and_then(|label| self.entry(label))?;
        let rounds = entry.rounds.iter().zip(&reference.rounds);
        Spread::of(rounds.filter_map(|(one, other)| Some(one.sample()?.get(column)? / other.sample()?.get(column)?)))
    }

    /// The entry of a label.
    pub(crate) fn entry(&self, label: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.label == label)
    }

    /// The names of the curves, in their order.
    pub(crate) fn series(&self) -> Vec<&str> {
        let mut series: Vec<&str> = Vec::new();
        for point in self.entries.iter().filter_map(|entry| entry.point.as_ref()) {
            if !series.contains(&point.series.as_str()) {
                series.push(&point.series);
            }
        }
        series
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::sample::{LOST, PER_CPU_SECOND};

    /// Two contestants with these deliveries per CPU-second in their rounds; nothing for a round that failed.
    pub(crate) fn comparison(one: &[Option<f64>], reference: &[Option<f64>]) -> Comparison {
        let entry = |label: &str, values: &[Option<f64>]| {
            let mut entry = Entry::new(label, label, None);
            entry.rounds = values
                .iter()
                .map(|value| match value {
                    Some(value) => {
                        let mut sample = Sample::default();
                        sample.set(PER_CPU_SECOND, *value);
                        sample.set(LOST, 0.0);
                        Round::Figures(sample)
                    }
                    None => Round::Failed("it did not answer".to_owned()),
                })
                .collect();
            entry
        };
        Comparison {
            name: "fan-out".to_owned(),
            title: "Fan-out".to_owned(),
            note: "One to many.".to_owned(),
            seconds: 3.0,
            columns: vec![PER_CPU_SECOND, LOST],
            reference: Some("limit".to_owned()),
            growing: None,
            entries: vec![entry("parlor", one), entry("limit", reference)],
        }
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        let comparison = comparison(&[Some(80.0), None, Some(300.0)], &[Some(100.0), Some(1.0), Some(200.0)]);
        let ratio = comparison.ratio(&comparison.entries[0]).expect("two rounds have both");
        assert_eq!((ratio.rounds, ratio.least, ratio.most), (2, 0.8, 1.5));
    }

    #[test]
    fn a_failed_round_is_kept_with_its_reason() {
        let comparison = comparison(&[None], &[Some(1.0)]);
        assert_eq!(comparison.entries[0].failure(), Some("it did not answer"));
        assert_eq!(comparison.entries[0].spread(PER_CPU_SECOND), None);
    }
}
