//! Rule 11: what a client is told when a well-formed SEND or SUBSCRIBE is refused or fails.
//!
//! A session that listens on `/user/queue/errors` (by the configured prefixes) gets a MESSAGE there and lives on. One that does not gets ERROR and
//! close if the frame was a SUBSCRIBE or asked for a receipt, because silence would leave it waiting. Anything else is
//! logged. A subscription that is lost later, because its user's rights have changed, is told in the same way (rule 24).

use parlor_stomp::Fault;
use serde::Serialize;
use serde_json::Value;

use crate::{
    app::{Rejection, millis},
    broker::Publication,
    closing::Closing,
    destination::UserDestination,
    endpoint::Endpoint,
    session::Session,
    telemetry,
};

/// A frame that was refused.
#[derive(Debug)]
pub(super) struct Refused<'a> {
    pub(super) destination: &'a str,
    pub(super) receipt: Option<&'a str>,
    pub(super) correlation: Option<&'a str>,
    /// The subscription that was in force until now.
    pub(super) subscription: Option<&'a str>,
    pub(super) is_subscribe: bool,
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Value>,
}

impl Refused<'_> {
    /// Tells the client; answers how the connection ends, if it has to.
    pub(super) fn tell(&self, endpoint: &Endpoint, session: &Session, rejection: &Rejection) -> Option<Closing> {
        let broker = &endpoint.broker;
        let heard = self.send_error_message(endpoint, session, rejection);
        let closes = !heard && (self.is_subscribe || self.receipt.is_some());
        broker.meters().refused(session.id(), self.destination, rejection.code(), heard, closes);
        closes.then(|| {
            let mut fault = Fault::new(rejection.code().to_owned(), rejection.message().to_owned());
            if let Some(receipt) = self.receipt {
                fault = fault.with_receipt(receipt);
            }
            if let Some(time) = rejection.retry_after() {
                fault = fault.with_retry_after(time);
            }
            Closing::refused(fault.with_detail(format!(
                "{} Subscribe to {}{} to be told of refusals without losing the connection.",
                rejection.message(),
                broker.prefixes().user,
                endpoint.errors,
            )))
        })
    }

    fn send_error_message(&self, endpoint: &Endpoint, session: &Session, rejection: &Rejection) -> bool {
        let body = Body {
            code: rejection.code(),
            message: rejection.message(),
            subscription: self.subscription,
            details: rejection.details(),
        };
        let Ok(publication) = Publication::json(&body) else { return false };
        let mut publication =
            publication.with_header("code", rejection.code()).with_header("refused-destination", self.destination);
        if let Some(receipt) = self.receipt {
            publication = publication.with_header("receipt-id", receipt);
        }
        if let Some(correlation) = self.correlation {
            publication = publication.with_header("correlation-id", correlation);
        }
        if let Some(subscription) = self.subscription {
            publication = publication.with_header("refused-subscription", subscription);
        }
        if let Some(time) = rejection.retry_after() {
            publication = publication.with_header("retry-after", &millis(time).to_string());
        }
        let errors = UserDestination { owner: session.owner(), path: endpoint.errors.clone() };
        match endpoint.broker.hand_to_owner(&errors, &publication, Some(session.id())) {
            Ok((sent, _)) => sent.subscriptions > 0,
            Err(error) => {
                telemetry::application_failed("a refusal could not be told", &error);
                false
            }
        }
    }
}
