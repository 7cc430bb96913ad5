//! Who a connection belongs to: replaced in place by a refresh, and judged anew then.
//!
//! One for each connection and event stream, shared by its entry in the registry, its session's handles and its driver. A
//! replacement never changes the user or the login, so whatever is found by either stays where it is.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::{auth::Principal, outbox::Outbox};

/// The principal of one connection.
#[derive(Debug)]
pub(crate) struct Identity {
    state: Mutex<State>,
    /// Rights may have changed, and live subscriptions have not been judged since. Set while the lock is held.
    to_judge: AtomicBool,
}

#[derive(Debug)]
struct State {
    principal: Principal,
    /// How often it was replaced.
    version: u64,
}

impl Identity {
    pub(crate) fn new(principal: Principal) -> Self {
        Self { state: Mutex::new(State { principal, version: 0 }), to_judge: AtomicBool::new(false) }
    }

    /// The principal as of now.
    pub(crate) fn principal(&self) -> Principal {
        self.state.lock().principal.clone()
    }

    /// Puts what `change` makes of the principal in its place, and its expiry into force; the driver of `outbox` is roused.
    /// False, with nothing changed, where `change` says none, the connection has ended, or its time is over.
    ///
    /// `change` may be the application's: no lock is held while it runs. It runs again where another replacement came between.
    pub(crate) fn replace(&self, outbox: &Outbox, change: impl Fn(&Principal) -> Option<Principal>) -> bool {
        loop {
            let (old, version) = {
                let state = self.state.lock();
                (state.principal.clone(), state.version)
            };
            let Some(fresh) = change(&old) else { return false };
            let mut state = self.state.lock();
            if state.version != version {
                continue;
            }
            // Under the lock, so that of two replacements the later one counts in both places.
            if !outbox.expire_at(fresh.expires_at()) {
                return false;
            }
            *state = State { principal: fresh, version: version + 1 };
            self.to_judge.store(true, Ordering::Release);
            drop(state);
            outbox.rouse();
            return true;
        }
    }

    /// Whether live subscriptions have to be judged; the answer is yes once for each replacement, or several.
    pub(crate) fn take_to_judge(&self) -> bool {
        // Asked for each frame, and nearly always in vain.
        self.to_judge.load(Ordering::Relaxed) && self.to_judge.swap(false, Ordering::AcqRel)
    }
}
