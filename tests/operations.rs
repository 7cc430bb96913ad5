//! `docs/operations.md` has every metric of the code, as it is, and no other.

use parlor::telemetry::METRICS;

#[test]
fn the_table_of_metrics_is_that_of_the_code() {
    let document = include_str!("../docs/operations.md");
    let documented: Vec<&str> = document.lines().filter(|line| line.starts_with("| `parlor_")).collect();
    let documented: Vec<&str> = documented.into_iter().filter(|line| line.matches(" | ").count() == 3).collect();
    let coded: Vec<String> = METRICS
        .iter()
        .map(|metric| {
            let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            let cells = [format!("`{}`", metric.name), metric.kind.as_str().to_owned(), labels.join(", ")];
            format!("| {} | {} |", cells.join(" | "), metric.help)
        })
        .collect();
    assert_eq!(documented, coded);
    let mut names: Vec<_> = METRICS.iter().map(|metric| metric.name).collect();
    names.sort_unstable();
    assert!(names.iter().eq(METRICS.iter().map(|metric| &metric.name)), "they stand in the order of their names");
}
