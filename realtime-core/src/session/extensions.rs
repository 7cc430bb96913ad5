//! Typed values that an application keeps with a session.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
};

use parking_lot::Mutex;

/// At most one value of each type, for as long as the session's handles live. Handlers take one by
/// [`SessionData`](crate::extract::SessionData).
///
/// ```
/// use parlor_core::{auth::Principal, session::Session};
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct Language(&'static str);
///
/// let session = Session::detached(Principal::anonymous());
/// session.extensions().insert(Language("de"));
/// assert_eq!(session.extensions().get::<Language>(), Some(Language("de")));
/// assert_eq!(session.extensions().get::<u32>(), None);
/// ```
#[derive(Default)]
pub struct Extensions {
    /// Made with the first value: most sessions have none.
    values: Mutex<Option<Box<Values>>>,
}

type Values = HashMap<TypeId, Box<dyn Any + Send>>;

impl Extensions {
    /// Puts a value in, and gives back the one of that type that stood there.
    pub fn insert<T: Send + 'static>(&self, value: T) -> Option<T> {
        let old = self.values.lock().get_or_insert_default().insert(TypeId::of::<T>(), Box::new(value));
        old.and_then(|old| old.downcast().ok()).map(|old| *old)
    }

    /// A copy of the value of that type.
    #[must_use]
    pub fn get<T: Clone + Send + 'static>(&self) -> Option<T> {
        self.values.lock().as_ref()?.get(&TypeId::of::<T>())?.downcast_ref::<T>().cloned()
    }

    /// Takes the value of that type out.
    pub fn remove<T: Send + 'static>(&self) -> Option<T> {
        let old = self.values.lock().as_mut()?.remove(&TypeId::of::<T>())?;
        old.downcast().ok().map(|old| *old)
    }

    /// Changes the value of that type in place, made by `Default` where there was none.
    ///
    /// `change` runs under the lock of the extensions: it must not use the extensions of the same session.
    pub fn update<T, R>(&self, change: impl FnOnce(&mut T) -> R) -> R
    where
        T: Default + Send + 'static,
    {
        let mut values = self.values.lock();
        let value = values.get_or_insert_default().entry(TypeId::of::<T>()).or_insert_with(|| Box::new(T::default()));
        match value.downcast_mut::<T>() {
            Some(value) => change(value),
            // Values stand under their own type; a fresh one keeps this total.
            None => change(&mut T::default()),
        }
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions")
            .field("values", &self.values.lock().as_ref().map_or(0, |values| values.len()))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_each_type() {
        let extensions = Extensions::default();
        assert_eq!(extensions.insert(1_u8), None);
        assert_eq!(extensions.insert(2_u8), Some(1));
        extensions.insert("text");
        extensions.update(|count: &mut u8| *count += 1);
        extensions.update(|count: &mut u64| *count += 1);
        assert_eq!((extensions.remove::<u8>(), extensions.get::<u8>()), (Some(3), None));
        assert_eq!((extensions.get::<&str>(), extensions.get::<u64>()), (Some("text"), Some(1)));
    }
}
