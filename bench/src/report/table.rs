//! A comparison as a table, aligned so that it is readable as Markdown and on a terminal.

use crate::{
    contest::{Comparison, Entry},
    sample::{Column, Unit},
    statistics::Spread,
};

/// One row for each contestant: the median of each figure, of the first one with quartiles, and the ratio to the reference.
pub(crate) fn table(comparison: &Comparison) -> String {
    let mut head = vec![comparison.growing.clone().unwrap_or_default()];
    head.extend(comparison.columns.iter().map(|column| column.title.to_owned()));
    if let Some(reference) = &comparison.reference {
        head.push(format!("against {reference}"));
    }
    let mut rows = vec![head];
    for entry in &comparison.entries {
        let mut row = vec![entry.label.clone()];
        row.extend(comparison.columns.iter().enumerate().map(|(place, column)| cell(entry, *column, place == 0)));
        if comparison.reference.is_some() {
            row.push(comparison.ratio(entry).map_or_else(dash, |ratio| with_quartiles(Unit::Ratio, &ratio)));
        }
        rows.push(row);
    }
    align(&rows)
}

fn cell(entry: &Entry, column: Column, counts: bool) -> String {
    let Some(spread) = entry.spread(column) else { return dash() };
    // What is lost in one round of fifteen is lost.
    let is_fault = ["lost", "doubled", "disordered", "strayed"].contains(&column.key);
    match (counts, is_fault) {
        (true, _) => with_quartiles(column.unit, &spread),
        (false, true) => column.unit.write(spread.most),
        (false, false) => column.unit.write(spread.median),
    }
}

fn with_quartiles(unit: Unit, spread: &Spread) -> String {
    if spread.rounds == 1 {
        return unit.write(spread.median);
    }
    format!(
        "{} ({} to {})",
        unit.write(spread.median),
        unit.write(spread.lower_quartile),
        unit.write(spread.upper_quartile)
    )
}

fn dash() -> String {
    "-".to_owned()
}

/// A Markdown table with columns of one width.
pub(super) fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<_> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0).max(3)
        })
        .collect();
    let mut text = String::new();
    for (place, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(&format!("| {cell:<width$} "));
        }
        text.push_str("|\n");
        if place == 0 {
            for width in &widths {
                text.push_str(&format!("|{:-<1$}", "", width + 2));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contest::tests::comparison;

    #[test]
    fn medians_stand_with_their_quartiles_and_ratios() {
        let comparison = comparison(
            &[Some(90_000.0), Some(80_000.0), Some(70_000.0)],
            &[Some(100_000.0), Some(100_000.0), Some(100_000.0)],
        );
        assert_eq!(
            table(&comparison),
            "\
|        | deliveries per server CPU-second | lost | against limit       |
|--------|----------------------------------|------|---------------------|
| parlor | 80 k (75 k to 85 k)              | 0    | 0.80 (0.75 to 0.85) |
| limit  | 100 k (100 k to 100 k)           | 0    | 1.00 (1.00 to 1.00) |
"
        );
    }

    #[test]
    fn who_failed_has_dashes() {
        let comparison = comparison(&[None], &[Some(100_000.0)]);
        assert!(table(&comparison).contains("| parlor | -                                | -    | -             |"));
    }
}
