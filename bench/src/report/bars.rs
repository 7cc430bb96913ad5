//! A bar for each contestant, with its quartiles.

use super::svg::{Anchor, Drawing, WIDTH};
use crate::{contest::Comparison, subject};

/// Where bars begin, and where the longest one ends.
const LEFT: f64 = 220.0;
const RIGHT: f64 = WIDTH - 110.0;

/// Height of a row, and of the bar in it.
const ROW: f64 = 30.0;
const BAR: f64 = 16.0;

/// Where the first row begins.
const TOP: f64 = 56.0;

/// The figure that counts, as bars; the longest of them, or its upper quartile, fills the width.
pub(crate) fn bars(comparison: &Comparison) -> Option<String> {
    let column = comparison.first_column()?;
    let rows: Vec<_> = comparison.entries.iter().filter_map(|entry| Some((entry, entry.spread(column)?))).collect();
    let most = rows.iter().map(|(_, spread)| spread.upper_quartile.max(spread.median)).fold(0.0, f64::max);
    if most <= 0.0 {
        return None;
    }
    let place = |value: f64| LEFT + value / most * (RIGHT - LEFT);
    let mut drawing = Drawing::new(&comparison.title, TOP + ROW * rows.len() as f64 + 10.0);
    drawing.text(12.0, 42.0, "s", Anchor::Start, &format!("{}: median and quartiles", column.title));
    for (row, (entry, spread)) in rows.iter().enumerate() {
        let middle = TOP + ROW * (row as f64 + 0.5);
        let class = if entry.subject == subject::PARLOR { "c0" } else { "c1" };
        drawing.text(LEFT - 10.0, middle + 4.0, "", Anchor::End, &entry.label);
        drawing.rectangle((LEFT, middle - BAR / 2.0), (place(spread.median) - LEFT, BAR), class);
        let (lower, upper) = (place(spread.lower_quartile), place(spread.upper_quartile));
        drawing.line((lower, middle), (upper, middle), "w");
        for end in [lower, upper] {
            drawing.line((end, middle - 4.0), (end, middle + 4.0), "w");
        }
        let end = upper.max(place(spread.median));
        drawing.text(end + 8.0, middle + 4.0, "", Anchor::Start, &column.unit.write(spread.median));
    }
    Some(drawing.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::tests::comparison;

    #[test]
    fn a_bar_is_as_long_as_its_median() {
        let svg = bars(&comparison(&[Some(50_000.0)], &[Some(100_000.0)])).expect("there are figures");
        let half = (RIGHT - LEFT) / 2.0;
        assert!(svg.contains(&format!("width='{half:.1}' height='16.0' rx='2' class='c0'")), "{svg}");
        assert!(svg.contains(&format!("width='{:.1}' height='16.0' rx='2' class='c1'", RIGHT - LEFT)), "{svg}");
    }

    #[test]
    fn without_figures_there_is_no_plot() {
        assert_eq!(bars(&comparison(&[None], &[None])), None);
    }
}
