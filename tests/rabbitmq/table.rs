//! The tables of docs/compared-with-rabbitmq.md, and whether they say what was observed.
//!
//! One has a row for each scenario in which the brokers differ, of four cells: the scenario, what RabbitMQ does, what Parlor
//! does, and why. The other has a row of two cells for each of the others.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What a broker did in a scenario.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Observation {
    scenario: String,
    observed: String,
}

/// What the page says.
#[derive(Debug)]
pub(crate) struct Table<'a> {
    /// The cells of each row, by scenario.
    rows: BTreeMap<&'a str, Vec<&'a str>>,
    /// Scenarios that have more than one row.
    repeated: Vec<&'a str>,
}

impl<'a> Table<'a> {
    pub(crate) fn read(page: &'a str) -> Self {
        let mut table = Self { rows: BTreeMap::new(), repeated: Vec::new() };
        // The first line of a table names its columns, and the second rules it off.
        let mut lines_of_table = 0;
        for line in page.lines() {
            let Some(line) = line.strip_prefix("| ").and_then(|line| line.strip_suffix(" |")) else {
                lines_of_table = if line.starts_with("|---") { lines_of_table + 1 } else { 0 };
                continue;
            };
            lines_of_table += 1;
            if lines_of_table <= 2 {
                continue;
            }
            let mut cells = line.split(" | ").map(str::trim);
            let scenario = cells.next().unwrap_or_default();
            if table.rows.insert(scenario, cells.collect()).is_some() {
                table.repeated.push(scenario);
            }
        }
        table
    }

    /// What is wrong with the page, each with the row that there should be.
    pub(crate) fn faults(&self, theirs: &[Observation], ours: &[Observation]) -> Vec<String> {
        let (mut theirs, ours) = (by_scenario(theirs), by_scenario(ours));
        let repeated = self.repeated.iter().map(|scenario| format!("more than one row: {scenario}"));
        let strangers = self.rows.keys().filter(|scenario| !ours.contains_key(*scenario));
        let mut faults: Vec<_> =
            repeated.chain(strangers.map(|scenario| format!("no such scenario: {scenario}"))).collect();
        for (scenario, ours) in ours {
            let Some(theirs) = theirs.remove(scenario) else {
                faults.push(format!("not observed of RabbitMQ: {scenario}"));
                continue;
            };
            let row = self.rows.get(scenario).map(Vec::as_slice);
            let is_right = match row {
                Some([both]) => theirs == ours && *both == ours,
                Some([first, second, why]) => theirs != ours && *first == theirs && *second == ours && !why.is_empty(),
                _ => false,
            };
            if !is_right {
                let wanted = if theirs == ours {
                    format!("| {scenario} | {ours} |")
                } else {
                    let why = row.filter(|row| row.len() == 3).map_or("(why?)", |row| row[2]);
                    format!("| {scenario} | {theirs} | {ours} | {why} |")
                };
                let found =
                    row.map_or_else(|| "no row".to_owned(), |cells| format!("| {scenario} | {} |", cells.join(" | ")));
                faults.push(format!("wanted: {wanted}\n found: {found}"));
            }
        }
        faults.extend(theirs.keys().map(|scenario| format!("not observed of Parlor: {scenario}")));
        faults
    }
}

fn by_scenario(observations: &[Observation]) -> BTreeMap<&str, &str> {
    observations.iter().map(|one| (one.scenario.as_str(), one.observed.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "\
# A page

| scenario | RabbitMQ | Parlor | why |
|---|---|---|---|
| `ACK` twice | a close | RECEIPT | it may cross |

Words.

| scenario | both |
|---|---|
| an empty body | unharmed |
";

    fn observations(both: [(&str, &str); 2]) -> Vec<Observation> {
        both.map(|(scenario, observed)| Observation { scenario: scenario.to_owned(), observed: observed.to_owned() })
            .into()
    }

    fn faults(page: &str, theirs: &str, ours: &str) -> Vec<String> {
        let of = |ack| observations([("`ACK` twice", ack), ("an empty body", "unharmed")]);
        Table::read(page).faults(&of(theirs), &of(ours))
    }

    #[test]
    fn a_page_that_says_what_was_observed_has_no_fault() {
        assert_eq!(faults(PAGE, "a close", "RECEIPT"), [""; 0]);
    }

    #[test]
    fn a_difference_without_a_row_is_a_fault_and_so_is_one_that_the_row_does_not_tell() {
        let page = PAGE.replace("| `ACK` twice | a close | RECEIPT | it may cross |\n", "");
        assert_eq!(faults(&page, "a close", "RECEIPT").len(), 1);
        let page = PAGE.replace("| a close | RECEIPT | it may cross |", "| RECEIPT |");
        assert_eq!(faults(&page, "a close", "RECEIPT").len(), 1);
        assert_eq!(faults(PAGE, "a close", "ERROR").len(), 1);
        assert_eq!(faults(PAGE, "ERROR", "RECEIPT").len(), 1);
        assert_eq!(faults(&PAGE.replace("it may cross", ""), "a close", "RECEIPT").len(), 1);
    }

    #[test]
    fn a_row_without_a_difference_is_a_fault() {
        assert_eq!(faults(PAGE, "RECEIPT", "RECEIPT").len(), 1);
        assert_eq!(
            faults(&PAGE.replace("| a close | RECEIPT |", "| RECEIPT | RECEIPT |"), "RECEIPT", "RECEIPT").len(),
            1
        );
    }

    #[test]
    fn rows_of_no_scenario_and_repeated_rows_are_faults() {
        assert_eq!(faults(&format!("{PAGE}| another | unharmed |\n"), "a close", "RECEIPT").len(), 1);
        assert_eq!(faults(&format!("{PAGE}| an empty body | unharmed |\n"), "a close", "RECEIPT").len(), 1);
    }

    #[test]
    fn scenarios_that_one_broker_was_not_asked_are_faults() {
        let both = observations([("`ACK` twice", "RECEIPT"), ("an empty body", "unharmed")]);
        let theirs = observations([("`ACK` twice", "a close"), ("a new one", "unharmed")]);
        assert_eq!(Table::read(PAGE).faults(&theirs, &both).len(), 2);
    }
}
