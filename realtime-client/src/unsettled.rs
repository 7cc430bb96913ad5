//! Which messages of a subscription with acknowledgement are not settled, and where the subscription goes on after a reconnect:
//! behind the last message before which all are.

use std::collections::VecDeque;

/// Messages of a subscription that are remembered until they are settled. Beyond it the oldest counts as settled: a server
/// holds back long before.
pub(crate) const MAX_UNSETTLED: usize = 4096;

/// The messages of one connection, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Unsettled {
    messages: VecDeque<Unsettling>,
}

#[derive(Debug)]
struct Unsettling {
    position: String,
    is_settled: bool,
}

impl Unsettled {
    /// A message came, for the first time or again. Where to go on, if that has moved.
    pub(crate) fn came(&mut self, position: &str) -> Option<String> {
        if let Some(again) = self.messages.iter_mut().find(|message| message.position == position) {
            again.is_settled = false;
            return None;
        }
        self.messages.push_back(Unsettling { position: position.to_owned(), is_settled: false });
        if self.messages.len() <= MAX_UNSETTLED {
            return None;
        }
        if let Some(oldest) = self.messages.front_mut() {
            oldest.is_settled = true;
        }
        self.pass()
    }

    /// A message is acknowledged, with all before it where `cumulative`. Where to go on, if that has moved.
    pub(crate) fn acknowledged(&mut self, position: &str, cumulative: bool) -> Option<String> {
        let place = self.messages.iter().position(|message| message.position == position)?;
        let first = if cumulative { 0 } else { place };
        self.messages.range_mut(first..=place).for_each(|message| message.is_settled = true);
        self.pass()
    }

    /// The connection ended: what is not settled comes again.
    pub(crate) fn interrupted(&mut self) {
        self.messages.clear();
    }

    /// Forgets what is settled with all before it; the last of these.
    fn pass(&mut self) -> Option<String> {
        let mut passed = None;
        while let Some(message) = self.messages.pop_front_if(|message| message.is_settled) {
            passed = Some(message.position);
        }
        passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(positions: &[&str]) -> Unsettled {
        let mut unsettled = Unsettled::default();
        positions.iter().for_each(|position| assert_eq!(unsettled.came(position), None));
        unsettled
    }

    #[test]
    fn it_goes_on_behind_the_last_before_which_all_are_settled() {
        let mut unsettled = of(&["a", "b", "c"]);
        assert_eq!(unsettled.acknowledged("b", false), None);
        assert_eq!(unsettled.acknowledged("a", false).as_deref(), Some("b"));
        assert_eq!(unsettled.acknowledged("a", false), None);
        assert_eq!(unsettled.acknowledged("c", false).as_deref(), Some("c"));
    }

    #[test]
    fn a_cumulative_one_settles_all_before_it() {
        let mut unsettled = of(&["a", "b", "c"]);
        assert_eq!(unsettled.acknowledged("b", true).as_deref(), Some("b"));
    }

    #[test]
    fn what_comes_again_has_to_be_settled_again() {
        let mut unsettled = of(&["a", "b"]);
        assert_eq!(unsettled.acknowledged("b", false), None);
        assert_eq!(unsettled.came("b"), None);
        assert_eq!(unsettled.acknowledged("a", false).as_deref(), Some("a"));
    }

    #[test]
    fn so_many_are_remembered_and_not_one_more() {
        let mut unsettled = Unsettled::default();
        for number in 0..MAX_UNSETTLED {
            assert_eq!(unsettled.came(&number.to_string()), None);
        }
        assert_eq!(unsettled.came("one more").as_deref(), Some("0"));
    }
}
