//! What a handler is called for: the event, the session it came from, and what its route captured.

use parlor_stomp::{Headers, SubscriptionId};

use crate::{
    broker::Broker,
    destination::{Destination, Params},
    message::Message,
    session::Session,
};

/// An event on its way to a handler: a [`Message`] or a [`Subscribe`], with all that extractors take from it.
///
/// ```
/// use parlor_core::{Message, app::{Context, Rejection}, extract::FromContext};
///
/// /// Only for messages, as only they have a body.
/// struct BodyLength(usize);
///
/// impl<S: Sync> FromContext<S, Message> for BodyLength {
///     type Rejection = Rejection;
///
///     async fn from_context(context: &Context<Message>, _: &S) -> Result<Self, Rejection> {
///         Ok(Self(context.event().body().len()))
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Context<K> {
    session: Session,
    broker: Broker,
    params: Params,
    event: K,
}

/// A SUBSCRIBE on its way to the handler that judges it.
///
/// ```
/// use parlor_core::{
///     app::{Context, Rejection, Routed, Subscribe},
///     extract::FromContext,
/// };
///
/// /// A header that a page sends along with its SUBSCRIBE.
/// struct Since(String);
///
/// impl<S: Sync> FromContext<S, Subscribe> for Since {
///     type Rejection = Rejection;
///
///     async fn from_context(context: &Context<Subscribe>, _: &S) -> Result<Self, Rejection> {
///         let since = context.event().headers().get("since");
///         Ok(Self(since.unwrap_or("the beginning").to_owned()))
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Subscribe {
    destination: Destination,
    headers: Headers,
    id: SubscriptionId,
}

/// The kinds of events that are brought to a handler by their destination.
///
/// ```
/// use parlor_core::{app::{Context, Rejection, Routed}, extract::FromContext};
///
/// /// For messages and subscriptions alike.
/// struct Place(String);
///
/// impl<S: Sync, K: Routed + Sync> FromContext<S, K> for Place {
///     type Rejection = Rejection;
///
///     async fn from_context(context: &Context<K>, _: &S) -> Result<Self, Rejection> {
///         Ok(Self(context.event().destination().to_string()))
///     }
/// }
/// ```
pub trait Routed {
    /// The destination that the client named.
    fn destination(&self) -> &Destination;

    /// The client's headers.
    fn headers(&self) -> &Headers;
}

impl<K> Context<K> {
    /// A context without captured parameters; routing adds them.
    #[must_use]
    pub fn new(session: Session, broker: Broker, event: K) -> Self {
        Self { session, broker, params: Params::default(), event }
    }

    /// The session that the event came from.
    #[must_use]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Where to publish.
    #[must_use]
    pub fn broker(&self) -> &Broker {
        &self.broker
    }

    /// What the route's placeholders captured.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The event itself.
    #[must_use]
    pub fn event(&self) -> &K {
        &self.event
    }

    /// The same place with another event.
    pub(super) fn map<J>(&self, event: impl FnOnce(&K) -> J) -> Context<J> {
        Context {
            session: self.session.clone(),
            broker: self.broker.clone(),
            params: self.params.clone(),
            event: event(&self.event),
        }
    }

    pub(crate) fn with_params(mut self, params: Params) -> Self {
        self.params = params;
        self
    }
}

impl Subscribe {
    /// A subscription.
    #[must_use]
    pub fn new(destination: Destination, headers: Headers, id: SubscriptionId) -> Self {
        Self { destination, headers, id }
    }

    /// The id that the client chose.
    #[must_use]
    pub fn id(&self) -> &SubscriptionId {
        &self.id
    }
}

impl Routed for Message {
    fn destination(&self) -> &Destination {
        self.destination()
    }

    fn headers(&self) -> &Headers {
        self.headers()
    }
}

impl Routed for Subscribe {
    fn destination(&self) -> &Destination {
        &self.destination
    }

    fn headers(&self) -> &Headers {
        &self.headers
    }
}
