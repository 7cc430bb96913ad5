//! An ordered map that keeps a few entries in itself.
//!
//! A subscription to a topic that acknowledges has a queue of its own: one consumer, and most of the time a message or two. With a
//! tree for each table, a delivery to thousands of them waits for some tens of places in memory that lie cold; so it is one place. A
//! destination with many consumers has its trees.

use std::collections::BTreeMap;

use smallvec::SmallVec;

/// A map in the order of its keys. Up to `N` entries cost no allocation. The tree of more stays until half of that is left, so that
/// who goes back and forth at the bound does not allocate each time.
#[derive(Debug)]
pub(crate) enum SmallMap<K, V, const N: usize> {
    /// By key; never more than `N`.
    Few(SmallVec<[(K, V); N]>),
    /// More than half of `N`.
    Many(BTreeMap<K, V>),
}

impl<K, V, const N: usize> Default for SmallMap<K, V, N> {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl<K: Ord, V, const N: usize> SmallMap<K, V, N> {
    /// Adds an entry; one with the same key is replaced.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self {
            Self::Few(entries) => match place(entries, &key) {
                Ok(place) => entries[place].1 = value,
                Err(place) if entries.len() < N => entries.insert(place, (key, value)),
                Err(_) => *self = Self::Many(entries.drain(..).chain([(key, value)]).collect()),
            },
            Self::Many(tree) => drop(tree.insert(key, value)),
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        match self {
            Self::Few(entries) => place(entries, key).ok().map(|place| entries.remove(place).1),
            Self::Many(tree) => {
                let removed = tree.remove(key);
                if tree.len() <= N / 2 {
                    *self = Self::Few(std::mem::take(tree).into_iter().collect());
                }
                removed
            }
        }
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        match self {
            Self::Few(entries) => entries.iter_mut().find(|(other, _)| other == key).map(|(_, value)| value),
            Self::Many(tree) => tree.get_mut(key),
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        match self {
            Self::Few(entries) => entries.iter().find(|(other, _)| other == key).map(|(_, value)| value),
            Self::Many(tree) => tree.get(key),
        }
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// The entry with the lowest key.
    pub(crate) fn first_key_value(&self) -> Option<(&K, &V)> {
        match self {
            Self::Few(entries) => entries.first().map(|(key, value)| (key, value)),
            Self::Many(tree) => tree.first_key_value(),
        }
    }

    /// The lowest key.
    pub(crate) fn first_key(&self) -> Option<&K> {
        self.first_key_value().map(|(key, _)| key)
    }

    /// All entries, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        let (few, many) = match self {
            Self::Few(entries) => (Some(entries), None),
            Self::Many(tree) => (None, Some(tree)),
        };
        few.into_iter().flatten().map(|(key, value)| (key, value)).chain(many.into_iter().flatten())
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(entries) => entries.len(),
            Self::Many(tree) => tree.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Where a key is among few, or belongs.
fn place<K: Ord, V>(entries: &[(K, V)], key: &K) -> Result<usize, usize> {
    match entries.iter().position(|(other, _)| other >= key) {
        Some(place) if entries[place].0 == *key => Ok(place),
        Some(place) => Err(place),
        None => Err(entries.len()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Op {
        Change(u8, u8),
        Insert(u8, u8),
        Remove(u8),
    }

    /// Few keys, so that there are none, few and many again and again.
    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            (0..10_u8, any::<u8>()).prop_map(|(key, value)| Op::Change(key, value)),
            (0..10_u8, any::<u8>()).prop_map(|(key, value)| Op::Insert(key, value)),
            (0..10_u8).prop_map(Op::Remove),
        ]
    }

    fn answers_as_a_tree_does<const N: usize>(ops: &[Op]) -> Result<(), TestCaseError> {
        let (mut map, mut tree) = (SmallMap::<_, _, N>::default(), BTreeMap::new());
        for op in ops.iter().copied() {
            match op {
                Op::Change(key, to) => {
                    prop_assert_eq!(map.get_mut(&key).copied(), tree.get_mut(&key).copied());
                    for value in [map.get_mut(&key), tree.get_mut(&key)].into_iter().flatten() {
                        *value = to;
                    }
                }
                Op::Insert(key, value) => {
                    map.insert(key, value);
                    tree.insert(key, value);
                }
                Op::Remove(key) => prop_assert_eq!(map.remove(&key), tree.remove(&key)),
            }
            prop_assert!(map.iter().eq(tree.iter()), "{:?} {:?}", map, tree);
            prop_assert_eq!((map.len(), map.is_empty()), (tree.len(), tree.is_empty()));
            prop_assert_eq!((map.first_key_value(), map.first_key()), (tree.first_key_value(), tree.keys().next()));
            for key in 0..10 {
                prop_assert_eq!((map.get(&key), map.contains_key(&key)), (tree.get(&key), tree.contains_key(&key)));
            }
            let fits = match &map {
                SmallMap::Few(entries) => !entries.spilled() && entries.len() <= N,
                SmallMap::Many(tree) => tree.len() > N / 2,
            };
            prop_assert!(fits, "{:?}", map);
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn it_answers_as_a_tree_does(ops in vec(op(), 1..60)) {
            answers_as_a_tree_does::<1>(&ops)?;
            answers_as_a_tree_does::<2>(&ops)?;
            answers_as_a_tree_does::<4>(&ops)?;
        }
    }

    #[test]
    fn few_are_kept_in_itself_and_the_tree_of_more_until_half_of_that_is_left() {
        let mut map = SmallMap::<_, _, 2>::default();
        map.insert(2, "b");
        map.insert(1, "a");
        assert!(matches!(map, SmallMap::Few(_)));
        map.insert(0, "c");
        map.remove(&1);
        assert!(matches!(map, SmallMap::Many(_)));
        map.remove(&2);
        assert!(matches!(map, SmallMap::Few(_)));
    }
}
