//! Meters by label value, of bounded number: the first values get a meter of their own, the rest share `other`.
//!
//! That bound is what keeps a recorder alive when an application puts a user's text into a code by mistake.

use std::{collections::HashMap, sync::Arc};

use parking_lot::RwLock;

/// How many values one label has at most, beside [`OTHER`].
pub const MAX_LABEL_VALUES: usize = 256;

/// The longest value of a label, in octets, that of the longest pattern.
const LONGEST_VALUE: usize = 255;

/// The value that stands for all that have no meter of their own.
pub const OTHER: &str = "other";

/// Meters of one kind, by the value of a label.
#[derive(Debug)]
pub(crate) struct Family<M> {
    make: fn(&str) -> M,
    known: RwLock<HashMap<Box<str>, Arc<M>>>,
    other: Arc<M>,
}

impl<M> Family<M> {
    pub(crate) fn new(make: fn(&str) -> M) -> Self {
        Self { make, known: RwLock::default(), other: Arc::new(make(OTHER)) }
    }

    /// The meter of that value, made if need be; that of [`OTHER`] where there are too many already, or where the value is
    /// none that a program would choose.
    pub(crate) fn get(&self, value: &str) -> Arc<M> {
        if let Some(known) = self.known.read().get(value) {
            return Arc::clone(known);
        }
        let is_plain = value.len() <= LONGEST_VALUE && !value.chars().any(char::is_control);
        let mut known = self.known.write();
        if let Some(known) = known.get(value) {
            return Arc::clone(known);
        }
        if value == OTHER || !is_plain || known.len() >= MAX_LABEL_VALUES {
            return Arc::clone(&self.other);
        }
        let made = Arc::new((self.make)(value));
        known.insert(value.into(), Arc::clone(&made));
        made
    }

    /// Each value with what `look` makes of its meter; without those of which it makes nothing.
    pub(crate) fn collect<T, C: FromIterator<(String, T)>>(&self, look: impl Fn(&M) -> Option<T>) -> C {
        let known = self.known.read();
        let all = known.iter().map(|(value, meter)| (&**value, meter)).chain([(OTHER, &self.other)]);
        all.filter_map(|(value, meter)| Some((value.to_owned(), look(meter)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::telemetry::{Counter, catalog};

    fn refusals() -> Family<Counter> {
        Family::new(|code| Counter::new(&catalog::REFUSALS, &[("code", code)]))
    }

    fn values(family: &Family<Counter>) -> BTreeMap<String, u64> {
        family.collect(|counter| Some(counter.value()).filter(|count| *count > 0))
    }

    #[test]
    fn the_values_beyond_the_limit_share_one_meter() {
        let family = refusals();
        for number in 0..MAX_LABEL_VALUES + 10 {
            family.get(&format!("code-{number}")).add(1);
        }
        let values = values(&family);
        assert_eq!(values.len(), MAX_LABEL_VALUES + 1);
        assert_eq!(values[OTHER], 10);
        family.get("code-0").add(1);
        assert_eq!(self::values(&family)["code-0"], 2, "those that were there first keep their own");
    }

    #[test]
    fn what_no_program_would_choose_has_no_meter_of_its_own() {
        let family = refusals();
        family.get("a\nb").add(1);
        family.get(&"x".repeat(LONGEST_VALUE + 1)).add(1);
        assert_eq!(values(&family), BTreeMap::from([(OTHER.to_owned(), 2)]));
    }
}
