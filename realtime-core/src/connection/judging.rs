//! Judges a session's live subscriptions again, by the rights that its principal has now (rule 24).
//!
//! The same are asked as at the SUBSCRIBE: the rules, and the guards of the route that judged it. Interceptors and the subscribe
//! handler itself are not: they have had their effects. Whoever wants a handler's verdict to be asked again makes it a guard.
//! One's own `/user/…` needs no right.

use parlor_stomp::SubscriptionId;

use super::{
    conversation::{Conversation, Live},
    dispatch::Dispatch,
    refusal::Refused,
};
use crate::{
    app::{self, Context, Rejection},
    closing::Closing,
    destination::{Class, Destination, Pattern},
    session::{LifecycleEvent, Unsubscribed},
};

impl Conversation {
    /// Judges every live subscription, in the order in which they were made; takes away and tells what is lost. `Err` is how the
    /// connection ends where it has to.
    pub(super) async fn judge_again(&mut self) -> Result<(), Closing> {
        let Some(live) = &mut self.live else { return Ok(()) };
        for (id, destination) in live.session.subscriptions() {
            let Some(held) = live.subscriptions.get(&id) else { continue };
            let judged = live.dispatch.may_keep(&destination, held.asked.as_deref()).await;
            let Err(rejection) = judged else { continue };
            let told = take_away(live, &id, &destination, &rejection);
            let event = LifecycleEvent::Unsubscribed(Unsubscribed { id, destination });
            self.endpoint.announce(&live.session, event).await;
            told?;
        }
        Ok(())
    }
}

/// Ends a subscription as UNSUBSCRIBE does, and tells the client.
fn take_away(live: &mut Live, id: &SubscriptionId, destination: &str, rejection: &Rejection) -> Result<(), Closing> {
    live.session.unsubscribed(id);
    drop(live.subscriptions.remove(id));
    let id = id.to_string();
    // A SUBSCRIBE that is refused after the fact: without anybody who listens it is not passed over in silence either.
    let refused =
        Refused { destination, receipt: None, correlation: None, subscription: Some(&id), is_subscribe: true };
    refused.tell(&live.dispatch.endpoint, &live.session, rejection).map_or(Ok(()), Err)
}

impl Dispatch {
    /// Whether the session may keep a subscription; `asked` is what guards have let in. What cannot be told is refused.
    async fn may_keep(&self, named: &str, asked: Option<&app::Subscribe>) -> Result<(), Rejection> {
        if named.contains('*') {
            return self.rules_allow(named, named.parse()?).await;
        }
        let destination: Destination = named.parse()?;
        if let Some(matched) = self.endpoint.routes.subscribe(&destination) {
            let Some(event) = asked else { return Ok(()) };
            let context = Context::new(self.session.clone(), self.broker().clone(), event.clone());
            return self.guarded(matched.ask_guards(context)).await;
        }
        match self.broker().prefixes().classify(&destination) {
            Class::Topic | Class::Queue => self.rules_allow(named, Pattern::from(destination)).await,
            _ => Ok(()),
        }
    }

    async fn rules_allow(&self, named: &str, pattern: Pattern) -> Result<(), Rejection> {
        if self.may_subscribe(&pattern).await? { Ok(()) } else { Err(Rejection::forbidden_subscribe(named)) }
    }
}
