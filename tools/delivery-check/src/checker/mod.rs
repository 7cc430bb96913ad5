//! Proves or refutes from the records of a run that its messages were delivered as promised.
//!
//! Nothing is assumed of the order in which clients saw things but what their clock proves: a message is owed to a
//! subscription when its SEND began after the subscription was confirmed and its receipt came before the subscriber ended.
//! Where a subscription was told `recovered:false` a new *window* begins: what lies between the windows is not owed.

mod delivered;
mod history;
mod loss;
mod order;
mod verdict;

pub use verdict::{Counts, Verdict, Violation};

use crate::{Record, checker::history::History};

/// Judges the records of a run. Those of one client have to stand in their order; clients may stand in any.
///
/// ```
/// use delivery_check::{Record, checker::check};
///
/// let lines = [
///     r#"{"at":1,"client":"s","event":"subscribed","destination":"/topic/a"}"#,
///     r#"{"at":2,"client":"p","event":"send","destination":"/topic/a","id":"m"}"#,
///     r#"{"at":3,"client":"p","event":"receipt","id":"m"}"#,
/// ];
/// let records: Vec<Record> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
/// let verdict = check(&records);
/// assert_eq!(verdict.violations[0].to_string(), "lost: m of p never reached s at /topic/a");
/// ```
#[must_use]
pub fn check(records: &[Record]) -> Verdict {
    let (history, mut violations) = History::new(records);
    delivered::check(&history, &mut violations);
    loss::check(&history, &mut violations);
    order::check(&history, &mut violations);
    Verdict { counts: history.counts(), violations }
}
