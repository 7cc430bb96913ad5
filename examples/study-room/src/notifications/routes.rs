//! Notifications over HTTP, for pages that have an event stream alone, and for what comes in pages.

use axum::{
    Json, Router,
    extract::{FromRef, State},
    routing::{get, post},
};
use parlor::{
    Realtime,
    auth::{Principal, UserId},
    axum::Authenticated,
    notifications::{Acknowledge, NotificationId, NotificationStoreError, Unread},
};
use serde::{Deserialize, Serialize};

use crate::{
    api::{ApiError, ApiJson, ApiQuery},
    notifications::NotificationService,
    store::StoreError,
};

#[derive(Deserialize)]
struct After {
    after: Option<NotificationId>,
}

#[derive(Serialize)]
struct Acknowledged {
    ids: Vec<NotificationId>,
}

pub(crate) fn routes<S>() -> Router<S>
where
    S: Clone + Send + Sync + 'static,
    NotificationService: FromRef<S>,
    Realtime: FromRef<S>,
{
    Router::new().route("/notifications", get(unread)).route("/notifications/acknowledge", post(acknowledge))
}

/// What is not acknowledged and comes behind `after`, oldest first.
async fn unread(
    State(notifications): State<NotificationService>,
    Authenticated(user): Authenticated,
    ApiQuery(After { after }): ApiQuery<After>,
) -> Result<Json<Unread>, ApiError> {
    Ok(Json(notifications.unread(known(&user)?, after).await?))
}

/// Answers which ones were unread until now; all tabs hear of them.
async fn acknowledge(
    State(notifications): State<NotificationService>,
    Authenticated(user): Authenticated,
    ApiJson(which): ApiJson<Acknowledge>,
) -> Result<Json<Acknowledged>, ApiError> {
    Ok(Json(Acknowledged { ids: notifications.acknowledge(known(&user)?, &which).await? }))
}

fn known(user: &Principal) -> Result<&UserId, ApiError> {
    user.id().ok_or_else(ApiError::not_logged_in)
}

impl From<NotificationStoreError> for ApiError {
    fn from(error: NotificationStoreError) -> Self {
        match error {
            NotificationStoreError::Failed(cause) => match cause.downcast::<StoreError>() {
                Ok(error) => Self::from(*error),
                Err(cause) => Self::internal(cause),
            },
            error => Self::internal(error),
        }
    }
}
