//! Medians and quartiles of a few rounds.

use serde::Serialize;

/// How the values of several rounds lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) rounds: usize,
    pub(crate) least: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) median: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of values in any order; none where there are none.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            rounds: values.len(),
            least: *values.first()?,
            lower_quartile: quantile(&values, 0.25),
            median: quantile(&values, 0.5),
            upper_quartile: quantile(&values, 0.75),
            most: *values.last()?,
        })
    }
}

/// Of sorted values, at least one; between two of them, in proportion.
fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    sorted[below] + (sorted[above] - sorted[below]) * (place - place.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_lie_between_values() {
        let spread = Spread::of([4.0, 1.0, 3.0, 2.0]).expect("there are values");
        assert_eq!((spread.lower_quartile, spread.median, spread.upper_quartile), (1.75, 2.5, 3.25));
        assert_eq!((spread.least, spread.most, spread.rounds), (1.0, 4.0, 4));
    }

    #[test]
    fn of_one_value_all_are_that_and_of_none_there_is_nothing() {
        let spread = Spread::of([7.0]).expect("there is a value");
        assert_eq!((spread.lower_quartile, spread.median, spread.upper_quartile), (7.0, 7.0, 7.0));
        assert_eq!(Spread::of([]), None);
    }
}
