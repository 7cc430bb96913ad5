//! The locks that threads race for: of the broker, its outboxes and the journal in memory.
//!
//! They are parking_lot's. In the tests under random schedules (`scripts/schedules`) they are shuttle's, which decides at
//! every lock which thread goes on, so that a seed finds again what the chance of a machine would hide.

#[cfg(not(all(test, parlor_shuttle)))]
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
#[cfg(all(test, parlor_shuttle))]
pub(crate) use scheduled::{Mutex, MutexGuard, RwLock};

/// Shuttle's locks, with what we use of parking_lot's. A panic ends the whole test, so that poisoning says nothing.
#[cfg(all(test, parlor_shuttle))]
mod scheduled {
    pub(crate) use shuttle::sync::{MutexGuard, RwLockReadGuard, RwLockWriteGuard};

    #[derive(Debug, Default)]
    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    #[derive(Debug, Default)]
    pub(crate) struct RwLock<T>(shuttle::sync::RwLock<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no thread panicked")
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok()
        }

        pub(crate) fn is_locked(&self) -> bool {
            self.0.try_lock().is_err()
        }

        pub(crate) fn get_mut(&mut self) -> &mut T {
            self.0.get_mut().expect("no thread panicked")
        }
    }

    impl<T> RwLock<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::RwLock::new(value))
        }

        pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
            self.0.read().expect("no thread panicked")
        }

        pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
            self.0.write().expect("no thread panicked")
        }
    }
}
