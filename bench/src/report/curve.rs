//! How a figure changes while something grows: a line for each series, both axes logarithmic, so that what grows in
//! proportion is straight.

use super::svg::{Anchor, Drawing, SERIES, WIDTH};
use crate::{contest::Comparison, sample::Unit};

const HEIGHT: f64 = 380.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = WIDTH - 140.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = HEIGHT - 50.0;

/// An axis of powers.
struct Axis {
    /// The logarithms of its ends.
    from: f64,
    to: f64,
    start: f64,
    end: f64,
}

impl Axis {
    /// An axis around values, from whole power to whole power of ten.
    fn around(values: &[f64], start: f64, end: f64) -> Self {
        let logarithms = values.iter().map(|value| value.log10());
        let from = logarithms.clone().fold(f64::INFINITY, f64::min).floor();
        let to = logarithms.fold(f64::NEG_INFINITY, f64::max).ceil();
        Self { from, to: to.max(from + 1.0), start, end }
    }

    fn place(&self, value: f64) -> f64 {
        self.start + (value.log10() - self.from) / (self.to - self.from) * (self.end - self.start)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        (self.from as i32..=self.to as i32).map(|power| 10_f64.powi(power))
    }
}

/// The figure that counts, as curves; none where contestants are no points.
pub(crate) fn curve(comparison: &Comparison) -> Option<String> {
    let (column, growing) = (comparison.first_column()?, comparison.growing.as_deref()?);
    let points: Vec<_> = comparison
        .entries
        .iter()
        .filter_map(|entry| Some((entry.point.as_ref()?, entry.spread(column)?)))
        .filter(|(point, spread)| point.place > 0.0 && spread.least > 0.0)
        .collect();
    if points.is_empty() {
        return None;
    }
    let across = Axis::around(&points.iter().map(|(point, _)| point.place).collect::<Vec<_>>(), LEFT, RIGHT);
    let values: Vec<_> = points.iter().flat_map(|(_, spread)| [spread.lower_quartile, spread.upper_quartile]).collect();
    let up = Axis::around(&values, BOTTOM, TOP);
    let mut drawing = Drawing::new(&comparison.title, HEIGHT);
    drawing.text(12.0, 42.0, "s", Anchor::Start, &format!("{} (up), {growing} (across)", column.title));
    for power in across.powers() {
        let x = across.place(power);
        drawing.line((x, TOP), (x, BOTTOM), "g");
        drawing.text(x, BOTTOM + 18.0, "s", Anchor::Middle, &Unit::Count.write(power));
    }
    for power in up.powers() {
        let y = up.place(power);
        drawing.line((LEFT, y), (RIGHT, y), "g");
        drawing.text(LEFT - 8.0, y + 4.0, "s", Anchor::End, &column.unit.write(power));
    }
    for (number, series) in comparison.series().into_iter().enumerate() {
        let class = format!("c{}", number % SERIES);
        let mut line = Vec::new();
        for (point, spread) in points.iter().filter(|(point, _)| point.series == series) {
            let x = across.place(point.place);
            drawing.line((x, up.place(spread.lower_quartile)), (x, up.place(spread.upper_quartile)), &class);
            drawing.dot((x, up.place(spread.median)), &class);
            line.push((x, up.place(spread.median)));
        }
        if let Some((x, y)) = line.last() {
            drawing.text(x + 10.0, y + 4.0, "", Anchor::Start, series);
        }
        drawing.path(&line, &class);
    }
    Some(drawing.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::{Point, tests::comparison};

    #[test]
    fn powers_of_ten_are_equally_far_apart() {
        let axis = Axis::around(&[100.0, 10_000.0], 0.0, 200.0);
        assert_eq!([100.0, 1000.0, 10_000.0].map(|value| axis.place(value)), [0.0, 100.0, 200.0]);
        assert_eq!(axis.powers().count(), 3);
    }

    #[test]
    fn each_series_is_a_line() {
        let mut comparison = comparison(&[Some(100_000.0)], &[Some(200_000.0)]);
        assert_eq!(curve(&comparison), None, "nothing grows");
        comparison.growing = Some("subscribers".to_owned());
        for (entry, place) in comparison.entries.iter_mut().zip([100.0, 1000.0]) {
            entry.point = Some(Point { series: "parlor".to_owned(), place });
        }
        let svg = curve(&comparison).expect("there are points");
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("<circle").count(), 2);
    }
}
